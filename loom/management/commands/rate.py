from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from apps.core.text.escapes import shown_in_terminal
from loom.cli.terminal import add_connection_arguments, connected, text_typed
from loom_client import RunRating


class Command(LoomCommand):
    help = (
        "Say what you think of the answer of a run, or read what you have said. What is given takes the place of what "
        "you thought before, the note as well."
    )
    examples = ("4711", '4711 down --note "Knows no region 7."', "4711 --remove")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=int, metavar="RUN", help="its id, as in the API")
        parser.add_argument("thumb", nargs="?", choices=("up", "down"), help="a good answer, or a bad one")
        parser.add_argument("--note", metavar="TEXT", help="up to 2,000 characters")
        parser.add_argument("--remove", action="store_true", help="take your rating back")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of a line")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        thumb, note, run = options["thumb"], options["note"], options["run"]
        if options["remove"] and (thumb or note is not None):
            raise CommandError("--remove takes a rating back: leave the others out.")
        with connected(email=options["user"], url=options["url"], name="manage.py rate") as client:
            if options["remove"]:
                client.remove_rating(run)
            if thumb or note is not None:
                rating = client.rate(run, thumb or "", text_typed(note or "", "note"))
            else:
                rating = client.rating(run)
        self.stdout.write(json.dumps(asdict(rating)) if options["json"] else _line(rating))


def _line(rating: RunRating) -> str:
    if rating.rated_at is None:
        return f"Run {rating.run_id} is not rated by you."
    thumb = {"up": "good answer", "down": "bad answer"}.get(rating.thumb, "a note")
    note = f": {shown_in_terminal(rating.note)}" if rating.note else ""
    return f"Run {rating.run_id}: {thumb}{note} ({rating.rated_at[:19]}Z)"
