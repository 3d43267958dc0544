"""One prompt through Loom: sent over its API, read back from what it stored, in Loom's own figures."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from apps.awsverify.smoke.plan import PROMPT
from loom_client import ApiError, Client, ClientError, Invocation, Run

COLD = "cold"
STOPPED = "stopped"
BY_ENDPOINT_ARN = "endpoint ARN"
FOR_JSON = "Accept: JSON"


@dataclass(slots=True)
class Turn:
    """What one invocation showed; durations in ms from the send, None where it never came that far.

    Holds sizes and kinds of what the agent said, never the words. `number` is the run's in Loom's session, None for a
    probe, which Loom knows nothing of. `longest_gap_ms` is between two pieces as they arrived here, `is_recorded`
    whether Loom's recording is what it streamed.
    """

    name: str
    number: int | None = None
    status: Literal["completed", "failed", "stopped"] = "failed"
    invoked_at: datetime | None = None
    attempt_count: int = 0
    http_status: int | None = None
    content_type: str = ""
    request_id: str = ""
    trace_id: str = ""
    is_session_echoed: bool | None = None
    headers_ms: float | None = None
    first_chunk_ms: float | None = None
    first_token_ms: float | None = None
    total_ms: float | None = None
    longest_gap_ms: float | None = None
    chunk_count: int = 0
    byte_count: int = 0
    event_counts: dict[str, int] = field(default_factory=dict)
    is_recorded: bool | None = None
    error_code: str = ""
    error_message: str = ""
    advice: str = ""

    @property
    def is_stream(self) -> bool:
        return self.content_type.startswith("text/event-stream")

    def fail(self, code: str, message: str, advice: str = "", request_id: str = "") -> None:
        """It ended without success; says so in the words of whoever refused."""
        self.status = "failed"
        self.error_code, self.error_message, self.advice = code, message, advice
        self.request_id = request_id or self.request_id


@dataclass(frozen=True, slots=True)
class Conversation:
    """The session in Loom that prompts go to; Loom makes it with the first of them."""

    loom: Client
    agent_id: int
    qualifier: str
    session_id: str | None = None


def take_turn(talk: Conversation, name: str, *, is_stopped_early: bool = False) -> tuple[Turn, str]:
    """Send the prompt and read the answer, or have Loom stop it at its first words; also the session's id, "" without.

    Never raises for AWS, the agent or Loom.
    """
    turn = Turn(name)
    run = talk.loom.invoke(talk.agent_id, PROMPT, qualifier=talk.qualifier, session_id=talk.session_id)
    try:
        _read(talk.loom, run, turn, is_stopped_early=is_stopped_early)
        _take_stored(talk.loom, run, turn)
    except ApiError as error:
        turn.fail(error.code, str(error), error.advice, error.request_id)
    except ClientError as error:
        turn.fail(type(error).__name__, str(error), "Loom's own log says more.")
    return turn, run.session_id


def _read(loom: Client, run: Run, turn: Turn, *, is_stopped_early: bool) -> None:
    last_s: float | None = None
    for event in run:
        if not event.text:
            continue
        now_s = time.perf_counter()
        if last_s is not None:
            turn.longest_gap_ms = max(turn.longest_gap_ms or 0.0, (now_s - last_s) * 1000)
        elif is_stopped_early:
            loom.stop(run.agent_id, run.session_id)
        last_s = now_s


def _take_stored(loom: Client, run: Run, turn: Turn) -> None:
    """Take over what Loom keeps of the run, and compare its recording with what it streamed."""
    stored = loom.session(run.agent_id, run.session_id).invocations[run.invocation - 1]
    _take_row(turn, stored)
    recorded = loom.follow(run.agent_id, run.session_id, run.invocation, detail=True)
    for event in recorded:
        if event.name in {"chunk", "detail"}:
            # A body that is no stream comes as one chunk of JSON.
            kind = event.data.get("kind") or ("text" if turn.is_stream else "json")
            turn.event_counts[kind] = turn.event_counts.get(kind, 0) + 1
    turn.is_recorded = recorded.text == run.text == stored.response
    if "error" in turn.event_counts:
        # The agent's own words stay out: they may quote the conversation.
        turn.fail("AgentError", "the agent reported an error in its stream", "The agent's log says more.")
    elif turn.status == "failed":
        details = (run.error or {}).get("details") or {}
        turn.fail(stored.error or str(stored.reason), stored.error_message, str(details.get("advice") or ""))


def _take_row(turn: Turn, stored: Invocation) -> None:
    turn.number = stored.invocation
    if stored.status == "complete":
        turn.status = "completed"
    elif stored.reason == "stopped":
        turn.status = "stopped"
    if stored.client_invoke_time is not None:
        turn.invoked_at = datetime.fromtimestamp(0, UTC) + timedelta(seconds=stored.client_invoke_time)
    turn.attempt_count, turn.http_status = stored.attempt_count, stored.http_status
    turn.content_type, turn.request_id, turn.trace_id = stored.content_type, stored.request_id, stored.trace_id
    turn.headers_ms, turn.first_chunk_ms = stored.headers_ms, stored.first_chunk_ms
    turn.first_token_ms, turn.total_ms = stored.time_to_first_token_ms, stored.client_duration_ms
    turn.chunk_count, turn.byte_count = stored.chunk_count, stored.byte_count
