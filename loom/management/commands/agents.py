from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from apps.core.templatetags.loom import NOTHING, duration
from apps.core.text.escapes import shown_in_terminal
from loom.cli.terminal import add_connection_arguments, connected, text_typed
from loom_client import Agent

ORDERS = ("name", "status", "place", "active", "registered", "archived", "runs", "errors", "ttft_cold", "ttft_warm",
          "startup", "cost")  # fmt: skip
KINDS = ("agentcore", "local", "coder", "external", "workflow")
PASSED_ON = ("kind", "status", "tag", "owner", "region", "account", "sort", "limit", "offset")
NAME_WIDTH = 28


class Command(LoomCommand):
    help = (
        "Find agents of the running Loom, those used last first, one a line, with what their runs of the last seven "
        "days came to: runs, error rate, time to first token (the median of cold and of warm starts, or from the "
        "lowest to the highest of fewer than six). Exit status: 0 some were found, 1 none."
    )
    examples = (
        "--sort=-errors --limit 10",
        "travel --tag school --favourite",
        "--region eu-central-1 --status READY --json",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("text", nargs="?", default="", metavar="WORDS", help="of the name, description or ARN")
        parser.add_argument("--kind", choices=KINDS)
        parser.add_argument("--status", help="as AWS says it: READY")
        parser.add_argument("--tag")
        parser.add_argument("--owner", type=int, metavar="ID", help="of an account; 0 for those of nobody")
        parser.add_argument("--region")
        parser.add_argument("--account")
        parser.add_argument("--agent-version", dest="version_asked", metavar="VERSION")
        parser.add_argument("--favourite", action="store_true", help="those alone that you have given a star")
        parser.add_argument("--archived", action="store_true", help="the archived ones in the place of the others")
        orders = [*ORDERS, *(f"-{order}" for order in ORDERS)]
        parser.add_argument("--sort", choices=orders, default="-active", help="the highest first with -: --sort=-cost")
        parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many")
        parser.add_argument("--offset", type=int, default=0, metavar="N", help="without the first so many")
        parser.add_argument("--json", action="store_true", help="the answer of the API instead of lines")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        query: dict[str, Any] = {name: options[name] for name in PASSED_ON}
        query |= {"version": options["version_asked"], "state": "archived" if options["archived"] else None}
        query |= {"favourite": "true"} if options["favourite"] else {}
        words = {name: text_typed(value, name) for name, value in query.items() if isinstance(value, str)}
        with connected(email=options["user"], url=options["url"], name="manage.py agents") as client:
            found = client.agents(text_typed(options["text"], "text"), **{**query, **words})
        if options["json"]:
            self.stdout.write(json.dumps([asdict(agent) for agent in found]))
        for agent in [] if options["json"] else found:
            self.stdout.write(_line(agent))
        if not found:
            raise CommandError("No agent was found.", returncode=1)


def _line(agent: Agent) -> str:
    star = "*" if agent.is_favourite else " "
    used = f"{agent.last_invoked_at[:16]}Z" if agent.last_invoked_at else "never"
    tags = f"  [{', '.join(agent.tags)}]" if agent.tags else ""
    head = f"{agent.id:>5} {star} {agent.name:<{NAME_WIDTH}}  {agent.status:<10}  {used:<17}"
    return shown_in_terminal(f"{head}  {_week(agent.week)}{tags}").rstrip()


def _week(week: Mapping[str, Any] | None) -> str:
    if week is None:
        return "no runs in 7 days"
    rate = NOTHING if week["error_rate"] is None else f"{week['error_rate']:.1%}"
    cold, warm = _latency(week["ttft_cold"]), _latency(week["ttft_warm"])
    return f"{week['runs']:>6,} runs  {rate:>6} of {week['finished']:,} failed  TTFT cold {cold}  warm {warm}"


def _latency(told: Mapping[str, Any]) -> str:
    if not told["n"]:
        return NOTHING
    if told["p50"] is not None:
        return f"{duration(told['p50'])} (n = {told['n']:,})"
    ends = [duration(told["min"]), duration(told["max"])]
    return f"{' – '.join(ends if told['n'] > 1 else ends[:1])} (n = {told['n']:,})"
