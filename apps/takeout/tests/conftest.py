from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.metrics.models import Measurement
from apps.sessions.models import Invocation, Recording, Session

MakeRun = Callable[..., Invocation]


def at(sent_at: datetime, ms: float) -> datetime:
    return sent_at + timedelta(milliseconds=ms)


def events_of(sent_at: datetime, answer: str) -> list[dict[str, Any]]:
    """A recording: a tool was called, then the answer came in two pieces."""
    middle = len(answer) // 2
    told: list[tuple[float, dict[str, Any]]] = [
        (0.0, {"kind": "invoked", "at": sent_at.isoformat(), "attempt": 1}),
        (90.0, {"kind": "headers", "http_status": 200, "content_type": "text/event-stream"}),
        (100.0, {"kind": "tool", "tool_use_id": "t1", "name": "timetable", "span_id": "t1"}),
        (101.5, {"kind": "tool_input", "tool_use_id": "t1", "text": '{"from": "Ghent"}', "span_id": "t1"}),
        (140.25, {"kind": "tool_result", "tool_use_id": "t1", "status": "success", "text": "08:12", "span_id": "t1"}),
        (200.0, {"kind": "text", "text": answer[:middle]}),
        (250.125, {"kind": "text", "text": answer[middle:]}),
        (251.0, {"kind": "usage", "input_tokens": 12, "output_tokens": 34, "total_tokens": 46}),
    ]
    return [{"seq": seq, "offset_ms": ms, **event} for seq, (ms, event) in enumerate(told, 1)]


@pytest.fixture
def make_run() -> MakeRun:
    """Store a run that is over, with its recording and what was measured of its start."""

    def make(session: Session, **overrides: Any) -> Invocation:
        answer = overrides.pop("answer", "The *cheapest* train leaves at 08:12.")
        number = session.invocations.count() + 1
        sent_at = overrides.pop("sent_at", timezone.now().replace(microsecond=123456) - timedelta(minutes=60 - number))
        prompt = overrides.pop("prompt", "When does it leave?")
        fields = {
            "session": session, "number": number, "status": "completed", "prompt": prompt,
            "payload": '{"prompt": "When does it leave?"}', "response_text": answer, "requested_at": sent_at,
            "invoked_at": sent_at, "headers_at": at(sent_at, 90), "first_chunk_at": at(sent_at, 95),
            "first_token_at": at(sent_at, 100), "completed_at": at(sent_at, 2_000.5), "http_status": 200,
            "content_type": "text/event-stream", "version": "3", "last_sequence": 8, "input_token_count": 12,
            "output_token_count": 34,
        }  # fmt: skip
        run = Invocation.objects.create(**{**fields, **overrides})
        Recording.objects.create(invocation=run, events=events_of(sent_at, answer))
        Measurement.objects.create(
            invocation=run, state="measured", start_kind="created", log_group=session.agent.runtime.log_group,
            agent_started_at=at(sent_at, 80), marker_rank=2, marker="Returning streaming response", high_ms=95.0,
        )  # fmt: skip
        return run

    return make
