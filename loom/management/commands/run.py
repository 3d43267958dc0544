from __future__ import annotations

from django.core.management.base import CommandError

from apps.core.commands import LoomCommand
from loom.processes.folders import FolderReadOnlyError
from loom.processes.start_all import DatabaseTakenError, PortTakenError, start_all
from loom.processes.supervisor import StartFailedError


class Command(LoomCommand):
    help = "Run everything as in production: DEBUG off, sign-in on, until Ctrl-C."
    examples = ("",)

    def handle(self, *args: object, **options: object) -> None:
        try:
            start_all(self.stdout, is_production=True)
        except (DatabaseTakenError, FolderReadOnlyError, PortTakenError, StartFailedError) as error:
            raise CommandError(str(error)) from error
