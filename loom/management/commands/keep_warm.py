from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from loom.cli.terminal import add_connection_arguments, connected
from loom_client import KeepWarm

ASKED = ("days", "ping_minutes", "from_hour", "to_hour", "keep_hours", "idle_minutes")


class Command(LoomCommand):
    help = (
        "Foretell what pings or another idle timeout would save and cost, from an agent's own runs. Nothing is sent. "
        "Exit status: 0 it was foretold, 1 there are too few runs."
    )
    examples = ("travel_concierge --ping-minutes 10 --from-hour 7 --to-hour 19", "travel_concierge --idle-minutes 30")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agent", help="its id, name or ARN")
        parser.add_argument("--days", choices=("7", "14", "30", "90"), default="30", help="whose runs are replayed")
        parser.add_argument("--ping-minutes", type=int, metavar="N", help="ping every N minutes (default: never)")
        parser.add_argument("--from-hour", type=int, default=0, metavar="H", help="of UTC (default: %(default)s)")
        parser.add_argument("--to-hour", type=int, default=24, metavar="H", help="of UTC (default: %(default)s)")
        parser.add_argument("--keep-hours", type=int, default=2, metavar="N", help="after a session's last prompt")
        parser.add_argument("--idle-minutes", type=int, metavar="N", help="another idle timeout")
        parser.add_argument("--json", action="store_true", help="the answer of the API instead of lines")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with connected(email=options["user"], url=options["url"], name="manage.py keep_warm") as client:
            agent = client.find_agent(options["agent"]).id
            found = client.keep_warm(agent, **{name: options[name] for name in ASKED})
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found)))
        elif found.is_enough:
            self._write(found)
        if not found.is_enough:
            raise CommandError(f"{found.runs} runs are too few to foretell anything.", returncode=1)

    def _write(self, found: KeepWarm) -> None:
        for name, one in (("as it is now", found.present), ("as asked", found.asked)):
            cold = one["cold"]
            self.stdout.write(
                f"{name:<13} {cold['share']:.1%} cold ({cold['low']:.1%} … {cold['high']:.1%}, n = {cold['n']}), "
                f"idle up to ${one['idle_usd']:.4f} and pings up to ${one['ping_usd']:.4f} a month"
            )
        saved = f", {found.saved_s:,.0f} s of waiting" if found.saved_s is not None else ""
        self.stdout.write(f"avoids {found.avoided:,.0f} cold starts a month{saved}; costs ${found.more_usd:+.4f}")
        if found.best_idle_timeout_ms is not None:
            self.stdout.write(f"best idle timeout without pings: {found.best_idle_timeout_ms // 60_000} min")
