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

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

from apps.sessions.engine.engine import engine, follow
from apps.sessions.invoking import stop_soon
from apps.sessions.models import Invocation
from apps.sessions.outcomes import error_of
from loom_events.fold import is_answer
from loom_events.recorded import RecordedEvent

# Proxies close what is silent for a minute; an agent may well be.
KEEP_ALIVE_S = 15.0
KEEP_ALIVE = ": still running\n\n"


def frame(event: str, data: Mapping[str, object], number: int) -> str:
    """One event with its number."""
    return f"id: {number}\nevent: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def event_stream(frames: AsyncIterator[str]) -> StreamingHttpResponse:
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
) -> AsyncGenerator[str, None]:
    """The frames of a run from the event after `after` on; always in this order, and each end once.

    The run does not depend on this reader, unless it `stops_on_leave`: when it leaves, the recording goes on. With
    `has_details` whatever is no text comes as an `event: detail` with what was recorded.
    """
    is_over = False
    is_started = after > 0
    stream = engine.stream(invocation.pk)
    try:
        async with aclosing(follow(invocation.pk, after, pause_s=KEEP_ALIVE_S)) as batches:
            async for events in batches:
                if not events:
                    yield KEEP_ALIVE
                    continue
                frames = [] if is_started else [_start_frame(invocation, events[0], is_new)]
                is_started = True
                frames += [found for event in events if (found := _event_frame(event, has_details))]
                if frames:
                    yield "".join(frames)
        is_over = True
        if not is_started:
            yield _start_frame(invocation, None, is_new)
        known = stream.invocation if stream and stream.is_stored and not stream.is_waiting else None
        yield _end_frame(known or await sync_to_async(_stored)(invocation.pk))
    finally:
        if stops_on_leave and not is_over:
            stop_soon(invocation)


def _start_frame(invocation: Invocation, first: RecordedEvent | None, is_new: bool) -> str:
    invoked_at = invocation.requested_at
    if first is not None and first["kind"] == "invoked":
        invoked_at = datetime.fromisoformat(first["at"])
    data = {
        "session_id": invocation.session.runtime_session_id,
        "client_invoke_time": invoked_at.timestamp(),
        "created": is_new,
        "invocation": invocation.number,
    }
    return frame("session_start", data, 0 if first is None else first["seq"])


def _event_frame(event: RecordedEvent, has_details: bool) -> str | None:
    number = event["seq"]
    if is_answer(event):
        return frame("chunk", {"text": event["text"]}, number) if event["text"] else None
    return frame("detail", event, number) if has_details else None


def _stored(invocation_id: int) -> Invocation:
    return Invocation.objects.select_related("session").get(pk=invocation_id)


def _end_frame(invocation: Invocation) -> str:
    if invocation.status != Invocation.Status.COMPLETED:
        error = error_of(invocation)
        is_stopped = invocation.status == Invocation.Status.STOPPED
        data: dict[str, Any] = {
            "message": "stopped" if is_stopped else error["message"],
            "reason": invocation.status,
            "error": error["error"],
            "details": error["details"],
        }
        return frame("error", data, invocation.last_sequence)
    assert invocation.completed_at is not None
    data = {
        "session_id": invocation.session.runtime_session_id,
        "client_done_time": invocation.completed_at.timestamp(),
        "client_duration_ms": invocation.total_latency_ms,
    }
    return frame("session_end", data, invocation.last_sequence)
