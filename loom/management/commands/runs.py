from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from apps.core.text.escapes import shown_in_terminal
from loom.cli.terminal import NotTextError, add_connection_arguments, connected, typed
from loom_client import ListedRun

STATUSES = ("running", "completed", "failed", "stopped", "interrupted")
SOURCES = ("manual", "api", "task", "demo", "prompt_set", "side_by_side", "bench")
FIGURES = ("ttft", "total", "tokens_in", "tokens_out", "cost")
ORDERS = ("-time", *FIGURES, *(f"-{figure}" for figure in FIGURES))
PASSED_ON = (
    "qualifier", "status", "rated", "error", "start", "source", "owner", "tag", "range", "measure_start", "sort",
    "limit", "after",
)  # fmt: skip
PROMPT_LENGTH = 100


class Command(LoomCommand):
    help = (
        "Find runs by words of their prompt, answer, tools, error or title, the newest first, one a line. "
        "Every word has to occur. Exit status: 0 some were found, 1 none."
    )
    examples = (
        '"rate table" --status failed',
        "--agent travel_concierge --limit 5 --json",
        "--tag school --range 7d --sort=-ttft",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("text", nargs="?", default="", metavar="WORDS", help="all runs without any")
        parser.add_argument("--agent", help="its id, name or ARN")
        parser.add_argument("--status", choices=STATUSES)
        parser.add_argument("--qualifier", help="the name of an endpoint")
        parser.add_argument("--agent-version", dest="version_asked", metavar="VERSION", help="the one that answered")
        parser.add_argument("--rated", choices=("up", "down", "note"))
        parser.add_argument("--error", metavar="CODE", help="of an error; any for each")
        parser.add_argument("--start", choices=("cold", "warm", "unknown"))
        parser.add_argument("--source", choices=SOURCES, help="what asked for it")
        parser.add_argument("--owner", type=int, metavar="ID", help="of an account, for staff")
        parser.add_argument("--tag", help="of the run or its session")
        parser.add_argument("--range", metavar="TIME", help="15m, 1h, 24h, 7d, 30d or two instants in UTC: FROM/TO")
        parser.add_argument("--measure-start", choices=("shown", "only"), help="runs of Measure start too, or only")
        parser.add_argument("--sort", choices=ORDERS, help="by a figure, the highest first with -: --sort=-ttft")
        parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many, up to 200")
        parser.add_argument("--after", metavar="PLACE", help="go on where an earlier list ended")
        parser.add_argument("--json", action="store_true", help="the answer of the API instead of lines")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            text = typed(options["text"])
        except NotTextError as error:
            raise CommandError("What to look for is not text in UTF-8.") from error
        with connected(email=options["user"], url=options["url"], name="manage.py runs") as client:
            agent = client.find_agent(options["agent"]).id if options["agent"] else None
            query = {name: options[name] for name in PASSED_ON} | {"version": options["version_asked"]}
            found = client.runs(text, agent=agent, **query)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found)))
        else:
            for run in found.items:
                self.stdout.write(_line(run))
            if found.next is not None:
                self.stderr.write(f"There may be more: --after {found.next}")
        if not found.items:
            raise CommandError("No run was found." if found.next is None else "None among the newest.", returncode=1)


def _line(run: ListedRun) -> str:
    prompt = " ".join(run.prompt.split())
    cut = f"{prompt[:PROMPT_LENGTH]}…" if len(prompt) > PROMPT_LENGTH else prompt
    place = f"{run.session_id} · run {run.number}"
    return shown_in_terminal(f"{run.started_at[:19]}Z  {run.status:<11}  {run.agent_name}  {cut}  ({place})")
