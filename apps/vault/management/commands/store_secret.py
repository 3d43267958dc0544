from __future__ import annotations

import getpass
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.accounts.selectors import user_of_command
from apps.core.commands import LoomCommand
from apps.core.exceptions import LoomError
from apps.vault.selectors import secrets_visible_to
from apps.vault.services import replace_secret, store_secret


class Command(LoomCommand):
    help = (
        "Store a value under a name, or replace the value that it has. The value is read from standard input or asked "
        "for, never taken from the command line, where others could see it; it is not shown again."
    )
    examples = ("webhook-key", "webhook-key --user ada@example.com")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--user", metavar="EMAIL", help="whose secret; needed unless there is one superuser")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = user_of_command(options["user"])
            value = getpass.getpass("Value: ") if sys.stdin.isatty() else sys.stdin.read().strip()
            secret = secrets_visible_to(user).filter(name=options["name"]).first()
            if secret is None:
                store_secret(owner=user, name=options["name"], value=value)
            else:
                replace_secret(secret=secret, value=value)
        except LoomError as error:
            raise CommandError(error.text()) from error
        self.stdout.write(f"{options['name']} {'stored' if secret is None else 'replaced'}")
