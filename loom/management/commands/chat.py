from __future__ import annotations

import sys
from contextlib import nullcontext, suppress
from typing import Any

from django.core.management.base import CommandParser

from apps.core.commands import LoomCommand
from loom.cli.terminal import (
    NotTextError,
    add_connection_arguments,
    connected,
    describe_latency,
    explain,
    keys_heard,
    typed,
    write_answer,
)
from loom_client import Agent, ApiError, Client, LostError

HELP = "/new begins a new session, /end ends this one, /quit leaves. Ctrl-C stops an answer, not the chat."


class Command(LoomCommand):
    help = f"Talk with an agent through the running Loom. {HELP}"
    examples = (
        "travel_concierge",
        "travel_concierge --qualifier prod",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agent", metavar="AGENT", help="its id, name or ARN")
        parser.add_argument("--qualifier", help="the endpoint's name (default: DEFAULT)")
        parser.add_argument("--session", metavar="ID", help="go on in this runtime session")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with connected(email=options["user"], url=options["url"], name="manage.py chat") as client:
            agent = client.find_agent(options["agent"])
            Chat(client, agent, options["qualifier"], options["session"]).run()


class Chat:
    """One conversation, and the next after /new."""

    def __init__(self, client: Client, agent: Agent, qualifier: str | None, session_id: str | None) -> None:
        self._client = client
        self._agent = agent
        self._qualifier = qualifier
        self._session_id = session_id
        self._is_terminal = sys.stdin.isatty() and sys.stdout.isatty()

    def run(self) -> None:
        """Read lines until /quit or the end of the input."""
        if self._is_terminal:
            with suppress(ImportError):
                # input() then knows the arrow keys and what was typed before; there is none on some systems.
                import readline  # noqa: F401, PLC0415
            self._say(f"Talking with {self._agent.name}. {HELP}")
        with keys_heard() if self._is_terminal else nullcontext():
            while True:
                try:
                    return self._talk()
                except KeyboardInterrupt:
                    self._say("\nNothing is running. /quit leaves.")

    def _talk(self) -> None:
        while True:
            try:
                line = typed(input("› " if self._is_terminal else "")).strip()
            except EOFError:
                return
            except NotTextError:
                self._say("This line was not sent: it is not text in UTF-8. Set your terminal to UTF-8.")
                continue
            if line == "/quit":
                return
            if line:
                self._do(line)

    def _do(self, line: str) -> None:
        try:
            if line == "/new":
                self._session_id = None
                self._say("The next prompt begins a new session.")
            elif line == "/end":
                self._end()
            elif line == "/stop":
                self._say("Nothing is running. While an answer arrives, Ctrl-C stops it.")
            elif line.startswith("/") and line[1:].isalpha():
                self._say(HELP)
            else:
                self._send(line)
        except ApiError as error:
            self._say(explain(error))
        except LostError as error:
            self._say(f"{error} The answer goes on in Loom.")

    def _send(self, prompt: str) -> None:
        qualifier = None if self._session_id else self._qualifier
        run = self._client.invoke(self._agent.id, prompt, qualifier=qualifier, session_id=self._session_id)
        try:
            run, _ = write_answer(self._client, run, sys.stdout, sys.stderr)
        except KeyboardInterrupt:
            self._say("\nLeft while it was being stopped.")
            return
        finally:
            self._session_id = run.session_id or self._session_id
        latency = self._client.latency(self._agent.id, run.session_id, invocation=run.invocation)
        self._say(describe_latency(latency, self._agent))

    def _end(self) -> None:
        if self._session_id is None:
            self._say("There is no session yet.")
            return
        self._client.end(self._agent.id, self._session_id)
        self._say("AWS accepted the end of the session. The next prompt gets a new environment.")

    @staticmethod
    def _say(text: str) -> None:
        """What is no answer, so that a pipe gets the answers alone."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
