from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from loom.cli.measure_starts import measure_starts
from loom.cli.terminal import (
    FAILED,
    STARTUP_WAIT_S,
    STOPPED,
    NotTextError,
    add_connection_arguments,
    connected,
    describe_latency,
    typed,
    write_answer,
)
from loom.cli.writing import Raw, Silence
from loom.processes.output import Output
from loom_client import Agent, Client, Run

STDIN = "-"


class Command(LoomCommand):
    help = (
        "Invoke an agent through the running Loom and write its answer as it arrives, then its figures. Ctrl-C stops "
        "the run. Exit status: 0 it answered, 1 it failed, 130 it was stopped."
    )
    examples = (
        'travel_concierge "Two days in Ghent, by train"',
        'travel_concierge "Hello" --count 20 --new-session --end-session',
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agent", metavar="AGENT", help="its id, name or ARN")
        parser.add_argument("prompt", nargs="?", help=f"{STDIN} reads it from standard input")
        parser.add_argument("--qualifier", help="the endpoint's name (default: DEFAULT)")
        parser.add_argument("--session", metavar="ID", help="go on in this runtime session")
        parser.add_argument("--payload", metavar="FILE", help="JSON to send as it is, instead of the agent's template")
        parser.add_argument("--end-session", action="store_true", help="end the session when the answer is there")
        parser.add_argument("--no-wait", action="store_true", help="do not wait for the startup latency")
        parser.add_argument("--json", action="store_true", help="one JSON object at the end instead of text")
        series = parser.add_argument_group("measuring starts")
        series.add_argument("--count", type=int, metavar="N", help="measure N starts, each in a new session")
        series.add_argument("--new-session", action="store_true", help="needed with --count: no session is reused")
        series.add_argument("--at-once", action="store_true", help="begin all N at once, to find the warm pool")
        series.add_argument("--max-cost", metavar="USD", help="refuse a series whose estimate is higher")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        prompt, payload = _read_prompt(options["prompt"]), _read_payload(options["payload"])
        if prompt is None and payload is None:
            raise CommandError("Give a prompt, or JSON with --payload.")
        if options["count"] is not None:
            _check_series(options, payload)
        with connected(email=options["user"], url=options["url"], name="manage.py invoke_agent") as client:
            agent = client.find_agent(options["agent"])
            if options["count"] is not None:
                measure_starts(client, agent, prompt or "", options, self.stdout)
                return
            self._invoke(client, agent, prompt or "", payload, options)

    def _invoke(self, client: Client, agent: Agent, prompt: str, payload: Any, options: dict[str, Any]) -> None:
        run = client.invoke(
            agent.id, prompt, qualifier=options["qualifier"], session_id=options["session"], payload=payload
        )
        output: Output = Silence() if options["json"] else Raw(self.stdout)
        notes: Output = Silence() if options["json"] else Raw(self.stderr)
        run, was_stopped = write_answer(client, run, output, notes)
        if options["end_session"]:
            client.end(agent.id, run.session_id)
        self._report(client, agent, run, options)
        if was_stopped:
            sys.exit(STOPPED)
        if run.error is not None:
            sys.exit(FAILED)

    def _report(self, client: Client, agent: Agent, run: Run, options: dict[str, Any]) -> None:
        wait_s = 0.0 if options["no_wait"] or run.error else STARTUP_WAIT_S
        latency = client.latency(agent.id, run.session_id, invocation=run.invocation, wait_s=wait_s)
        if options["json"]:
            answer = {"response": run.text, "error": run.error, "unread_event_count": run.unread_event_count}
            found = {"agent": agent.name, **asdict(latency), **answer}
            self.stdout.write(json.dumps(found))  # in ASCII: nothing in it steers a terminal, whatever its encoding
            return
        self.stderr.write(describe_latency(latency, agent))
        ended = ", ended" if options["end_session"] else ""
        self.stderr.write(
            f"{agent.name} · {latency.qualifier} · session {run.session_id}{ended} · run {run.invocation}"
        )


def _read_prompt(text: str | None) -> str | None:
    place = " on standard input" if text == STDIN else ""
    try:
        given = sys.stdin.read() if text == STDIN else text
        return None if given is None else typed(given)
    except NotTextError as error:
        raise CommandError(f"The prompt{place} is not text in UTF-8.") from error


def _read_payload(name: str | None) -> Any:
    if name is None:
        return None
    try:
        # Of bytes it is known whether they are UTF-8, or the UTF-16 of some editors, with a mark before it or without.
        return json.loads(sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes())
    except UnicodeDecodeError as error:
        what = "The payload on standard input" if name == STDIN else name
        raise CommandError(f"{what} is not text in UTF-8. Save it as UTF-8.") from error
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CommandError(f"{name} is not JSON.") from error


def _check_series(options: dict[str, Any], payload: Any) -> None:
    if not options["new_session"]:
        raise CommandError("--count measures starts, each in a new session: add --new-session.")
    unfit = [
        name for name, is_given in (("--session", options["session"]), ("--payload", payload is not None)) if is_given
    ]
    if unfit:
        raise CommandError(f"{' and '.join(unfit)} cannot be given with --count.")
