"""Invoking, following, stopping and ending over JSON and server-sent events."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from ninja import Field, Router, Schema, Status
from ninja.params import functions

from apps.accounts.access import may_invoke, may_invoke_async, may_read_async
from apps.accounts.models import User
from apps.agents.forms import PROMPT_MAX_LENGTH, QUALIFIER_SCHEMA
from apps.agents.selectors import agent_visible_to
from apps.core.exceptions import InvalidInputError, found
from apps.core.requests.direct_write import direct_write
from apps.core.requests.request_slot import end_turn
from apps.sessions import invoking, selectors, services
from apps.sessions.engine.engine import engine, follow
from apps.sessions.engine.run_stream import LiveStream
from apps.sessions.invoking import REQUEST_KEY_LENGTH
from apps.sessions.models import RUNTIME_SESSION_ID_PATTERN, Invocation, Session
from apps.sessions.outcomes import error_of, error_status
from apps.sessions.viewing.sse import end_number, event_stream, run_frames, stored_run

router = Router(tags=["sessions"])

EVENT_STREAM = {
    "responses": {
        200: {
            "description": "Server-sent events: `session_start`, `chunk`…, then `session_end` or `error`.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    }
}


class InvokeIn(Schema):
    prompt: str = Field(
        "",
        max_length=PROMPT_MAX_LENGTH,
        description="Needed unless there is a `payload`: a blank one is refused where that is missing or null.",
    )
    payload: Any = Field(None, description="JSON that is sent as it is, instead of the agent's template.")
    qualifier: str | None = Field(
        None, description="The endpoint's name; DEFAULT for a new session.", json_schema_extra=QUALIFIER_SCHEMA
    )
    session_id: str | None = Field(
        None,
        description="A runtime session id, for a further turn or a session from outside.",
        json_schema_extra={"pattern": RUNTIME_SESSION_ID_PATTERN},
    )
    stream: bool = Field(True, description="False: one JSON answer when the run is over.")
    on_disconnect: Literal["continue", "stop"] = Field(
        "continue", description="What happens to the run when you leave before its end."
    )


class AnswerOut(Schema):
    """The whole answer of a run. Times are Unix seconds."""

    response: str
    sessionId: str  # noqa: N815 -- the key of the first version of the API
    session_id: str
    invocation: int
    created: bool
    client_invoke_time: float | None
    client_done_time: float | None
    client_duration_ms: float | None
    unread_event_count: int = Field(0, description="How much of the answer Loom could not read as text.")


class StopOut(Schema):
    session_id: str
    invocation: int | None
    is_stopping: bool


class EndOut(Schema):
    """AWS accepted the end of the session; that is no proof that its environment is gone."""

    session_id: str
    ended_at: datetime


def _texts(body: InvokeIn) -> tuple[str, str | None]:
    """The prompt, and the payload as JSON text where one was given. A payload's own prompt stands for a missing one."""
    if body.payload is None:
        if not body.prompt.strip():
            raise InvalidInputError("The prompt is empty.", advice="Send `prompt`, or JSON as `payload`.")
        return body.prompt, None
    payload = json.dumps(body.payload, ensure_ascii=False)
    inner = body.payload.get("prompt") if isinstance(body.payload, dict) else None
    return body.prompt.strip() or (inner if isinstance(inner, str) else payload)[:PROMPT_MAX_LENGTH], payload


def _start(user: User, agent_id: int, body: InvokeIn, request_key: str) -> tuple[Invocation, bool]:
    prompt, payload = _texts(body)
    session: Session | None = None
    if body.session_id is not None:
        services.check_session_id(body.session_id)
        session = selectors.session_of_agent(user, agent_id, body.session_id)
    is_new = session is None or (request_key != "" and session.request_key == request_key)
    if session is None:
        agent = found(agent_visible_to(user, agent_id), "agent", agent_id)
        session = services.start_session(
            agent=agent, owner=user, qualifier=body.qualifier or "DEFAULT", runtime_session_id=body.session_id,
            title=prompt, request_key=request_key,
        )  # fmt: skip
    elif body.qualifier not in {None, session.qualifier}:
        raise InvalidInputError(f"This session runs on the endpoint {session.qualifier}; leave `qualifier` out.")
    invocation = invoking.invoke(
        session=session, prompt=prompt, payload=payload, request_key=request_key, source=Invocation.Source.API
    )
    return invocation, is_new


async def _launched(user: User, agent_id: int, body: InvokeIn, request_key: str) -> tuple[Invocation, bool]:
    """`_start` in a thread; a caller that leaves meanwhile and wants the run to stop then gets that too."""
    starting = asyncio.ensure_future(sync_to_async(_start)(user, agent_id, body, request_key))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        if body.on_disconnect == "stop":
            starting.add_done_callback(_stop_started)
        raise


def _stop_started(started: asyncio.Future[tuple[Invocation, bool]]) -> None:
    if not started.cancelled() and started.exception() is None:
        invoking.stop_soon(started.result()[0])


@router.post(
    "/agents/{int:agent_id}/invoke",
    auth=may_invoke_async,
    response={200: AnswerOut},
    openapi_extra=EVENT_STREAM,
    summary="Invoke an agent and stream its answer",
)
async def invoke_agent(
    request: HttpRequest,
    agent_id: int,
    body: InvokeIn,
    idempotency_key: str = functions.Header(
        "",
        description="Your name of this request: sent again, it is the same run.",
        max_length=REQUEST_KEY_LENGTH,
    ),
) -> HttpResponse | StreamingHttpResponse | dict[str, Any]:
    """Server-sent events: `session_start {session_id, client_invoke_time, created, invocation}`, `chunk {text}` as it
    arrives, then `session_end {session_id, client_done_time, client_duration_ms}` or `error {message}`. Times are Unix
    seconds. Each event has a number (`id`), from which `…/events` goes on.

    With `"stream": false` one JSON object when the run is over, or its error with a fitting status.
    """
    user: User = request.auth  # type: ignore[attr-defined]
    invocation, is_new = await _launched(user, agent_id, body, idempotency_key)
    stream = engine.stream(invocation.pk)  # before anything is waited for
    stops_on_leave = body.on_disconnect == "stop"
    if body.stream:
        frames = run_frames(
            invocation, is_new=is_new, stops_on_leave=stops_on_leave, write=direct_write(request), stream=stream
        )
        return event_stream(frames)
    return await _whole_answer(invocation, stream, is_new=is_new, stops_on_leave=stops_on_leave)


async def _whole_answer(
    invocation: Invocation, stream: LiveStream | None, *, is_new: bool, stops_on_leave: bool
) -> HttpResponse | dict[str, Any]:
    try:
        await end_turn()
        async for _ in follow(invocation.pk, stream=stream):
            pass
    except asyncio.CancelledError:
        if stops_on_leave:
            invoking.stop_soon(invocation)
        raise
    run = stored_run(stream) or await Invocation.objects.select_related("session__agent").aget(pk=invocation.pk)
    if run.status != Invocation.Status.COMPLETED:
        return JsonResponse(error_of(run), status=error_status(run))
    session_id = run.session.runtime_session_id
    return {
        "response": run.response_text,
        "sessionId": session_id,
        "session_id": session_id,
        "invocation": run.number,
        "created": is_new,
        "client_invoke_time": run.invoked_at.timestamp() if run.invoked_at else None,
        "client_done_time": run.completed_at.timestamp() if run.completed_at else None,
        "client_duration_ms": run.total_latency_ms,
        "unread_event_count": run.unread_event_count or 0,
    }


def find_session(user: Any, agent_id: int, session_id: str) -> Session:
    session = selectors.session_of_agent(user, agent_id, session_id)
    if session is None:
        found(agent_visible_to(user, agent_id), "agent", agent_id)
    return found(session, "session", session_id, within=f"of agent {agent_id}")


def _invocation(user: Any, agent_id: int, session_id: str, number: int | None) -> Invocation:
    invocations = find_session(user, agent_id, session_id).invocations.select_related("session__agent")
    invocation = (invocations.order_by("-number") if number is None else invocations.filter(number=number)).first()
    return found(invocation, "invocation", "yet" if number is None else number, within=f"in session {session_id}")


@router.get(
    "/agents/{int:agent_id}/sessions/{session_id}/events",
    auth=may_read_async,
    response={204: None},
    openapi_extra=EVENT_STREAM,
    summary="Follow a run from an event on",
)
async def follow_events(
    request: HttpRequest,
    agent_id: int,
    session_id: str,
    invocation: int | None = functions.Query(None, ge=1, description="The newest one without it."),
    since: int | None = functions.Query(
        None, ge=0, le=2**53 - 1, description="The number of the last event you have; 0 for all."
    ),
    detail: bool = functions.Query(
        False, description="Also tool calls, usage and whatever else is no text, as `detail`."
    ),
    last_event_id: str = functions.Header("", max_length=100),
) -> HttpResponse | StreamingHttpResponse:
    """The events of `invoke` after a number, as they were and as they happen, to the run's end. A browser's
    `Last-Event-ID` counts where `since` is missing; 204, after which it asks no more, where that is the end's.
    """
    found = await sync_to_async(_invocation)(request.auth, agent_id, session_id, invocation)  # type: ignore[attr-defined]
    if since is None:
        is_number = last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) < 16
        since = int(last_event_id) if is_number else 0
        if not found.is_unfinished and since >= end_number(found):
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
    frames = run_frames(found, is_new=False, after=since, has_details=detail, write=direct_write(request))
    return event_stream(frames)


@router.post(
    "/agents/{int:agent_id}/sessions/{session_id}/stop",
    auth=may_invoke,
    response={200: StopOut, 202: StopOut},
    summary="Stop what a session is answering",
)
def stop_session(
    request: HttpRequest, agent_id: int, session_id: str, invocation: int | None = functions.Query(None, ge=1)
) -> Status[dict[str, Any]]:
    """202 when the run was asked to stop, 200 when none is running, or not this `invocation`. What arrived is kept."""
    session = find_session(request.user, agent_id, session_id)
    running = selectors.unfinished_invocation(session)
    is_meant = running is not None and invocation in {None, running.number}
    is_stopping = running is not None and is_meant and invoking.stop_invocation(invocation=running)
    body = {
        "session_id": session_id,
        "invocation": running.number if running is not None and is_stopping else None,
        "is_stopping": is_stopping,
    }
    return Status(202 if is_stopping else 200, body)


@router.post(
    "/agents/{int:agent_id}/sessions/{session_id}/end",
    auth=may_invoke,
    response=EndOut,
    summary="End a session: AgentCore frees its environment",
)
def end_session(request: HttpRequest, agent_id: int, session_id: str) -> dict[str, Any]:
    """Stops what it is answering first. The next prompt gets a new environment."""
    session = find_session(request.user, agent_id, session_id)
    services.end_session(session=session)
    return {"session_id": session_id, "ended_at": session.ended_at}
