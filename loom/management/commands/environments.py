from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from apps.core.text.escapes import shown_in_terminal
from loom.cli.terminal import add_connection_arguments, connected
from loom_client import ApiError, Client, Environment

MOST = 200  # what the API lists at once


class Command(LoomCommand):
    help = (
        "Show what AgentCore keeps for the sessions that Loom opened, the last used first, one a line; or end some of "
        "them. Exit status: 0 some were found or all were ended, 1 none or not all."
    )
    examples = ("", "--agent travel_concierge --state all", "--end 3f2a9c1e-8b7d-4c2f-9a10-5d6e7f8090a1", "--end-all")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--state", choices=("warm", "idle", "ended", "all"), help="which ones (default: open ones)")
        parser.add_argument("--agent", help="its id, name or ARN")
        parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many, up to 200")
        parser.add_argument("--end", nargs="+", metavar="ID", help="end those of these sessions, by their public ids")
        parser.add_argument("--end-all", action="store_true", help="end all that would be shown and are warm or idle")
        parser.add_argument("--json", action="store_true", help="the answer of the API instead of lines")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with connected(email=options["user"], url=options["url"], name="manage.py environments") as client:
            agent = client.find_agent(options["agent"]).id if options["agent"] else None
            limit = MOST if options["end"] else options["limit"]
            found = client.environments(state=options["state"], agent=agent, limit=limit)
            if options["end"] or options["end_all"]:
                self._end(client, found, options["end"])
                return
        if options["json"]:
            self.stdout.write(json.dumps([asdict(one) for one in found]))
        else:
            for one in found:
                self.stdout.write(shown_in_terminal(_line(one)))
        if not found:
            raise CommandError("There is none.", returncode=1)

    def _end(self, client: Client, found: list[Environment], keys: list[str] | None) -> None:
        """End those of these sessions, or all that are open."""
        by_key = {one.session_public_id: one for one in found if one.state != "ended"}
        wanted = list(by_key) if keys is None else keys
        refused = 0
        for key in wanted:
            one = by_key.get(key)
            try:
                if one is None:
                    raise CommandError("it has no environment that could be ended")
                client.end(one.agent_id, one.session_id)
            except (ApiError, CommandError) as error:
                refused += 1
                self.stderr.write(shown_in_terminal(f"{key}: {error}"))
            else:
                self.stdout.write(shown_in_terminal(f"{key}: AWS accepted its end; its next run shows whether it is"))
        if refused or not wanted:
            raise CommandError(f"{refused} of {len(wanted)} were not ended.", returncode=1)


def _line(one: Environment) -> str:
    until = f"until {one.expires_at[:19]}Z" if one.expires_at else one.reason
    cost = "–" if one.cost_usd is None else f"up to ${one.cost_usd:.6f}"
    proof = f"  end {one.end['proof']}" if one.end else ""
    return f"{one.session_public_id}  {one.state:<5}  {until:<26}  {cost:<18}  {one.agent_name}  {one.title}{proof}"
