from __future__ import annotations

import os

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from loom.processes.folders import FolderReadOnlyError, check_static_files
from loom.processes.web_command import web_command


class Command(LoomCommand):
    help = (
        "Run one web process as in production, until SIGTERM: the first or a further one on the same database. It "
        "brings nothing up to date and starts no worker; see docs/operations.md."
    )
    examples = ("", "--port 8001")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.BACKEND_HOST, help="BACKEND_HOST of the settings")
        parser.add_argument("--port", type=int, default=settings.BACKEND_PORT, help="BACKEND_PORT of the settings")

    def handle(self, *args: object, host: str, port: int, **options: object) -> None:
        try:
            check_static_files()
        except FolderReadOnlyError as error:
            raise CommandError(str(error)) from error
        # The file that development made switches both on; whoever starts this means production.
        production = {"DEBUG": "0", "AUTH_DISABLED": "0", "BACKEND_HOST": host, "BACKEND_PORT": str(port)}
        command = web_command(host, port)
        # In this process's place, so that a signal reaches the server itself.
        os.execve(command[0], command, {**os.environ, **production})  # noqa: S606 -- our own interpreter
