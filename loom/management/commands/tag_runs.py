from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from apps.core.commands import LoomCommand
from apps.core.text.escapes import shown_in_terminal
from loom.cli.terminal import add_connection_arguments, connected, text_typed


class Command(LoomCommand):
    help = (
        "Give runs a tag by which the list of runs finds them, or take it away. Where one of the runs is not there, or "
        "has no room for another tag, none is tagged."
    )
    examples = ("school 4711 4712", "school 4711 --remove")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tag", metavar="TAG")
        parser.add_argument("runs", type=int, nargs="+", metavar="RUN", help="the ids of up to 200 runs")
        parser.add_argument("--remove", action="store_true", help="take the tag away")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        tag = text_typed(options["tag"], "tag")
        with connected(email=options["user"], url=options["url"], name="manage.py tag_runs") as client:
            if options["remove"]:
                count = client.untag_runs(options["runs"], tag)
                self.stdout.write(f"{shown_in_terminal(tag)} is taken from {_runs(count)}.")
            else:
                name = client.tag_runs(options["runs"], tag)
                count = len(set(options["runs"]))
                self.stdout.write(f"{_runs(count)} {'is' if count == 1 else 'are'} tagged {shown_in_terminal(name)}.")


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
