"""What every request passes before it may change something."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import bad_request

from apps.core.exceptions import InvalidInputError, LoomError
from apps.core.middleware_modes import before_view

logger = logging.getLogger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
API_PREFIX = "/api/"


class ForeignRequestError(LoomError):
    """A page of another site asked for a change."""

    code = "foreign_request"
    http_status = HTTPStatus.FORBIDDEN


class UnknownHostError(InvalidInputError):
    """The request asks for a name that is not in ALLOWED_HOSTS."""

    code = "unknown_host"


class NotJsonError(InvalidInputError):
    """A body sent to the API is not declared as JSON."""

    code = "unsupported_media_type"
    http_status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def error_body(error: LoomError) -> dict[str, Any]:
    """The one shape in which the API reports an error."""
    details = {
        "advice": error.advice or None,
        "request_id": error.request_id or None,
        "retryable": error.is_retryable,
        "retryAfter": error.retry_after_s,
    }
    return {
        "error": error.code,
        "message": str(error),
        "details": {key: value for key, value in details.items() if value is not None},
    }


def is_own_origin(origin: str, host: str) -> bool:
    """Tell whether a page at `origin` is ours; `host` is the checked Host header."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower()


def is_by_token(headers: Mapping[str, str]) -> bool:
    """Tell whether only a bearer token could let this in: then no page can send it that does not know the token."""
    return headers.get("authorization", "").lower().startswith("bearer ") and not headers.get("cookie")


def refusal(request: HttpRequest) -> LoomError | None:
    """Say why a request is refused, or None.

    Browsers send Origin and Sec-Fetch-Site by themselves and pages cannot forge them, so a foreign page is recognised
    even where a cookie or the development sign-in would let it in. Programs send neither. A separate front end may
    use the API in development (CORS_ALLOWED_ORIGINS), not the pages. The allow list of hosts applies to every request
    (DNS rebinding); Django's own answer would show a debug page, with all settings, to just those who must not see it.
    """
    try:
        host = request.get_host()
    except DisallowedHost:
        return UnknownHostError("Loom does not know this host name.", advice="Add it to ALLOWED_HOSTS.")
    if "\0" in request.path:
        return InvalidInputError("The address holds a NUL character.")  # PostgreSQL fails where it is asked for one
    if request.method in SAFE_METHODS:
        return None
    is_api = request.path.startswith(API_PREFIX)
    origin = request.headers.get("Origin")
    is_front_end = is_api and origin in settings.CORS_ALLOWED_ORIGINS
    is_foreign_origin = origin is not None and not is_own_origin(origin, host)
    is_foreign_site = request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}
    if (is_foreign_origin or is_foreign_site) and not is_front_end and not (is_api and is_by_token(request.headers)):
        return ForeignRequestError("This request comes from a page of another site and was refused.")
    has_body = request.headers.get("Content-Length", "0") not in {"", "0"} or "Transfer-Encoding" in request.headers
    if is_api and has_body and request.content_type != "application/json":
        return NotJsonError("The API reads JSON only.", advice="Send the header Content-Type: application/json.")
    return None


def _refuse(request: HttpRequest, error: LoomError) -> HttpResponse:
    logger.warning("request refused code=%s method=%s path=%s", error.code, request.method, request.path)
    if request.path.startswith(API_PREFIX):
        return JsonResponse(error_body(error), status=error.http_status)
    if isinstance(error, UnknownHostError):
        return bad_request(request, error)
    return HttpResponse(str(error), status=error.http_status, content_type="text/plain; charset=utf-8")


@before_view
def foreign_request_middleware(request: HttpRequest) -> HttpResponse | None:
    """Refuse changes that a foreign page asks for, before anything else looks at them."""
    error = refusal(request)
    return _refuse(request, error) if error else None
