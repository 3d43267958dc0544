from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.accounts.models import Token
from apps.accounts.services import revoke_token
from apps.accounts.tokens import PREFIX, SHOWN_LENGTH, digest
from apps.core.commands import LoomCommand


class Command(LoomCommand):
    help = "Refuse a token from now on. Without one, list those that are good."
    examples = (
        "",
        "loom_AbCdEfGh",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("token", nargs="?", help=f"the token, or its beginning ({PREFIX}…)")

    def handle(self, *args: Any, **options: Any) -> None:
        good = [token for token in Token.objects.select_related("user") if token.is_valid]
        text = options["token"]
        if text is None:
            for token in good:
                self.stdout.write(
                    f"{token.shown}…  {token.scope:<6}  until {token.expires_at:%Y-%m-%d}  {token.user}  {token.name}"
                )
            return
        if len(text) < SHOWN_LENGTH:
            raise CommandError(f"Give at least its first {SHOWN_LENGTH} characters.")
        found = [token for token in good if digest(text) == token.digest or text.rstrip("…") == token.shown]
        if not found:
            raise CommandError("No good token begins like this.")
        if len(found) > 1:
            raise CommandError("Several tokens begin like this. Give the whole token, or revoke it on the admin page.")
        revoke_token(token=found[0])
        self.stdout.write(f"{found[0].shown}… of {found[0].user} is refused from now on.")
