from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from apps.core.text.escapes import shown_in_terminal
from loom.cli.terminal import add_connection_arguments, connected
from loom_client import ColdStarts


class Command(LoomCommand):
    help = (
        "Show what goes with slow cold starts: artifact, platform, region, version, time of day, each against the rest "
        "with its 95 % interval. Exit status: 0 some were measured, 1 none."
    )
    examples = ("", "--agent travel_concierge --days 90", "--metric ttft --measure-start hidden --json")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agent", help="its id, name or ARN; all agents without it")
        parser.add_argument("--days", choices=("7", "30", "90"), default="30", help="how many (default: %(default)s)")
        parser.add_argument("--metric", choices=("startup", "ttft"), default="startup")
        parser.add_argument("--measure-start", choices=("shown", "hidden", "only"), default="shown")
        parser.add_argument("--json", action="store_true", help="the answer of the API instead of lines")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with connected(email=options["user"], url=options["url"], name="manage.py cold_starts") as client:
            agent = client.find_agent(options["agent"]).id if options["agent"] else None
            asked = {name: options[name] for name in ("days", "metric", "measure_start")}
            found = client.cold_starts(agent=agent, **asked)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found)))
        else:
            self._write(found)
        if not found.n:
            raise CommandError("No cold start was measured.", returncode=1)

    def _write(self, found: ColdStarts) -> None:
        self.stdout.write(f"n = {found.n}, p50 {_interval(found.p50)}; {found.left_out} left out")
        for factor in found.factors:
            for level in factor["levels"]:
                apart = level["difference"]
                told = f"{level['claim']} {_interval(apart)}" if apart else level["claim"]
                name = f"{factor['factor']} {level['value']}"
                self.stdout.write(shown_in_terminal(f"{name:<40}  n = {level['n']:<5}  {told}"))
        self.stdout.write(f"{found.comparisons} comparisons, each at 95 %")


def _interval(found: Any) -> str:
    if found is None:
        return "needs 6"
    return f"{found['value_ms']:,.0f} ms ({found['low_ms']:,.0f} … {found['high_ms']:,.0f})"
