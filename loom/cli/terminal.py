"""Speaking with a running Loom from a terminal: who asks, how an answer and its figures look, what Ctrl-C does."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from apps.accounts.selectors import user_of_command
from apps.accounts.services import passing_token
from apps.accounts.tokens import Scope
from apps.core.exceptions import LoomError
from apps.core.network import url_of
from apps.core.text.escapes import EscapeFilter, shown_in_terminal, with_visible_bidi
from loom.processes.output import Output
from loom_client import Agent, ApiError, Client, ClientError, Latency, Run, UnreachableError
from loom_client.wording import in_sentences

FAILED, STOPPED = 1, 130
TOKEN_LIFE = timedelta(hours=12)
# The search for a start gives up its first round a minute after the end.
STARTUP_WAIT_S = 75.0
LOOK_EVERY_S = 0.1
_HALVES = re.compile("[\ud800-\udfff]")


class NotTextError(ValueError):
    """What was typed is not text in UTF-8."""


def add_connection_arguments(parser: CommandParser) -> None:
    parser.add_argument("--user", metavar="EMAIL", help="as whom; needed unless there is one superuser")
    parser.add_argument("--url", help="where Loom answers (default: BACKEND_HOST and BACKEND_PORT)")


def own_url() -> str:
    """The address at which the Loom of these settings answers."""
    return url_of(settings.BACKEND_HOST, settings.BACKEND_PORT)


def typed(text: str) -> str:
    """What a person typed, in UTF-8 whatever Python took the terminal for; raises `NotTextError` for anything else."""
    if not _HALVES.search(text):
        return text
    try:
        # What is not of the encoding that was announced comes as lone surrogates, which nothing can send on.
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        raise NotTextError from None


def text_typed(text: str, what: str) -> str:
    """`typed`, for a command, which is told what of it is no text."""
    try:
        return typed(text)
    except NotTextError as error:
        raise CommandError(f"The {what} is not text in UTF-8.", returncode=FAILED) from error


def on_a_line(text: str, longest: int = 100) -> str:
    """The beginning of somebody's text, on one line, without what would steer the terminal."""
    line = " ".join(text.split())
    return shown_in_terminal(line if len(line) <= longest else f"{line[: longest - 1]}…")


@contextmanager
def connected(*, email: str | None, url: str | None, name: str, scope: Scope = "invoke") -> Iterator[Client]:
    """A client with a token that lives as long as the block; what goes wrong with it becomes a CommandError."""
    try:
        user = user_of_command(email)
        with passing_token(user=user, scope=scope, life=TOKEN_LIFE, name=name) as secret:
            yield _client(url or own_url(), secret)
    except LoomError as error:
        raise CommandError(error.text(), returncode=FAILED) from error
    except ClientError as error:
        raise CommandError(explain(error), returncode=FAILED) from error
    except KeyboardInterrupt:
        raise CommandError("Interrupted. What was begun goes on in Loom.", returncode=STOPPED) from None


def _client(url: str, secret: str) -> Client:
    try:
        return Client(url, secret)
    except ValueError as error:
        raise CommandError(str(error), returncode=FAILED) from error


def explain(error: ClientError) -> str:
    """What went wrong and what to do about it, in a line or two."""
    if isinstance(error, UnreachableError):
        return f"{error} Start it with `make dev`, or name its address with --url."
    if isinstance(error, ApiError):
        if error.code == "token_refused":
            error.advice = "The Loom that answers there uses another database than this command: check DATABASE_URL."
        return shown_in_terminal(error.text())
    return shown_in_terminal(str(error))


@contextmanager
def keys_heard() -> Iterator[None]:
    """Ctrl-C interrupts input() in this block whenever it comes; for the main thread.

    One that comes after Python's last look for signals and before readline waits for a key would lie there until the
    next key. A signal that means nothing wakes readline, after which Python looks again.
    """
    before = signal.signal(signal.SIGALRM, lambda number, frame: None)
    signal.setitimer(signal.ITIMER_REAL, LOOK_EVERY_S, LOOK_EVERY_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def write_answer(client: Client, run: Run, output: Output, notes: Output) -> tuple[Run, bool]:
    """Write the answer as it arrives; Ctrl-C stops the run. Return the run at its end and whether it was stopped.

    What is no answer goes to `notes`. A second Ctrl-C, while the run is being stopped, is raised.
    """
    was_stopped = False
    try:
        _write_text(run, output)
    except KeyboardInterrupt:
        run = run.again()
        if not run.session_id:
            next(run)  # the request is known by its key; its first event says which run it made
        was_stopped = client.stop(run.agent_id, run.session_id)
        _write_text(run, output)
    if was_stopped:
        notes.write("\nStopped. What had arrived is kept.\n")
    elif run.error is not None:
        notes.write(f"\n{shown_in_terminal(describe_failure(run))}\n")
    if run.unread_event_count:
        notes.write(f"{describe_unread(client, run)}\n")
    return run, was_stopped


def _write_text(run: Run, output: Output) -> None:
    """Write the text of a run without what would steer the terminal: an agent's text is somebody else's."""
    is_open = False
    escapes = EscapeFilter()
    for event in run:
        text = with_visible_bidi(escapes.feed(event.text))
        if text:
            output.write(text)
            output.flush()
            is_open = not text.endswith("\n")
    rest = escapes.close()
    output.write(rest)
    if not rest.endswith("\n") if rest else is_open:
        output.write("\n")
    output.flush()


def describe_failure(run: Run) -> str:
    """What a run failed with, with advice and AWS's request id."""
    error = run.error or {}
    details = error.get("details") or {}
    request_id = f"AWS request id {details['request_id']}" if details.get("request_id") else ""
    said = in_sentences(str(error.get("message") or "The run failed"), str(details.get("advice") or ""), request_id)
    return f"{str(error.get('reason') or 'failed').capitalize()}: {said}"


def describe_unread(client: Client, run: Run) -> str:
    """How much of an answer Loom did not understand, and where it is."""
    count = run.unread_event_count
    events = "1 event" if count == 1 else f"{count:,} events"
    subject = f"{events} of the answer" if run.text else f"The agent sent {events} that"
    address = f"{client.url}/api/agents/{run.agent_id}/sessions/{run.session_id}/invocations/{run.invocation}/unread"
    return f"{subject} could not be read as text; what came is at {address}"


def describe_latency(latency: Latency, agent: Agent) -> str:
    """A line of figures. In emulator mode it says so, because such a line travels alone."""
    parts = [f"TTFT {in_words(latency.time_to_first_token_ms)}", f"total {in_words(latency.client_duration_ms)}"]
    if latency.startup_latency_ms is not None:
        kind = {True: "cold", False: "warm", None: "start kind unknown"}[latency.is_cold]
        provisional = ", provisional" if latency.state == "provisional" else ""
        parts.append(f"startup {in_words(latency.startup_latency_ms)} ({kind}, from “{latency.source}”{provisional})")
    elif latency.state == "waiting":
        parts.append("startup not in the logs yet")
    elif latency.error:
        parts.append(f"startup unknown: {latency.error}")
    return " · ".join(parts) + (" · Emulated" if agent.origin == "emulator" else "")


def in_words(milliseconds: float | None) -> str:
    """A duration as 812 ms or 4.31 s; – where there is none."""
    if milliseconds is None:
        return "–"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f} s"
