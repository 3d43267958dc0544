from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loom.worker import PULSE_EVERY_S, ClusterDiedError, run_worker


class Command(BaseCommand):
    help = "Run queued tasks and what is due every few seconds, until SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--pulse-fd", type=int, help="a pipe that gets a byte for every finished task")
        parser.add_argument(
            "--pulse-every", type=float, default=PULSE_EVERY_S, help="seconds between tasks made for the pulse alone"
        )

    def handle(self, *args: object, pulse_fd: int | None, pulse_every: float, **options: object) -> None:
        try:
            run_worker(out=self.stdout, pulse_fd=pulse_fd, pulse_every_s=pulse_every)
        except ClusterDiedError as error:
            raise CommandError(str(error)) from error
