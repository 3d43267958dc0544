from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from apps.core.text.escapes import shown_in_terminal
from loom.cli.terminal import add_connection_arguments, connected
from loom_client import ApiError, Client, KeptSession

HOW: Mapping[str, Callable[[Client, str], KeptSession | None]] = {
    "pin": Client.pin_session,
    "unpin": Client.unpin_session,
    "archive": Client.archive_session,
    "revive": Client.revive_session,
    "delete": Client.delete_session,
    "restore": Client.restore_session,
}
DONE = {
    "pin": "pinned",
    "unpin": "pinned no more",
    "archive": "archived",
    "revive": "back in the lists",
    "delete": "deleted; for an hour `restore` brings it back",
    "restore": "there again",
}


class Command(LoomCommand):
    help = (
        "Pin, archive or delete sessions of the running Loom, or take that back. "
        "Exit status: 0 all were done, 1 one was not."
    )
    examples = (
        "archive 3f2a9c1e-8b7d-4c2f-9a10-5d6e7f8090a1",
        "delete 3f2a9c1e-8b7d-4c2f-9a10-5d6e7f8090a1 7c1d2e3f-4a5b-4c6d-8e7f-8091a2b3c4d5",
        "restore 3f2a9c1e-8b7d-4c2f-9a10-5d6e7f8090a1",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("how", choices=list(HOW))
        parser.add_argument("sessions", nargs="+", metavar="ID", help="the id in the address of its page")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        how, refused = options["how"], 0
        with connected(
            email=options["user"], url=options["url"], name="manage.py keep_session", scope="manage"
        ) as client:
            for key in options["sessions"]:
                try:
                    HOW[how](client, key)
                except ApiError as error:
                    refused += 1
                    self.stderr.write(shown_in_terminal(f"{key}: {error}"))
                else:
                    self.stdout.write(shown_in_terminal(f"{key}: {DONE[how]}"))
        if refused:
            raise CommandError(f"{refused} of {len(options['sessions'])} were not done.", returncode=1)
