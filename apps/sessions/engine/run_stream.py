"""One run: its request, the events that come back, and the row's columns that they add up to."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from apps.aws.agentcore import AgentCoreClient, InvocationResponse
from apps.aws.arn import RuntimeArn
from apps.aws.errors import AwsError
from apps.aws.stream import StreamParser
from apps.sessions.events import TOKEN_KINDS, Event, answer_text, merge_text, token_counts
from apps.sessions.models import Invocation

logger = logging.getLogger(__name__)

# A run is kept in memory while it goes on. AgentCore's own limit for a body is 100 MB; a million events are two hours
# of an agent that says a hundred words a second.
MAX_ANSWER_BYTES = 100_000_000
MAX_EVENTS = 1_000_000


Listener = Callable[[list[Event]], None]


class AnswerTooLargeError(Exception):
    """The agent says more than a run may hold."""


class LiveStream:
    """The events of one run, from `invoked` to the last; appended by the run, read by any number of followers."""

    def __init__(self, invocation_id: int, invocation: Invocation | None = None) -> None:
        self.invocation_id = invocation_id
        self.invocation = invocation
        self.events: list[Event] = []
        self.recorded_sequence = 0
        self.changed_fields: dict[str, Any] = {}
        self.ended = asyncio.Event()
        self.is_stored = False
        self.task: asyncio.Task[None] | None = None
        self.end_reason: str = Invocation.Status.INTERRUPTED
        self.has_begun = self.is_cancelled = self.is_finishing = False
        self._waiting: list[asyncio.Future[None]] = []
        self._listeners: list[Listener] = []

    def append(self, *events: Any, offset_ms: float) -> None:
        """Number events and hand them on; `offset_ms` counts from invoked_at."""
        offset_ms, number = round(offset_ms, 3), len(self.events)
        new = [{"seq": number + place, "offset_ms": offset_ms, **event} for place, event in enumerate(events, 1)]
        self.events += new
        for listener in self._listeners:
            listener(new)
        self._wake()

    def hold(self) -> None:
        """Tell the listeners, with no events, that the run is over and the database does not take that yet."""
        for listener in self._listeners:
            listener([])

    def end(self) -> None:
        """Tell the followers that nothing more comes."""
        self.ended.set()
        self._wake()

    def listen(self, listener: Listener) -> None:
        """Call `listener` with whatever is appended from now on, at once: no task has to wake up. It must not raise."""
        self._listeners.append(listener)

    def forget(self, listener: Listener) -> None:
        self._listeners.remove(listener)

    def begin(self) -> None:
        """The task runs; raises CancelledError where it was cancelled before it came to that."""
        self.has_begun = True
        if self.is_cancelled:
            raise asyncio.CancelledError

    def cancel(self, reason: Invocation.Status) -> None:
        """Close the upstream connection and end the run as `reason`; the partial answer is kept.

        A second call changes nothing.
        """
        if self.task is None or self.is_finishing or self.is_cancelled:
            return
        self.is_cancelled = True
        self.end_reason = reason
        # A task that is cancelled before its first step never takes it, and nobody would end its row.
        if self.has_begun:
            self.task.cancel()

    def lose(self) -> None:
        self.cancel(Invocation.Status.INTERRUPTED)

    async def follow(self, after: int = 0, *, pause_s: float | None = None) -> AsyncIterator[list[Event]]:
        """Hand on every event above `after`, as many at a time as have gathered, until the run has ended.

        With `pause_s` an empty list after so long a silence, and again after the next.
        """
        loop = asyncio.get_running_loop()
        while True:
            if len(self.events) > after:
                events, after = self.events[after:], len(self.events)
                yield events
            elif self.ended.is_set():
                return
            else:
                waiter = loop.create_future()
                self._waiting.append(waiter)
                timer = None if pause_s is None else loop.call_later(pause_s, _wake, waiter)
                await waiter
                if timer is not None:
                    timer.cancel()
                if len(self.events) == after and not self.ended.is_set():
                    yield []

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            _wake(waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class RunClock:
    """One wall-clock reading per attempt, just before the request is sent.

    Every later instant is that plus a monotonic difference.
    """

    def __init__(self) -> None:
        self.invoked_at: datetime | None = None
        self._started = 0.0

    def start(self) -> datetime:
        self.invoked_at, self._started = timezone.now(), time.perf_counter()
        return self.invoked_at

    def offset_ms(self) -> float:
        return (time.perf_counter() - self._started) * 1000 if self.invoked_at else 0.0

    def at(self, offset_ms: float) -> datetime:
        return (self.invoked_at or timezone.now()) + timedelta(milliseconds=offset_ms)


class Run:
    """One InvokeAgentRuntime call, from the request to the row that says how it ended."""

    def __init__(self, invocation: Invocation, stream: LiveStream) -> None:
        self.invocation = invocation
        self.stream = stream
        self.clock = RunClock()
        self.max_answer_bytes = MAX_ANSWER_BYTES
        self.max_events = MAX_EVENTS
        self.chunk_count = 0
        self.byte_count = 0
        self._has_token = False
        self._attempt = 0

    async def execute(self, client: AgentCoreClient) -> tuple[Invocation.Status, dict[str, Any]]:
        """Stream the answer to its end; return the final status and the columns that explain it.

        Never raises for what the agent did.
        """
        try:
            response = await self._send(client)
            try:
                await self._read(response)
            finally:
                await response.close()
        except AwsError as error:
            logger.warning(
                "invocation failed id=%s code=%s http_status=%s request_id=%s",
                self.invocation.pk, error.code, error.http_status, error.request_id,
            )  # fmt: skip
            fields: dict[str, Any] = {
                "error_code": error.code,
                "error_message": error.message,
                "error_advice": error.advice,
                "is_unsent": error.did_not_run or self.clock.invoked_at is None,
            }
            if error.http_status is not None:
                fields["http_status"] = error.http_status
            if error.request_id:
                fields["request_id"] = error.request_id
            return Invocation.Status.FAILED, fields
        except AnswerTooLargeError:
            logger.warning("answer too large id=%s bytes=%d", self.invocation.pk, self.byte_count)
            return Invocation.Status.FAILED, {
                "error_code": "answer_too_large",
                "error_message": f"The agent said more than {self.byte_count:,} bytes without an end, and was cut off.",
                "error_advice": "What it said until then is kept. Let the agent store large results, and answer with "
                "where they are.",
            }
        errors = [event for event in self.stream.events if event["kind"] == "error"]
        if errors:
            return Invocation.Status.FAILED, {
                "error_code": errors[0]["error_type"],
                "error_message": errors[0]["message"],
                "error_advice": "The agent itself reported this in its stream; its log says more.",
            }
        return Invocation.Status.COMPLETED, {}

    async def _send(self, client: AgentCoreClient) -> InvocationResponse:
        session, agent = self.invocation.session, self.invocation.session.agent
        response = await client.invoke(
            RuntimeArn.parse(agent.arn),
            qualifier=session.qualifier,
            runtime_session_id=session.runtime_session_id,
            payload=self.invocation.payload.encode(),
            read_timeout=agent.read_timeout_ms / 1000,
            retry_unproven=agent.retry_unproven,
            on_send=self._on_send,
        )
        offset_ms = self.clock.offset_ms()
        headers = {"kind": "headers", "http_status": response.http_status, "content_type": response.content_type}
        self.stream.append(headers, offset_ms=offset_ms)
        self.stream.changed_fields |= {
            "headers_at": self.clock.at(offset_ms),
            "http_status": response.http_status,
            "content_type": response.content_type[:255],
            "request_id": response.request_id,
            "trace_id": response.trace_id,
        }
        return response

    def _on_send(self, attempt: int) -> None:
        invoked_at = self.clock.start()
        self._attempt = attempt
        self.stream.append({"kind": "invoked", "at": invoked_at.isoformat(), "attempt": attempt}, offset_ms=0.0)
        self.stream.changed_fields |= {
            "status": Invocation.Status.STREAMING, "invoked_at": invoked_at, "attempt_count": attempt
        }  # fmt: skip

    async def _read(self, response: InvocationResponse) -> None:
        parser = StreamParser(response.content_type)
        async for data in response.chunks():
            offset_ms = self.clock.offset_ms()
            if not self.chunk_count:
                self.stream.changed_fields["first_chunk_at"] = self.clock.at(offset_ms)
            self.chunk_count += 1
            self.byte_count += len(data)
            self._take(parser.feed(data), offset_ms)
            if self.byte_count > self.max_answer_bytes or len(self.stream.events) > self.max_events:
                raise AnswerTooLargeError
        self._take(parser.close(), self.clock.offset_ms())

    def _take(self, events: list[Any], offset_ms: float) -> None:
        events = merge_text(events)
        if not events:
            return
        if not self._has_token and any(event["kind"] in TOKEN_KINDS for event in events):
            self._has_token = True
            self.stream.changed_fields["first_token_at"] = self.clock.at(offset_ms)
        self.stream.append(*events, offset_ms=offset_ms)

    def summary(self) -> dict[str, Any]:
        """The columns that the events add up to; a failure may know better whether the prompt reached the agent."""
        input_tokens, output_tokens = token_counts(self.stream.events)
        return {
            "response_text": answer_text(self.stream.events),
            "chunk_count": self.chunk_count,
            "byte_count": self.byte_count,
            "input_token_count": input_tokens,
            "output_token_count": output_tokens,
            "last_sequence": len(self.stream.events),
            "attempt_count": self._attempt,
            "is_unsent": self.clock.invoked_at is None,
        }
