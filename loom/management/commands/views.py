from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from apps.core.commands import LoomCommand
from loom.cli.terminal import add_connection_arguments, connected, on_a_line, text_typed


class Command(LoomCommand):
    help = (
        "List your saved views of the list of runs, after saving or removing one. A view keeps what is asked for in "
        "the address of the list under a name."
    )
    examples = ("", '--save "Failed tables" "status=failed&q=rate+table"', "--remove 12")

    def add_arguments(self, parser: CommandParser) -> None:
        change = parser.add_mutually_exclusive_group()
        change.add_argument(
            "--save", nargs=2, metavar=("NAME", "QUERY"), help="as in the address of the list; one of this name goes"
        )
        change.add_argument("--remove", type=int, metavar="ID", help="no run is touched")
        parser.add_argument("--json", action="store_true", help="one JSON list instead of lines")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with connected(email=options["user"], url=options["url"], name="manage.py views") as client:
            if options["save"]:
                name, query = (text_typed(given, "view") for given in options["save"])
                client.save_view(name, query)
            elif options["remove"] is not None:
                client.remove_view(options["remove"])
            views, base = client.views(), client.url
        if options["json"]:
            self.stdout.write(json.dumps([asdict(view) for view in views]))
            return
        for view in views:
            self.stdout.write(f"[{view.id}] {on_a_line(view.name)}  {on_a_line(base + view.url, 200)}")
        if not views:
            self.stdout.write("No view is saved.")
