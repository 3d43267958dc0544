from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from loom.cli.comparing import describe
from loom.cli.terminal import add_connection_arguments, connected

LEAST, MOST = 2, 6


class Command(LoomCommand):
    help = (
        "Compare two to six targets over their past runs: latency cold and warm apart and error rate, each with its n "
        "and 95 % interval, and how the others differ from the first. Exit status: 0 they were compared, 1 they could "
        "not be."
    )
    examples = (
        "travel_concierge:DEFAULT:3 travel_concierge:DEFAULT:4",
        "travel_concierge code_tutor --metric total --range 7d --json",
        "12:canary:* 12:DEFAULT:*@2026-11-01T00:00/2026-11-08T00:00",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "targets", nargs="+", metavar="AGENT[:ENDPOINT[:VERSION]]",
            help="an agent's id or name, an endpoint, a version; * or nothing for all; @FROM/TO for a time of its own",
        )  # fmt: skip
        parser.add_argument("--metric", choices=("ttft", "startup", "total"), default="ttft", help="(default: ttft)")
        parser.add_argument("--range", choices=("15m", "1h", "24h", "7d", "30d"), help="until now (default: 30d)")
        parser.add_argument("--from", dest="since", metavar="TIME", help="an instant in UTC, in place of a range")
        parser.add_argument("--to", dest="until", metavar="TIME", help="before this instant (default: now)")
        parser.add_argument("--measure-start", choices=("shown", "only"), help="runs of Measure start too, or only")
        parser.add_argument("--json", action="store_true", help="the answer of the API instead of lines")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if not LEAST <= len(options["targets"]) <= MOST:
            raise CommandError(f"{LEAST} to {MOST} targets can be compared.", returncode=1)
        query = {name: options[name] for name in ("metric", "range", "measure_start")}
        query |= {"from": options["since"], "to": options["until"]}
        with connected(email=options["user"], url=options["url"], name="manage.py compare_targets") as client:
            found = client.compare_targets(options["targets"], **query)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found)))
            return
        for line in describe(found):
            self.stdout.write(line)
