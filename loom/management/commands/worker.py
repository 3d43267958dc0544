from __future__ import annotations

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from loom.processes.cluster_watch import ClusterFrozenError
from loom.processes.worker import ClusterDiedError, WorkerTimes, run_worker

DEFAULTS = WorkerTimes()


class Command(LoomCommand):
    help = "Run queued tasks and what is due every few seconds, until SIGTERM."
    examples = (
        "",
        "--frozen-after 120",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--pulse-fd", type=int, help="a pipe that gets a byte every second while all is well")
        parser.add_argument(
            "--pulse-every",
            type=float,
            default=DEFAULTS.pulse_every,
            help="seconds between tasks that only prove that the cluster works",
        )
        parser.add_argument(
            "--frozen-after",
            type=float,
            default=DEFAULTS.frozen_after,
            help="seconds without a finished task, though one could be, after which the worker ends itself",
        )
        parser.add_argument(
            "--retry-after",
            type=float,
            default=DEFAULTS.retry_after,
            help="seconds after which a task whose process died is handed out again; longer than the longest task",
        )

    def handle(
        self,
        *args: object,
        pulse_fd: int | None,
        pulse_every: float,
        frozen_after: float,
        retry_after: float,
        **options: object,
    ) -> None:
        times = WorkerTimes(pulse_every=pulse_every, frozen_after=frozen_after, retry_after=retry_after)
        try:
            run_worker(out=self.stdout, pulse_fd=pulse_fd, times=times)
        except (ClusterDiedError, ClusterFrozenError) as error:
            raise CommandError(str(error)) from error
