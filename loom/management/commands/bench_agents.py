from __future__ import annotations

import json
from argparse import ArgumentTypeError
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from loom.cli.benches import describe, estimate_line, failure, follow, refused
from loom.cli.prompt_sets import find_target
from loom.cli.terminal import FAILED, add_connection_arguments, connected, on_a_line, text_typed
from loom_client import Client


def rungs(text: str) -> list[int]:
    """Whole numbers with commas between; whether they are a ladder says the API."""
    words = text.split(",")
    if not all(word.strip().isascii() and word.strip().isdecimal() and len(word) < 6 for word in words):
        raise ArgumentTypeError("whole numbers with commas between, such as 1,2,5")
    return [int(word) for word in words]


class Command(LoomCommand):
    help = (
        "Measure two targets against each other through the running Loom, and say whether the second takes longer. "
        "Without targets: the benches that there are; with --show what one of them has found. Exit status: 0 the bench "
        "was made to its end, 1 it was not, 2 with --fail-if-longer where the second takes longer, 130 it was "
        "cancelled by Ctrl-C."
    )
    examples = (
        'travel_concierge:DEFAULT travel_concierge:canary --prompt "Two days in Ghent"',
        'travel_concierge code_tutor --prompt "Hi" --start cold --rungs 1,5 --pairs 80 --max-cost 2 --fail-if-longer',
        'travel_concierge code_tutor --prompt "Hi" --estimate',
        "",
        "--show 12",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("targets", nargs="*", metavar="AGENT[:ENDPOINT]", help="two of them: an id, name or ARN")
        parser.add_argument("--prompt", metavar="TEXT", help="what both are sent")
        parser.add_argument("--metric", choices=["ttft", "total"], default="ttft", help="(default: ttft)")
        parser.add_argument("--start", choices=["warm", "cold"], default="warm", help="(default: warm)")
        parser.add_argument("--rungs", type=rungs, metavar="N,N…", help="runs at once, upwards (default: 1,2,5)")
        parser.add_argument("--pairs", type=int, metavar="N", help="of each rung, at most (default: 40)")
        parser.add_argument("--warm-up", type=int, metavar="N", help="runs of each before a rung (default: 2)")
        parser.add_argument("--whole", action="store_true", help="measure all pairs, whatever is found before")
        parser.add_argument("--seed", type=int, metavar="N", help="of the order (default: one is chosen)")
        parser.add_argument("--max-cost", metavar="USD", help="refuse what may cost more (default: 1)")
        parser.add_argument("--max-minutes", type=int, metavar="N", help="begin no run after so many (default: 120)")
        parser.add_argument("--fail-if-longer", action="store_true", help="exit with 2 where the second takes longer")
        parser.add_argument("--estimate", action="store_true", help="say what it would cost, and send nothing")
        parser.add_argument("--show", type=int, metavar="BENCH", help="what an earlier bench has found")
        parser.add_argument("--json", action="store_true", help="JSON instead of lines")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with connected(email=options["user"], url=options["url"], name="manage.py bench_agents") as client:
            if options["show"] is not None:
                bench = client.bench(options["show"])
                self._write([json.dumps(asdict(bench))] if options["json"] else list(describe(bench)))
            elif not options["targets"]:
                self._list(client, options)
            else:
                self._measure(client, options)

    def _write(self, lines: list[str]) -> None:
        for line in lines:
            self.stdout.write(line)

    def _list(self, client: Client, options: dict[str, Any]) -> None:
        found = client.benches()
        if options["json"]:
            self._write([json.dumps([asdict(one) for one in found])])
            return
        lines = [f"[{one.id}] {one.created_at[:19]}Z  {one.state:<9}  {on_a_line(one.name)}" for one in found]
        self._write(lines or ["There is no bench."])

    def _measure(self, client: Client, options: dict[str, Any]) -> None:
        if len(options["targets"]) != 2 or not options["prompt"]:
            raise CommandError("A bench has two targets and a --prompt.", returncode=FAILED)
        first, second = (find_target(client, text) for text in options["targets"])
        asked = (first, second, text_typed(options["prompt"], "prompt"))
        estimate = client.estimate_bench(*asked, **_options(options))
        if options["estimate"]:
            self._write([json.dumps(asdict(estimate)) if options["json"] else estimate_line(estimate)])
            return
        if estimate.is_too_much:
            raise refused(estimate)
        self.stderr.write(estimate_line(estimate))
        bench = follow(client, client.start_bench(*asked, **_options(options)), self.stderr)
        self._write([json.dumps(asdict(bench))] if options["json"] else list(describe(bench)))
        if reason := failure(bench):
            raise CommandError(reason, returncode=FAILED)
        looks = [rung["look"] for rung in bench.results if rung["look"] and rung["look"]["is_found"]]
        if options["fail_if_longer"] and any(look["difference"]["value_ms"] > 0 for look in looks):
            raise CommandError("The second target takes longer.", returncode=2)


def _options(options: dict[str, Any]) -> dict[str, Any]:
    """What of the command line goes to the API, as far as it was given."""
    given = {name: options[name] for name in ("metric", "start", "rungs", "pairs", "warm_up", "seed", "max_minutes")}
    given |= {"max_cost_usd": options["max_cost"], "stops_early": not options["whole"]}
    return {name: value for name, value in given.items() if value is not None}
