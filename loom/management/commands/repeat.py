from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from apps.core.text.escapes import shown_in_terminal
from loom.cli.terminal import FAILED, STOPPED, add_connection_arguments, connected, text_typed, write_answer
from loom.cli.writing import Raw, Silence
from loom.processes.output import Output
from loom_client import Client


class Command(LoomCommand):
    help = (
        "Send the prompt of a run again through the running Loom and write the answer as it arrives. Ctrl-C stops it. "
        "Exit status: 0 it answered, 1 it failed, 130 it was stopped."
    )
    examples = (
        "4711",
        "4711 --fresh --qualifier canary",
        '4711 --prompt "The same, by train" --earlier',
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=int, metavar="RUN", help="its id, as in the API")
        parser.add_argument("--fresh", action="store_true", help="in a new session, which remembers nothing")
        parser.add_argument("--agent", metavar="AGENT", help="on another agent, by id, name or ARN; in a new session")
        parser.add_argument("--qualifier", help="on another endpoint, by its name; in a new session")
        parser.add_argument("--prompt", metavar="TEXT", help="this prompt in its place; in a new session")
        parser.add_argument(
            "--earlier", action="store_true", help="with --prompt: first the prompts before it; their tools run again"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object at the end instead of text")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["earlier"] and options["prompt"] is None:
            raise CommandError("--earlier goes with --prompt.")
        with connected(email=options["user"], url=options["url"], name="manage.py repeat") as client:
            self._repeat(client, options)

    def _repeat(self, client: Client, options: dict[str, Any]) -> None:
        where: dict[str, Any] = {"is_fresh": options["fresh"], "has_earlier": options["earlier"]}
        if options["agent"]:
            where["agent_id"] = client.find_agent(options["agent"]).id
        if options["qualifier"]:
            where["qualifier"] = options["qualifier"]
        if options["prompt"] is not None:
            where["prompt"] = text_typed(options["prompt"], "prompt")
        repeated = client.repeat(options["run"], **where)
        output: Output = Silence() if options["json"] else Raw(self.stdout)
        notes: Output = Silence() if options["json"] else Raw(self.stderr)
        run = client.follow(repeated.agent_id, repeated.session_id, repeated.invocation)
        run, was_stopped = write_answer(client, run, output, notes)
        if options["json"]:
            found = {**asdict(repeated), "response": run.text, "error": run.error}
            self.stdout.write(json.dumps(found))
        else:
            more = f", and {repeated.waiting_count} more follow in this session" if repeated.waiting_count else ""
            place = f"{repeated.qualifier} · session {repeated.session_id} · run {repeated.invocation}"
            self.stderr.write(shown_in_terminal(f"{place} (id {repeated.id}){more}"))
        if was_stopped:
            sys.exit(STOPPED)
        if run.error is not None:
            sys.exit(FAILED)
