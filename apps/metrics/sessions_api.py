"""Sessions over JSON, with what is measured of their runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Left
from django.http import HttpRequest
from ninja import Field, Router, Schema
from ninja.params import functions

from apps.accounts.access import may_read
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import found
from apps.metrics.selectors import cold_start_of, measurement_of, startup_of
from apps.sessions.engine.host import host_of
from apps.sessions.models import Invocation, Session, elapsed_ms
from apps.sessions.outcomes import api_status
from apps.sessions.selectors import sessions_visible_to, unread_events
from loom_events.fold import UNREAD, unread_count

router = Router(tags=["sessions"])

LISTED_CHARACTERS = 4_000  # of an answer, where there may be many
BEGINNING = "response_beginning"
MAX_OFFSET = 2**53 - 1  # the last number that every reader of JSON knows exactly; databases know more


class RunOut(Schema):
    """A run under the keys of the first version of the API. Instants are Unix seconds, durations milliseconds.

    All are null for a session without a run; `cold_start_latency_ms` is null for a warm start, and where
    only the first line of the log is known.
    """

    invocation: int | None
    prompt: str | None
    response: str | None
    client_invoke_time: float | None
    client_done_time: float | None
    agent_start_time: float | None
    cold_start_latency_ms: float | None
    client_duration_ms: float | None
    status: str | None
    error_message: str | None
    reason: str | None
    error: str | None
    time_to_first_token_ms: float | None
    startup_latency_ms: float | None
    is_cold: bool | None
    start_kind: str | None
    version: str | None
    http_status: int | None
    request_id: str | None
    input_token_count: int | None
    output_token_count: int | None
    cost_usd: float | None = Field(description="Null where it is not known; never 0 for that.")
    cost_source: str | None = Field(
        description="reported, priced, estimate (something is assumed, or a part has no known price) or unknown; null "
        "of a run that is not over, or that ended before costs were kept."
    )
    unread_event_count: int | None
    agent_error_type: str | None
    is_response_cut: bool | None = Field(description="Only the beginning of the answer is here: read the run itself.")


class InvocationOut(RunOut):
    """A run with what its request and its answer's bytes showed; `headers_ms` and `first_chunk_ms` are from the send.

    `attempt_count` counts the requests that went out: more than one where AWS provably ran none of those before.
    """

    id: int
    repeated_from: int | None = Field(description="The `id` of the run whose prompt this one sent once more.")
    source: str | None
    requested_at: datetime
    attempt_count: int
    content_type: str
    trace_id: str
    headers_ms: float | None
    first_chunk_ms: float | None
    chunk_count: int
    byte_count: int


class UnreadValueOut(Schema):
    """Something of an answer that Loom could not read as text: its number in the run, when it came, and what it was."""

    seq: int
    offset_ms: float
    value: Any


class UnreadOut(Schema):
    """`values` are the first of them, as the agent sent them; `count` counts all."""

    count: int
    values: list[UnreadValueOut]


class SessionOut(RunOut):
    """A session with its newest run; `purpose` tells a conversation from what a measurement of starts opened."""

    id: int
    public_id: UUID = Field(description="As in the address of its page, and in `/sessions/{public_id}/…`.")
    agent_id: int
    session_id: str
    qualifier: str
    title: str
    purpose: Session.Purpose
    is_pinned: bool
    archived_at: datetime | None
    created_at: datetime
    last_invoked_at: datetime | None
    ended_at: datetime | None
    invocation_count: int
    url: str


class SessionDetailOut(SessionOut):
    """`environment_expires_at`: until when AgentCore keeps its environment, null when it was ended or never had one."""

    environment_expires_at: datetime | None
    invocations: list[InvocationOut]


def run_out(invocation: Invocation | None) -> dict[str, Any]:
    """A run (with its measurement loaded) under the keys of RunOut; all null without one."""
    if invocation is None:
        return dict.fromkeys(RunOut.model_fields)
    measurement = measurement_of(invocation)
    startup_ms = startup_of(invocation)
    status, reason = api_status(invocation)
    is_cold = measurement.is_cold if measurement else None
    beginning: str | None = getattr(invocation, BEGINNING, None)
    response = invocation.response_text if beginning is None else beginning[:LISTED_CHARACTERS]
    return {
        "invocation": invocation.number,
        "prompt": invocation.prompt,
        "response": response,
        "client_invoke_time": _unix(invocation.invoked_at),
        "client_done_time": _unix(invocation.completed_at),
        "agent_start_time": _unix(measurement.agent_started_at if measurement else None),
        "cold_start_latency_ms": cold_start_of(invocation),
        "client_duration_ms": invocation.total_latency_ms,
        "status": status,
        "error_message": invocation.error_message,
        "reason": reason,
        "error": invocation.error_code,
        "time_to_first_token_ms": invocation.time_to_first_token_ms,
        "startup_latency_ms": startup_ms,
        "is_cold": is_cold,
        "start_kind": measurement.start_kind if measurement else None,
        "version": invocation.version,
        "http_status": invocation.http_status,
        "request_id": invocation.request_id,
        "input_token_count": invocation.input_token_count,
        "output_token_count": invocation.output_token_count,
        "cost_usd": None if invocation.cost_usd is None else float(invocation.cost_usd),
        "cost_source": invocation.cost_source,
        "unread_event_count": invocation.unread_event_count or 0,
        "agent_error_type": invocation.agent_error_type or "",
        "is_response_cut": beginning is not None and len(beginning) > LISTED_CHARACTERS,
    }


def invocation_out(invocation: Invocation) -> dict[str, Any]:
    """A run under the keys of InvocationOut."""
    return {
        **run_out(invocation),
        "id": invocation.pk,
        "repeated_from": invocation.repeated_from_id,
        "source": invocation.source,
        "requested_at": invocation.requested_at,
        "attempt_count": invocation.attempt_count,
        "content_type": invocation.content_type,
        "trace_id": invocation.trace_id,
        "headers_ms": elapsed_ms(invocation.invoked_at, invocation.headers_at),
        "first_chunk_ms": elapsed_ms(invocation.invoked_at, invocation.first_chunk_at),
        "chunk_count": invocation.chunk_count,
        "byte_count": invocation.byte_count,
    }


def _unix(instant: datetime | None) -> float | None:
    return None if instant is None else instant.timestamp()


def session_out(session: Session, newest: Invocation | None, count: int) -> dict[str, Any]:
    """A session under the keys of SessionOut."""
    return {
        "id": session.pk,
        "public_id": session.public_id,
        "agent_id": session.agent_id,
        "session_id": session.runtime_session_id,
        "qualifier": session.qualifier,
        "title": session.title,
        "purpose": session.purpose,
        "is_pinned": session.is_pinned,
        "archived_at": session.archived_at,
        "created_at": session.created_at,
        "last_invoked_at": session.last_invoked_at,
        "ended_at": session.ended_at,
        "invocation_count": count,
        "url": session.get_absolute_url(),
        **run_out(newest),
    }


@router.get(
    "/agents/{int:agent_id}/sessions", auth=may_read, response=list[SessionOut], summary="List the sessions of an agent"
)
def list_sessions(
    request: HttpRequest,
    agent_id: int,
    limit: int = functions.Query(50, ge=1, le=200),
    offset: int = functions.Query(0, ge=0, le=MAX_OFFSET),
    purpose: Session.Purpose | None = None,
    is_archived: bool | None = functions.Query(None, description="Only archived ones, or only the others."),
) -> list[dict[str, Any]]:
    """The newest first, each with its newest run; only those that you may see, and only of `purpose` if it is given."""
    agent = found(agents_visible_to(request.user).filter(pk=agent_id).first(), "agent", agent_id)
    sessions = sessions_visible_to(request.user).filter(agent=agent)
    if purpose is not None:
        sessions = sessions.filter(purpose=purpose)
    if is_archived is not None:
        sessions = sessions.filter(archived_at__isnull=not is_archived)
    counted = sessions.annotate(total=Count("invocations")).order_by("-created_at", "-pk")
    page = list(counted[offset : offset + limit])
    newest = newest_runs([session.pk for session in page])
    return [session_out(session, newest.get(session.pk), session.total) for session in page]


def newest_runs(session_ids: list[int]) -> dict[int, Invocation]:
    """The newest run of each session, by the session's key."""
    newest = Invocation.objects.filter(session=OuterRef("session")).order_by("-number").values("pk")[:1]
    runs = Invocation.objects.filter(session_id__in=session_ids, pk=Subquery(newest))
    return {run.session_id: run for run in _listed(runs)}


def _listed(runs: QuerySet[Invocation]) -> QuerySet[Invocation]:
    """Runs with no more than the beginning of their answers, of which each may be as large as AgentCore allows."""
    beginning = {BEGINNING: Left("response_text", LISTED_CHARACTERS + 1)}
    return runs.select_related("measurement").defer("payload", "response_text").annotate(**beginning)


@router.get(
    "/agents/{int:agent_id}/sessions/{session_id}",
    auth=may_read,
    response=SessionDetailOut,
    summary="Read a session with its runs",
)
def get_session(request: HttpRequest, agent_id: int, session_id: str) -> dict[str, Any]:
    """The newest run's fields beside the session's, and every run, the first one first, as `invocations`.

    Of a long answer only the beginning (`is_response_cut`).
    """
    agent = found(agents_visible_to(request.user).filter(pk=agent_id).first(), "agent", agent_id)
    visible = sessions_visible_to(request.user).filter(agent=agent, runtime_session_id=session_id)
    session = found(visible.first(), "session", session_id, within=f"of agent {agent_id}")
    runs = list(_listed(session.invocations.order_by("number")))
    return {
        **session_out(session, runs[-1] if runs else None, len(runs)),
        "environment_expires_at": host_of(session.agent.kind).environment(session, session.sent_runs()).expires_at,
        "invocations": [invocation_out(run) for run in runs],
    }


def _run(request: HttpRequest, agent_id: int, session_id: str, number: int) -> Invocation:
    agent = found(agents_visible_to(request.user).filter(pk=agent_id).first(), "agent", agent_id)
    visible = sessions_visible_to(request.user).filter(agent=agent, runtime_session_id=session_id)
    session = found(visible.first(), "session", session_id, within=f"of agent {agent_id}")
    runs = session.invocations.select_related("session__agent", "measurement").defer("payload")
    return found(runs.filter(number=number).first(), "invocation", number, within=f"of session {session_id}")


@router.get(
    "/agents/{int:agent_id}/sessions/{session_id}/invocations/{int:number}",
    auth=may_read,
    response=InvocationOut,
    summary="Read a run with its whole answer",
)
def get_invocation(request: HttpRequest, agent_id: int, session_id: str, number: int) -> dict[str, Any]:
    """The run of this number in its session."""
    return invocation_out(_run(request, agent_id, session_id, number))


@router.get(
    "/agents/{int:agent_id}/sessions/{session_id}/invocations/{int:number}/unread",
    auth=may_read,
    response=UnreadOut,
    summary="Read what of an answer was not understood",
)
def get_unread(request: HttpRequest, agent_id: int, session_id: str, number: int) -> dict[str, Any]:
    """The values that Loom could not read as text, as the agent sent them; long ones and many of them are cut."""
    events = unread_events(_run(request, agent_id, session_id, number).pk)
    return {"count": unread_count(events), "values": [event for event in events if event["name"] == UNREAD]}
