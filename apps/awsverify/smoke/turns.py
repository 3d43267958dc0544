"""One invocation, timed as Loom times it: one wall clock reading at the send, everything else monotonic."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from apps.aws.agentcore import AgentCoreClient, InvocationResponse
from apps.aws.arn import RuntimeArn
from apps.aws.errors import AwsError
from apps.aws.stream import StreamParser
from loom_events.fold import TOKEN_KINDS
from loom_events.kinds import RunEvent

COLD = "cold"
STOPPED = "stopped"
BY_ENDPOINT_ARN = "endpoint ARN"
FOR_JSON = "Accept: JSON"

ACCEPT = "text/event-stream, application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """What to send: the same payload each time, in one session."""

    arn: RuntimeArn
    qualifier: str
    runtime_session_id: str
    payload: bytes
    read_timeout_s: float
    accept: str = ACCEPT


@dataclass(slots=True)
class Turn:
    """What one invocation showed; durations in ms from the send, None where it never came that far.

    Holds sizes and kinds of what the agent said, never the words.
    """

    name: str
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
    error_code: str = ""
    error_message: str = ""
    advice: str = ""

    @property
    def is_stream(self) -> bool:
        return self.content_type.startswith("text/event-stream")

    @property
    def completed_at(self) -> datetime | None:
        return self._at(self.total_ms)

    @property
    def first_chunk_at(self) -> datetime | None:
        return self._at(self.first_chunk_ms)

    def _at(self, offset_ms: float | None) -> datetime | None:
        if self.invoked_at is None or offset_ms is None:
            return None
        return self.invoked_at + timedelta(milliseconds=offset_ms)


class _Stopwatch:
    """Started by the client immediately before each request goes out; the last attempt counts."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._started_s = 0.0

    def start(self, attempt: int) -> None:
        self._turn.invoked_at = datetime.now(UTC)
        self._turn.attempt_count = attempt
        self._started_s = time.perf_counter()

    def ms(self) -> float | None:
        return (time.perf_counter() - self._started_s) * 1000 if self._turn.invoked_at else None


async def take_turn(client: AgentCoreClient, request: Request, name: str, *, is_stopped_early: bool = False) -> Turn:
    """Invoke once and read the answer, or close the connection at its first words.

    Never raises for AWS or the agent.
    """
    turn = Turn(name)
    watch = _Stopwatch(turn)
    try:
        response = await client.invoke(
            request.arn,
            qualifier=request.qualifier,
            runtime_session_id=request.runtime_session_id,
            payload=request.payload,
            accept=request.accept,
            read_timeout=request.read_timeout_s,
            on_send=watch.start,
        )
        turn.headers_ms = watch.ms()
        turn.http_status, turn.content_type = response.http_status, response.content_type
        turn.request_id, turn.trace_id = response.request_id, response.trace_id
        turn.is_session_echoed = response.runtime_session_id == request.runtime_session_id
        await _read(response, turn, watch, is_stopped_early=is_stopped_early)
    except AwsError as error:
        turn.error_code, turn.error_message, turn.advice = error.code, error.message, error.advice
        turn.http_status = error.http_status or turn.http_status
        turn.request_id = error.request_id or turn.request_id
    turn.total_ms = watch.ms()
    return turn


async def _read(response: InvocationResponse, turn: Turn, watch: _Stopwatch, *, is_stopped_early: bool) -> None:
    parser = StreamParser(response.content_type)
    last_ms: float | None = None
    try:
        async for data in response.chunks():
            now_ms = watch.ms()
            assert now_ms is not None
            if last_ms is None:
                turn.first_chunk_ms = now_ms
            else:
                turn.longest_gap_ms = max(turn.longest_gap_ms or 0.0, now_ms - last_ms)
            last_ms = now_ms
            turn.chunk_count += 1
            turn.byte_count += len(data)
            _count(turn, parser.feed(data), now_ms)
            if is_stopped_early and (turn.first_token_ms is not None or not turn.is_stream):
                turn.status = "stopped"
                return
    finally:
        await response.close()
    _count(turn, parser.close(), watch.ms())
    if "error" in turn.event_counts:
        # The agent's own words stay out: they may quote the conversation.
        turn.error_code, turn.error_message = "AgentError", "the agent reported an error in its stream"
        turn.advice = "The agent's log says more."
    else:
        turn.status = "completed"


def _count(turn: Turn, events: list[RunEvent], now_ms: float | None) -> None:
    for event in events:
        turn.event_counts[event["kind"]] = turn.event_counts.get(event["kind"], 0) + 1
        if turn.first_token_ms is None and event["kind"] in TOKEN_KINDS:
            turn.first_token_ms = now_ms
