from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from apps.core.commands import LoomCommand
from apps.core.text.escapes import shown_in_terminal
from loom.cli.terminal import add_connection_arguments, connected, in_words, on_a_line
from loom_client import ComparedRun, Comparison

VERDICTS = {"same": " ", "input": "≠", "first": "−", "second": "+"}


class Command(LoomCommand):
    help = (
        "Put two to six runs side by side: what each took, and what differs between two of them, in the text and in "
        "the tools they called. [−…−] is only in the first, {+…+} only in the second."
    )
    examples = ("4711 4712", "4711 4712 4715 --pair 1 3", "4711 4712 --json")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("runs", type=int, nargs="+", metavar="RUN", help="the ids of two to six runs")
        parser.add_argument(
            "--pair", type=int, nargs=2, default=(1, 2), metavar=("FIRST", "SECOND"),
            help="which two of them are compared, from 1 (default: 1 2)",
        )  # fmt: skip
        parser.add_argument("--json", action="store_true", help="the answer of the API instead of lines")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with connected(email=options["user"], url=options["url"], name="manage.py compare") as client:
            found = client.compare(options["runs"], *options["pair"])
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found)))
            return
        for run in found.runs:
            self.stdout.write(_line(run))
        for line in _differences(found):
            self.stdout.write(line)


def _line(run: ComparedRun) -> str:
    tokens = f"{_count(run.input_tokens)} in, {_count(run.output_tokens)} out"
    cost = "–" if run.cost_usd is None else f"{'≤ ' if run.cost_source == 'estimate' else ''}${run.cost_usd:.6f}"
    place = on_a_line(f"{run.agent_name}:{run.qualifier}{f' v{run.version}' if run.version else ''}")
    figures = f"TTFT {in_words(run.time_to_first_token_ms)} · total {in_words(run.total_latency_ms)}"
    return f"{run.position}. run {run.run_id}  {place}  {run.status}  {figures} · tokens {tokens} · cost {cost}"


def _count(tokens: int | None) -> str:
    return "–" if tokens is None else f"{tokens:,}"


def _differences(found: Comparison) -> Iterator[str]:
    yield f"--- {found.first} and {found.second}"
    if found.text is None:
        yield shown_in_terminal(found.obstacle)
        return
    yield shown_in_terminal("".join(_piece(piece) for piece in found.text["pieces"]))
    if found.text["is_cut"]:
        yield "(only the beginnings of the answers are compared)"
    for pair in (found.tools or {"pairs": []})["pairs"]:
        calls = [call for call in (pair["first"], pair["second"]) if call is not None]
        inputs = "  |  ".join(dict.fromkeys(on_a_line(call["input"], 60) for call in calls))
        yield f"{VERDICTS[pair['verdict']]} {on_a_line(calls[0]['name'])} {inputs}".rstrip()


def _piece(piece: dict[str, str]) -> str:
    return {"removed": "[−{}−]", "added": "{{+{}+}}"}.get(piece["kind"], "{}").format(piece["text"])
