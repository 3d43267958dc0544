from __future__ import annotations

import json
from argparse import ArgumentTypeError
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from loom.cli.prompt_sets import describe, failure, find_set, run, write_junit
from loom.cli.terminal import FAILED, add_connection_arguments, connected


def share(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise ArgumentTypeError("a share is between 0 and 1, such as 0.9")
    return found


class Command(LoomCommand):
    help = (
        "Send every prompt of a prompt set to one to four targets through the running Loom, and say how many of the "
        "answers pass their checks. Exit status: 0 every target reached the share, 1 one did not or the runs could not "
        "all be made, 130 it was cancelled by Ctrl-C."
    )
    examples = (
        "Trips --target travel_concierge --fail-under 0.9 --junit build/trips.xml",
        "Trips --target travel_concierge:DEFAULT --target travel_concierge:canary --repeats 3",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prompt_set", metavar="NAME", help="the set's name or id")
        parser.add_argument(
            "--target", action="append", required=True, metavar="AGENT[:ENDPOINT]", help="an agent's id, name or ARN"
        )
        parser.add_argument("--fail-under", type=share, default=1.0, metavar="SHARE", help="(default: 1, all of them)")
        parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML there")
        parser.add_argument("--repeats", type=int, default=1, metavar="N", help="send each so often (default: 1)")
        parser.add_argument("--order", choices=["interleaved", "sequential", "random"], default="interleaved")
        parser.add_argument("--seed", type=int, metavar="N", help="of the random order (default: one is chosen)")
        parser.add_argument("--at-once", type=int, default=1, metavar="N", help="runs out at a time (default: 1)")
        parser.add_argument("--max-cost", metavar="USD", help="refuse runs whose estimate is higher (default: 1)")
        parser.add_argument("--json", action="store_true", help="one JSON object at the end instead of text")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        asked = {name: options[name] for name in ("repeats", "order", "seed", "at_once")}
        if options["max_cost"]:
            asked["max_cost_usd"] = options["max_cost"]
        with connected(email=options["user"], url=options["url"], name="manage.py run_prompt_set") as client:
            prompt_set = find_set(client, options["prompt_set"])
            plan = run(client, prompt_set, options["target"], self.stderr, **asked)
        if options["junit"] is not None:
            try:
                write_junit(plan, options["junit"])
            except OSError as error:
                raise CommandError(f"{options['junit']} cannot be written: {error.strerror}.") from error
        if options["json"]:
            self.stdout.write(json.dumps(asdict(plan)))
        else:
            for line in describe(plan):
                self.stdout.write(line)
        if reason := failure(plan, options["fail_under"]):
            raise CommandError(reason, returncode=FAILED)
