"""How a run stands or ended, in the words of the first version of the API and as an HTTP status."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from apps.sessions.engine.host import host_of
from apps.sessions.models import Invocation

_STATUSES = {
    Invocation.Status.QUEUED: "queued",
    Invocation.Status.PENDING: "pending",
    Invocation.Status.STREAMING: "streaming",
    Invocation.Status.WAITING: "waiting",
    Invocation.Status.COMPLETED: "complete",
}
RETRY_AFTER_S = 5


def api_status(invocation: Invocation) -> tuple[str, str]:
    """`queued`, `pending`, `streaming`, `waiting`, `complete` or `error`; with `error` the reason: failed, stopped or
    interrupted.
    """
    status = _STATUSES.get(Invocation.Status(invocation.status), "error")
    return status, invocation.status if status == "error" else ""


def error_status(invocation: Invocation) -> HTTPStatus:
    """The HTTP status for a run that ended without success: 409 for one that was stopped, 503 for one that was broken
    off, else what its host makes of the failure.
    """
    if invocation.status == Invocation.Status.STOPPED:
        return HTTPStatus.CONFLICT
    if invocation.status == Invocation.Status.INTERRUPTED:
        return HTTPStatus.SERVICE_UNAVAILABLE
    return host_of(invocation.session.agent.kind).error_status(invocation)


def error_of(invocation: Invocation) -> dict[str, Any]:
    """The body for a run that ended without success, in the one shape of errors.

    `retryable` is true where the prompt provably never reached the agent. `agent_error_type` is the agent's own word.
    """
    is_stopped = invocation.status == Invocation.Status.STOPPED
    details: dict[str, Any] = {
        "agentId": invocation.session.agent_id,
        "sessionId": invocation.session.runtime_session_id,
        "invocation": invocation.number,
        "reason": invocation.status,
        "retryable": invocation.is_unsent,
    }
    if invocation.is_unsent:
        details["retryAfter"] = RETRY_AFTER_S
    if invocation.error_advice:
        details["advice"] = invocation.error_advice
    if invocation.request_id:
        details["request_id"] = invocation.request_id
    if invocation.agent_error_type:
        details["agent_error_type"] = invocation.agent_error_type
    if invocation.unread_event_count:
        details["unread_event_count"] = invocation.unread_event_count
    return {
        "error": "stopped" if is_stopped else invocation.error_code or invocation.status,
        "message": "The run was stopped." if is_stopped else invocation.error_message,
        "details": details,
    }
