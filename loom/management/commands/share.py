from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from apps.core.commands import LoomCommand
from loom.cli.terminal import add_connection_arguments, connected, on_a_line
from loom_client import SharedLink

NOTE = "Whoever has this address reads the session until then, signed in or not. It is not shown again."


class Command(LoomCommand):
    help = (
        "List the links by which a session is read without signing in, or make or revoke one. The address of a new "
        "link alone goes to standard output."
    )
    examples = (
        "travel_concierge SESSION",
        "travel_concierge SESSION --make --days 14",
        "travel_concierge SESSION --revoke 12",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agent", metavar="AGENT", help="its id, name or ARN")
        parser.add_argument("session", metavar="SESSION", help="the runtime session id")
        change = parser.add_mutually_exclusive_group()
        change.add_argument("--make", action="store_true", help="make a link")
        change.add_argument("--revoke", type=int, metavar="ID", help="refuse a link from now on")
        parser.add_argument("--days", type=int, default=7, metavar="N", help="how long a new one is good, 1 to 90")
        parser.add_argument("--json", action="store_true", help="JSON instead of lines")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with connected(email=options["user"], url=options["url"], name="manage.py share", scope="manage") as client:
            agent, session = client.find_agent(options["agent"]).id, options["session"]
            if options["make"]:
                made = client.share(agent, session, options["days"])
                self.stdout.write(json.dumps(asdict(made)) if options["json"] else made.url)
                if not options["json"]:
                    self.stderr.write(f"[{made.id}] until {made.expires_at[:19]}Z. {NOTE}")
                return
            if options["revoke"] is not None:
                client.revoke_link(agent, session, options["revoke"])
            links = client.links(agent, session)
        if options["json"]:
            self.stdout.write(json.dumps([asdict(link) for link in links]))
            return
        for link in links:
            self.stdout.write(_line(link))
        if not links:
            self.stdout.write("The session is shared with nobody.")


def _line(link: SharedLink) -> str:
    ends = f"revoked {link.revoked_at[:19]}Z" if link.revoked_at else f"until {link.expires_at[:19]}Z"
    opened = f"last opened {link.last_opened_at[:19]}Z" if link.last_opened_at else "never opened"
    return f"[{link.id}] {link.begins_with}…  {ends}  {opened}  by {on_a_line(link.made_by)}"
