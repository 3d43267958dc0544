"""Runs for tests: stored as if they had happened, or really made against the emulator."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Max
from django.utils import timezone

from apps.agentcore.aws.connection import current_connection
from apps.aws.agentcore import AgentCoreClient
from apps.aws.arn import RuntimeArn
from apps.aws.errors import AwsError
from apps.metrics.models import Measurement
from apps.metrics.starts.services import create_measurement
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, Session

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def make_run(
    session: Session, sent_s: float = 0.0, *, first_byte_s: float = 2.0, ended_s: float = 3.0, **overrides: Any
) -> Invocation:
    """Store a finished run of a session, sent `sent_s` after noon; the other times count from then."""
    sent_at = at(sent_s)
    fields = {
        "session": session, "number": session.invocations.count() + 1, "status": "completed", "prompt": "Two days?",
        "requested_at": sent_at, "invoked_at": sent_at, "headers_at": sent_at, "http_status": 200, "version": "3",
        "first_chunk_at": at(sent_s + first_byte_s), "first_token_at": at(sent_s + first_byte_s),
        "completed_at": at(sent_s + ended_s),
    }  # fmt: skip
    run = Invocation.objects.create(**{**fields, **overrides})
    Session.objects.filter(pk=session.pk).update(
        last_invoked_at=session.invocations.aggregate(Max("requested_at"))["requested_at__max"]
    )
    return run


def make_measurement(invocation: Invocation) -> Measurement:
    """The measurement of a run, as its end makes it."""
    create_measurement(invocation=invocation)
    return Measurement.objects.get(invocation=invocation)


def make_due(invocation: Invocation, **overrides: Any) -> Measurement:
    """The measurement of a run, to be looked for at noon."""
    measurement = make_measurement(invocation)
    Measurement.objects.filter(pk=measurement.pk).update(**{"next_at": NOON, **overrides})
    measurement.refresh_from_db()
    return measurement


def make_measured(invocation: Invocation, startup_ms: float, **overrides: Any) -> Measurement:
    """The measurement of a run whose start is known."""
    assert invocation.invoked_at is not None
    fields = {
        "state": "measured", "next_at": None, "tries": 1, "marker_rank": 1, "marker": "Agent invoked",
        "agent_started_at": invocation.invoked_at + timedelta(milliseconds=startup_ms),
    }  # fmt: skip
    return make_due(invocation, **{**fields, **overrides})


def invoke(session: Session, prompt: str = "Two days in Ghent") -> Invocation:
    """Invoke the session's agent for real and store how it ended, as a web process does but in this thread."""
    invocation = start_invocation(session=session, prompt=prompt, process_id=None)
    columns = asyncio.run(_call(session, invocation.payload.encode()))
    has_failed = columns["http_status"] != 200
    status = Invocation.Status.FAILED if has_failed else Invocation.Status.COMPLETED
    ended_at = timezone.now()
    assert finish_invocation(None, Pending(invocation.pk, [], columns), status=status, completed_at=ended_at)
    return Invocation.objects.select_related("session__agent", "measurement").get(pk=invocation.pk)


async def _call(session: Session, payload: bytes) -> dict[str, Any]:
    """Send one request and read the answer to its end; return the columns that the measurement needs."""
    columns: dict[str, Any] = {}
    client = AgentCoreClient(current_connection())
    try:
        response = await client.invoke(
            RuntimeArn.parse(session.agent.runtime.arn),
            qualifier=session.qualifier,
            runtime_session_id=session.runtime_session_id,
            payload=payload,
            on_send=lambda attempt: columns.update(invoked_at=timezone.now()),
        )
        columns.update(http_status=response.http_status, headers_at=timezone.now(), trace_id=response.trace_id)
        async for _ in response.chunks():
            columns.setdefault("first_chunk_at", timezone.now())
    except AwsError as error:
        columns["http_status"] = error.http_status
    finally:
        await client.close()
    return columns
