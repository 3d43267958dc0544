from __future__ import annotations

import os

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from loom.processes.folders import FolderReadOnlyError, check_static_files
from loom.processes.plan import Plan
from loom.processes.start_all import address, become_bare, share_requests, web_count, web_specs
from loom.processes.web_command import web_command


class Command(LoomCommand):
    help = (
        "Run web processes as in production, until SIGTERM: one, or as many as WEB_PROCESSES says, behind one port. It "
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
        os.environ |= production
        count = web_count(is_production=False)
        if count > 1:
            share_requests(count)
            said = [f"Loom is ready: {address(host, port)}"]
            become_bare(Plan(first=[], servers=web_specs(count, (host, port)), step=None, said=said))
        command = web_command(host, port, server=settings.LOOM_SERVER)
        # In this process's place, so that a signal reaches the server itself.
        os.execv(command[0], command)  # noqa: S606 -- our own interpreter
