"""How a run stands or ended, in the words of the first version of the API and as an HTTP status."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from apps.aws.errors import ERROR_BY_CODE, CredentialsError, ThrottledError
from apps.sessions.models import Invocation

_STATUSES = {
    Invocation.Status.PENDING: "pending",
    Invocation.Status.STREAMING: "streaming",
    Invocation.Status.COMPLETED: "complete",
}
# What AWS answered → what a program that waits for the answer is told.
_BY_HTTP_STATUS = {
    400: HTTPStatus.BAD_REQUEST,
    401: HTTPStatus.UNAUTHORIZED,
    403: HTTPStatus.FORBIDDEN,
    404: HTTPStatus.NOT_FOUND,
    408: HTTPStatus.GATEWAY_TIMEOUT,
    409: HTTPStatus.CONFLICT,
    429: HTTPStatus.SERVICE_UNAVAILABLE,
    503: HTTPStatus.SERVICE_UNAVAILABLE,
    504: HTTPStatus.GATEWAY_TIMEOUT,
}
_CREDENTIAL_WORDS = ("Credential", "Token", "SSO", "Login", "Profile")
RETRY_AFTER_S = 5


def api_status(invocation: Invocation) -> tuple[str, str]:
    """`pending`, `streaming`, `complete` or `error`; with `error` the reason: failed, stopped or interrupted."""
    status = _STATUSES.get(Invocation.Status(invocation.status), "error")
    return status, invocation.status if status == "error" else ""


def error_status(invocation: Invocation) -> HTTPStatus:
    """The HTTP status for a run that ended without success.

    400, 401, 403, 404, 503 and 504 where AWS refused or failed, 500 where the agent did, 409 for one that was stopped.
    """
    if invocation.status == Invocation.Status.STOPPED:
        return HTTPStatus.CONFLICT
    if invocation.status == Invocation.Status.INTERRUPTED:
        return HTTPStatus.SERVICE_UNAVAILABLE
    error_class = ERROR_BY_CODE.get(invocation.error_code)
    if error_class is CredentialsError:
        return HTTPStatus.UNAUTHORIZED
    if error_class is ThrottledError:
        return HTTPStatus.SERVICE_UNAVAILABLE
    if invocation.http_status is not None:
        return _BY_HTTP_STATUS.get(invocation.http_status, HTTPStatus.INTERNAL_SERVER_ERROR)
    # No answer: the code is the name of what botocore or aiohttp raised.
    if any(word in invocation.error_code for word in _CREDENTIAL_WORDS):
        return HTTPStatus.UNAUTHORIZED
    return HTTPStatus.GATEWAY_TIMEOUT if "Timeout" in invocation.error_code else HTTPStatus.SERVICE_UNAVAILABLE


def error_of(invocation: Invocation) -> dict[str, Any]:
    """The body for a run that ended without success, in the one shape of errors.

    `retryable` is true where the prompt provably never reached the agent.
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
    return {
        "error": "stopped" if is_stopped else invocation.error_code or invocation.status,
        "message": "The run was stopped." if is_stopped else invocation.error_message,
        "details": details,
    }
