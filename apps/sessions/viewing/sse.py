"""A run as server-sent events: session_start, chunk*, then session_end or error; each with the number to resume from.

The format is that of the HTML standard, "Server-sent events" (fields `id`, `event`, `data`; comments begin with a
colon).
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Any

import msgspec
from asgiref.sync import sync_to_async
from django.db import Error as DatabaseError
from django.http import StreamingHttpResponse

from apps.core.requests.direct_write import DirectWrite
from apps.core.requests.refusals import error_body
from apps.core.requests.unavailability import UnavailableError, unavailability
from apps.sessions.engine import ledger
from apps.sessions.engine.engine import engine
from apps.sessions.engine.reading import AWAY_AT_MOST_S
from apps.sessions.engine.run_stream import LiveStream
from apps.sessions.invoking import stop_soon
from apps.sessions.models import Invocation
from apps.sessions.outcomes import error_of
from apps.sessions.viewing.direct_reader import DirectReader
from loom_events.fold import is_answer
from loom_events.recorded import RecordedEvent

# Proxies close what is silent for a minute; an agent may well be.
KEEP_ALIVE_S = 15.0
KEEP_ALIVE = b": still running\n\n"
# AWS refuses a request within milliseconds, and an agent may be silent for minutes: a reader wants to know the session.
START_WITHIN_S = 1.0
UNPROVEN = frozenset({"invoked", "retry"})  # the request may still be refused, and sent again
_encode_text = msgspec.json.Encoder().encode


def frame(event: str, data: Mapping[str, object], number: int) -> bytes:
    """One event with its number."""
    return f"id: {number}\nevent: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def chunk_frame(text: str, number: int) -> bytes:
    """The same of a piece of the answer, which nearly all of them are, in a ninth of the time."""
    return b'id: %d\nevent: chunk\ndata: {"text": %b}\n\n' % (number, _encode_text(text))


def end_number(invocation: Invocation) -> int:
    """The number of a run's end, behind all of its events, those included that were seen and could not be stored."""
    return invocation.last_sequence + invocation.lost_event_count + 1


def event_stream(frames: AsyncIterator[bytes]) -> StreamingHttpResponse:
    """The response that carries the frames, past proxies that would collect them."""
    response = StreamingHttpResponse(frames, content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response


async def run_frames(
    invocation: Invocation,
    *,
    is_new: bool,
    after: int = 0,
    has_details: bool = False,
    stops_on_leave: bool = False,
    away_at_most_s: float = AWAY_AT_MOST_S,
    write: DirectWrite | None = None,
    stream: LiveStream | None = None,
) -> AsyncGenerator[bytes, None]:
    """The frames of a run from the event after `after` on; always in this order, and each end once.

    The run does not depend on this reader, unless it `stops_on_leave`: when it leaves, the recording goes on. With
    `has_details` whatever is no text comes as an `event: detail` with what was recorded. A reader whom a database does
    not answer for `away_at_most_s` is told so in an error, and can go on from there. With `write` the run itself writes
    what it says from `session_start` on, and what is left for these frames is the beginning, the end, and whatever the
    connection did not take at once. `stream` is the run as whoever started it knows it: the answer may be over before
    its response has begun.
    """
    is_over = False
    stream = stream or engine.stream(invocation.pk)
    frames = _Frames(invocation, is_new=is_new, has_details=has_details, is_started=after > 0)
    reader = DirectReader(
        invocation.pk, after, encode=frames.of, write=write, stream=stream, away_at_most_s=away_at_most_s
    )
    try:
        while not is_over:
            is_patient = frames.is_started
            pause_s = KEEP_ALIVE_S if is_patient else START_WITHIN_S
            async with aclosing(reader.read_on(pause_s=pause_s, is_direct=is_patient)) as batches:
                async for events in batches:
                    if text := frames.of(events):
                        yield text
                    if frames.is_started and not is_patient:
                        break  # and go on with longer pauses
                else:
                    is_over = True
        run = stored_run(stream) or await sync_to_async(_stored)(invocation.pk)
        yield frames.rest(run) + _end_frame(run)
    except (UnavailableError, DatabaseError) as failure:
        error = failure if isinstance(failure, UnavailableError) else unavailability(failure)
        if error is None:
            raise
        is_over = True  # for this reader, who has not left
        yield frame("error", {"message": str(error), "reason": error.code, **error_body(error)}, reader.after)
    finally:
        if stops_on_leave and not is_over:
            stop_soon(invocation)


class _Frames:
    """What a reader is told of the events, batch by batch.

    `session_start` carries the instant of the request that went through: it is held back, and with it what came before,
    until something shows that it did, or for `START_WITHIN_S`. Where it is refused later still and sent again, another
    `session_start` says so.
    """

    def __init__(self, invocation: Invocation, *, is_new: bool, has_details: bool, is_started: bool) -> None:
        self._invocation = invocation
        self._is_new = is_new
        self._has_details = has_details
        self._sent_at = invocation.requested_at
        self._number = 0
        self._held = b""
        self._silence_s = 0.0
        self.is_started = is_started

    def of(self, events: list[RecordedEvent]) -> bytes:
        """The frames of some events; of none, after a silence, what says that the run goes on."""
        return b"".join([part for event in events if (part := self._of(event))]) if events else self._after_silence()

    def rest(self, run: Invocation) -> bytes:
        """What is still held back of a run that is over."""
        self._sent_at = run.invoked_at or self._sent_at
        return b"" if self.is_started else self._start()

    def _of(self, event: RecordedEvent) -> bytes | None:
        shown = _event_frame(event, self._has_details)
        if event["kind"] == "invoked":
            self._sent_at = datetime.fromisoformat(event["at"])
            self._number = event["seq"] if self.is_started else self._number or event["seq"]
        if self.is_started:
            return self._start() + (shown or b"") if event["kind"] == "invoked" else shown
        self._held += shown or b""
        return None if event["kind"] in UNPROVEN else self._start()

    def _after_silence(self) -> bytes:
        if self.is_started:
            return KEEP_ALIVE
        if self._number:
            return self._start()
        self._silence_s = (self._silence_s + START_WITHIN_S) % KEEP_ALIVE_S  # it is queued
        return b"" if self._silence_s else KEEP_ALIVE

    def _start(self) -> bytes:
        held, self._held, self.is_started = self._held, b"", True
        data = {
            "session_id": self._invocation.session.runtime_session_id,
            "client_invoke_time": self._sent_at.timestamp(),
            "created": self._is_new,
            "invocation": self._invocation.number,
        }
        return frame("session_start", data, self._number) + held


def _event_frame(event: RecordedEvent, has_details: bool) -> bytes | None:
    number = event["seq"]
    if is_answer(event):
        return chunk_frame(event["text"], number) if event["text"] else None
    return frame("detail", event, number) if has_details else None


def stored_run(stream: LiveStream | None) -> Invocation | None:
    """The run of a stream as its row is, with its session and agent, where that needs no question to the database."""
    return stream.invocation if stream is not None and stream.is_stored and not stream.is_waiting else None


def _stored(invocation_id: int) -> Invocation:
    [found] = ledger.loaded_run(pk=invocation_id)
    return found


def _end_frame(invocation: Invocation) -> bytes:
    if invocation.status != Invocation.Status.COMPLETED:
        error = error_of(invocation)
        is_stopped = invocation.status == Invocation.Status.STOPPED
        data: dict[str, Any] = {
            "message": "stopped" if is_stopped else error["message"],
            "reason": invocation.status,
            "error": error["error"],
            "details": error["details"],
        }
        return frame("error", data, end_number(invocation))
    assert invocation.completed_at is not None
    data = {
        "session_id": invocation.session.runtime_session_id,
        "client_done_time": invocation.completed_at.timestamp(),
        "client_duration_ms": invocation.total_latency_ms,
        "unread_event_count": invocation.unread_event_count or 0,
    }
    return frame("session_end", data, end_number(invocation))
