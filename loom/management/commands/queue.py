from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from loom.cli.terminal import add_connection_arguments, connected, on_a_line, text_typed
from loom_client import Client, Queue


class Command(LoomCommand):
    help = (
        "Show the prompts that wait in a session of the running Loom, after adding, changing, moving or removing one, "
        "or letting go what a stop has held."
    )
    examples = (
        "travel_concierge SESSION",
        'travel_concierge SESSION --add "And on Monday?"',
        "travel_concierge SESSION --move 12 1",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agent", metavar="AGENT", help="its id, name or ARN")
        parser.add_argument("session", metavar="SESSION", help="the runtime session id")
        change = parser.add_mutually_exclusive_group()
        change.add_argument("--add", metavar="PROMPT", help="put this prompt behind the others")
        change.add_argument("--edit", nargs=2, metavar=("ID", "PROMPT"), help="give a prompt another text")
        change.add_argument("--move", nargs=2, type=int, metavar=("ID", "PLACE"), help="send it at this place, from 1")
        change.add_argument("--remove", type=int, metavar="ID", help="take one back")
        change.add_argument("--clear", action="store_true", help="take back all")
        change.add_argument("--send", action="store_true", help="send what a stop has held")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with connected(email=options["user"], url=options["url"], name="manage.py queue") as client:
            agent, session = client.find_agent(options["agent"]).id, options["session"]
            if note := _change(client, agent, session, options):
                self.stderr.write(note)
            queue = client.queue(agent, session)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(queue)))
            return
        for line in _lines(queue):
            self.stdout.write(line)


def _change(client: Client, agent: int, session: str, options: dict[str, Any]) -> str:
    """Do what was asked, and return what there is to say about it."""
    if options["add"] is not None:
        added = client.add_queued(agent, session, text_typed(options["add"], "prompt"))
        return f"Sent at once: run {added.invocation}." if added.queued is None else ""
    if options["edit"]:
        key, text = options["edit"]
        if not key.isdecimal():
            raise CommandError("--edit takes the id of a prompt, a number, and its text.")
        client.change_queued(agent, session, int(key), prompt=text_typed(text, "prompt"))
    elif options["move"]:
        key, place = options["move"]
        client.change_queued(agent, session, key, position=place)
    elif options["remove"] is not None:
        client.remove_queued(agent, session, options["remove"])
    elif options["clear"]:
        count = client.clear_queue(agent, session)
        return f"Removed {count}."
    elif options["send"]:
        number = client.send_queued(agent, session)
        return f"Sent: run {number}." if number is not None else "Nothing had to be sent now."
    return ""


def _lines(queue: Queue) -> list[str]:
    if not queue.items:
        return ["Nothing waits."]
    head = ["Held: the answer was stopped. --send lets them go."] if queue.is_held else []
    return head + [
        f"{item.position}. [{item.id}] {on_a_line(item.prompt or json.dumps(item.payload))}" for item in queue.items
    ]
