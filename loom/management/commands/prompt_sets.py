from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from apps.metrics.prompt_sets.reading import MAX_BYTES, text_of_file
from loom.cli.prompt_sets import describe, find_set, plan_line, prompt_at, set_lines
from loom.cli.terminal import FAILED, add_connection_arguments, connected, on_a_line, text_typed
from loom_client import Client, PromptSet

STDIN = "-"


class Command(LoomCommand):
    help = (
        "List prompt sets, show one with its prompts, make it of a file or of past runs, change its prompts, delete "
        "it, and say what was found when it was run. `run_prompt_set` runs it."
    )
    examples = (
        "",
        "Trips --make trips.csv",
        "Trips --make-of 4711 4712",
        "Trips --add more.jsonl",
        'Trips --edit 2 "Three days in Bruges"',
        """Trips --checks 2 '[{"kind": "contains", "text": "Bruges"}]'""",
        "Trips --move 3 1",
        "Trips --results",
        "Trips --export jsonl >trips.jsonl",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prompt_set", nargs="?", metavar="NAME", help="its name or id; all sets without one")
        change = parser.add_mutually_exclusive_group()
        change.add_argument("--make", metavar="FILE", help="make it of a .csv or .jsonl file; - reads JSONL from input")
        change.add_argument("--make-of", type=int, nargs="+", metavar="RUN", help="make it of the prompts of past runs")
        change.add_argument("--add", metavar="FILE", help="add the prompts of a file at its end")
        change.add_argument("--add-of", type=int, nargs="+", metavar="RUN", help="add those of past runs")
        change.add_argument("--rename", metavar="NAME")
        change.add_argument("--edit", nargs=2, metavar=("N", "PROMPT"), help="give a prompt another text")
        change.add_argument("--checks", nargs=2, metavar=("N", "JSON"), help="give a prompt these checks")
        change.add_argument("--move", nargs=2, type=int, metavar=("N", "PLACE"), help="put a prompt at this place")
        change.add_argument("--remove", type=int, metavar="N", help="take a prompt out")
        change.add_argument("--delete", action="store_true", help="delete the set; what its runs found stays")
        change.add_argument("--results", nargs="?", type=int, const=0, metavar="PLAN",
                            help="what a plan found; without its id, which plans there were")  # fmt: skip
        change.add_argument("--export", choices=("jsonl", "csv"), help="the set as a file, to standard output")
        parser.add_argument("--json", action="store_true", help="JSON instead of lines")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with connected(email=options["user"], url=options["url"], name="manage.py prompt_sets") as client:
            if options["prompt_set"] is None:
                if any(options[name] not in (None, False) for name in CHANGES):
                    raise CommandError("Say the name of a set first.", returncode=FAILED)
                self._list(client, options)
            elif options["make"] is not None or options["make_of"]:
                name = text_typed(options["prompt_set"], "name")
                self._show(client.make_prompt_set(name, **_made_of(options["make"], options["make_of"])), options)
            else:
                self._one(client, find_set(client, options["prompt_set"]), options)

    def _list(self, client: Client, options: dict[str, Any]) -> None:
        sets = client.prompt_sets()
        if options["json"]:
            self.stdout.write(json.dumps([asdict(one) for one in sets]))
            return
        for one in sets:
            self.stdout.write(f"[{one.id}] {on_a_line(one.name)}  {one.prompt_count} prompts  {on_a_line(one.owner)}")
        if not sets:
            self.stdout.write("There is no prompt set.")

    def _one(self, client: Client, prompt_set: PromptSet, options: dict[str, Any]) -> None:
        if options["export"]:
            self.stdout.write(client.export_prompt_set(prompt_set.id, options["export"]).decode(), ending="")
        elif options["delete"]:
            client.delete_prompt_set(prompt_set.id)
            self.stdout.write(f"Deleted: {on_a_line(prompt_set.name)}.")
        elif options["results"] is not None:
            self._results(client, prompt_set, options)
        else:
            _change(client, prompt_set.id, options)
            self._show(client.prompt_set(prompt_set.id), options)

    def _show(self, prompt_set: PromptSet, options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps(asdict(prompt_set)))
            return
        for line in set_lines(prompt_set):
            self.stdout.write(line)

    def _results(self, client: Client, prompt_set: PromptSet, options: dict[str, Any]) -> None:
        if options["results"]:
            plan = client.plan(options["results"])
            if plan.prompt_set_id != prompt_set.id:
                raise CommandError(f"Plan {plan.id} is not one of this set.", returncode=FAILED)
            lines = [json.dumps(asdict(plan))] if options["json"] else list(describe(plan))
        else:
            plans = client.plans(prompt_set=prompt_set.id)
            found = json.dumps([asdict(plan) for plan in plans])
            lines = [found] if options["json"] else [plan_line(plan) for plan in plans] or ["It was not run yet."]
        for line in lines:
            self.stdout.write(line)


CHANGES = (
    "make", "make_of", "add", "add_of", "rename", "edit", "checks", "move", "remove", "delete", "results", "export",
)  # fmt: skip


def _change(client: Client, set_id: int, options: dict[str, Any]) -> None:
    """Do what was asked. A prompt is changed as it is when its number is looked up, and not what came there since."""
    if options["add"] is not None or options["add_of"]:
        client.add_prompts(set_id, **_made_of(options["add"], options["add_of"]))
    elif options["rename"] is not None:
        client.rename_prompt_set(set_id, text_typed(options["rename"], "name"))
    elif options["edit"] or options["checks"]:
        number, given = options["edit"] or options["checks"]
        text = text_typed(given, "prompt")
        change = {"prompt": text} if options["edit"] else {"checks": _checks(text)}
        prompt = prompt_at(client.prompt_set(set_id), number)
        client.change_prompt(set_id, prompt["id"], mark=prompt["mark"], **change)
    elif options["move"]:
        number, place = options["move"]
        client.change_prompt(set_id, prompt_at(client.prompt_set(set_id), number)["id"], position=place)
    elif options["remove"] is not None:
        prompt = prompt_at(client.prompt_set(set_id), options["remove"])
        client.remove_prompt(set_id, prompt["id"], prompt["mark"])


def _made_of(file: str | None, runs: list[int] | None) -> dict[str, Any]:
    """What a set is made of, in the words of the API."""
    if file is None:
        return {"run_ids": runs}
    try:
        content = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.", returncode=FAILED) from error
    text = text_of_file(content)
    if text is None:
        raise CommandError(f"{file} is not text in UTF-8, or has more than {MAX_BYTES:,} bytes.", returncode=FAILED)
    return {"text": text, "format": "csv" if file.lower().endswith(".csv") else "jsonl"}


def _checks(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise CommandError("--checks takes a JSON list, as in docs/prompt-sets.md.", returncode=FAILED) from None
