"""Invoking over JSON: POST a prompt, read server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, StreamingHttpResponse
from ninja import Field, Router, Schema

from apps.accounts.models import User
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import InvalidInputError
from apps.sessions import live, selectors, services
from apps.sessions.events import Event
from apps.sessions.models import Invocation, Session

router = Router(tags=["sessions"])

# The words of the first version of the API for how a run ended.
REASONS = {
    Invocation.Status.STOPPED: "stopped",
    Invocation.Status.INTERRUPTED: "interrupted",
    Invocation.Status.FAILED: "failed",
}


class InvokeIn(Schema):
    prompt: str = Field(min_length=1, max_length=100_000)
    qualifier: str | None = Field(None, description="The endpoint's name; DEFAULT for a new session.")
    session_id: str | None = Field(
        None, description="A runtime session id, for a further turn or a session from outside."
    )


def _start(user: User, agent_id: int, body: InvokeIn) -> tuple[Invocation, bool]:
    agent = agents_visible_to(user).filter(pk=agent_id).first()
    if agent is None:
        raise Http404
    if not body.prompt.strip():
        raise InvalidInputError("The prompt is empty.")
    session: Session | None = None
    if body.session_id is not None:
        services.check_session_id(body.session_id)
        session = selectors.sessions_visible_to(user).filter(agent=agent, runtime_session_id=body.session_id).first()
    is_new = session is None
    if session is None:
        qualifier = body.qualifier or "DEFAULT"
        session = services.start_session(
            agent=agent, owner=user, qualifier=qualifier, runtime_session_id=body.session_id, title=body.prompt
        )
    elif body.qualifier not in {None, session.qualifier}:
        raise InvalidInputError(f"This session runs on the endpoint {session.qualifier}; leave `qualifier` out.")
    return services.invoke(session=session, prompt=body.prompt), is_new


def _frame(event: str, data: dict[str, Any]) -> str:
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _start_frame(invocation: Invocation, invoked_at: datetime, is_new: bool) -> str:
    session_id = invocation.session.runtime_session_id
    return _frame(
        "session_start", {"session_id": session_id, "client_invoke_time": invoked_at.timestamp(), "created": is_new}
    )


def _end_frame(invocation_id: int) -> str:
    invocation = Invocation.objects.select_related("session").get(pk=invocation_id)
    if invocation.status != Invocation.Status.COMPLETED:
        message = "stopped" if invocation.status == Invocation.Status.STOPPED else invocation.error_message
        data = {
            "message": message,
            "reason": REASONS[Invocation.Status(invocation.status)],
            "error": invocation.error_code,
        }
        return _frame("error", {key: value for key, value in data.items() if value})
    assert invocation.completed_at is not None
    return _frame(
        "session_end",
        {
            "session_id": invocation.session.runtime_session_id,
            "client_done_time": invocation.completed_at.timestamp(),
            "client_duration_ms": invocation.total_latency_ms,
        },
    )


def _is_chunk(event: Event) -> bool:
    return event["kind"] in {"text", "json"} and bool(event["text"])


async def _stream(invocation: Invocation, is_new: bool) -> AsyncIterator[str]:
    """session_start, chunk*, then session_end or error: always in this order, and each end once.

    The run does not depend on this reader; when it leaves, the recording goes on.
    """
    is_started = False
    async for events in live.follow(invocation.pk):
        frames: list[str] = []
        if not is_started:
            is_started = True
            first = events[0]
            invoked_at = datetime.fromisoformat(first["at"]) if first["kind"] == "invoked" else invocation.requested_at
            frames.append(_start_frame(invocation, invoked_at, is_new))
        frames += [_frame("chunk", {"text": event["text"]}) for event in events if _is_chunk(event)]
        if frames:
            yield "".join(frames)
    if not is_started:
        yield _start_frame(invocation, invocation.requested_at, is_new)
    yield await sync_to_async(_end_frame)(invocation.pk)


@router.post("/agents/{int:agent_id}/invoke", summary="Invoke an agent and stream its answer")
async def invoke_agent(request: HttpRequest, agent_id: int, body: InvokeIn) -> StreamingHttpResponse:
    """Server-sent events: `session_start {session_id, client_invoke_time}`, `chunk {text}` as it arrives, then
    `session_end {session_id, client_done_time, client_duration_ms}` or `error {message}`. Times are Unix seconds.
    """
    invocation, is_new = await sync_to_async(_start)(request.auth, agent_id, body)  # type: ignore[attr-defined]
    response = StreamingHttpResponse(_stream(invocation, is_new), content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response
