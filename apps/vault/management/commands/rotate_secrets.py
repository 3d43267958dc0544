from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from apps.core.exceptions import LoomError
from apps.vault.encryption import new_key
from apps.vault.services import rotate_secrets


class Command(LoomCommand):
    help = (
        "Encrypt every stored secret with the first of SECRET_ENCRYPTION_KEYS. To change the key: put a new one before "
        "the old one, separated by a comma, restart Loom, run this, and remove the old one."
    )
    examples = ("--new-key", "")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--new-key", action="store_true", help="print a new key, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new_key"]:
            self.stdout.write(new_key())
            return
        try:
            count = rotate_secrets()
        except LoomError as error:
            raise CommandError(error.text()) from error
        self.stdout.write(f"{count} secrets encrypted with the first key")
