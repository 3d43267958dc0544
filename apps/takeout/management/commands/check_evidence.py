from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from apps.core.exceptions import LoomError
from apps.takeout.evidence.checking import check_evidence

STDIN = "-"


class Command(LoomCommand):
    help = (
        "Check evidence of a run that was taken out of a Loom: whether it is as it was made, whether this Loom signed "
        "it, and its figures computed again. Exit status: 0 it is and it did, 1 otherwise."
    )
    examples = ("evidence.json", "- <evidence.json")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help=f"{STDIN} reads standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["file"]
        try:
            data = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        except OSError as error:
            raise CommandError(f"{name} cannot be read: {error.strerror}.") from error
        try:
            verdict = check_evidence(data)
        except LoomError as error:
            raise CommandError(error.text()) from error
        self.stdout.write(json.dumps(asdict(verdict), indent=1))
        if not (verdict.is_intact and verdict.is_signed_here):
            sys.exit(1)
