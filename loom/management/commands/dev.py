from __future__ import annotations

import signal

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from loom.processes.folders import FolderReadOnlyError
from loom.processes.parent_death import end_with_parent
from loom.processes.start_all import DatabaseTakenError, PortTakenError, start_all
from loom.processes.supervisor import StartFailedError


class Command(LoomCommand):
    help = "Run everything for development: database, demo, emulator, web server and worker, until Ctrl-C."
    examples = ("",)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--parent", type=int, metavar="PID", help="end when this process ends, which has started it"
        )

        parser.add_argument(
            "--reload", action="store_true", help="start the web server and the worker again when Python files change"
        )

    def handle(self, *args: object, parent: int | None = None, reload: bool = False, **options: object) -> None:
        if parent is not None:
            end_with_parent(parent, signal.SIGTERM)
        try:
            start_all(self.stdout, is_production=False, reloads=reload)
        except (DatabaseTakenError, FolderReadOnlyError, PortTakenError, StartFailedError) as error:
            raise CommandError(str(error)) from error
