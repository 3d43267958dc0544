from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.accounts.selectors import user_of_command
from apps.accounts.services import create_token
from apps.accounts.tokens import SCOPES
from apps.core.commands import LoomCommand
from apps.core.exceptions import LoomError

DEFAULT_DAYS = 90


class Command(LoomCommand):
    help = (
        "Make a token for the API and write it once; Loom stores only its digest. "
        "The token alone goes to standard output, so that it can be put into a variable."
    )
    examples = (
        '--scope invoke --days 30 --name "nightly check"',
        "--user ada@example.com",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", metavar="EMAIL", help="whose token; needed unless there is one superuser")
        parser.add_argument("--scope", choices=SCOPES, default="read", help="each includes those before it")
        parser.add_argument("--days", type=int, default=DEFAULT_DAYS, help="how long it is good (default: %(default)s)")
        parser.add_argument("--name", default="", help="what it is used for")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = user_of_command(options["user"])
            token, secret = create_token(
                user=user, scope=options["scope"], life=timedelta(days=options["days"]), name=options["name"]
            )
        except LoomError as error:
            raise CommandError(error.text()) from error
        self.stderr.write(
            f"This token of {user} may {token.scope} until {token.expires_at:%Y-%m-%d}. It is not shown again."
        )
        self.stdout.write(secret)
