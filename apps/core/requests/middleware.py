"""What every request passes before it may change something."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.views.defaults import bad_request

from apps.core.exceptions import InvalidInputError, LoomError
from apps.core.requests.middleware_modes import before_view
from apps.core.requests.refusals import API_PREFIX, proxy_advice, refuse

logger = logging.getLogger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class TooLargeError(LoomError):
    """More was sent than any request of Loom's takes."""

    code = "too_large"
    http_status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self) -> None:
        limit = f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE / 1_000_000:g} MB"
        super().__init__(
            gettext("What was sent is larger than %(limit)s, which is as much as Loom takes.") % {"limit": limit}
        )


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


def is_own_origin(origin: str, host: str) -> bool:
    """Tell whether a page at `origin` is ours; `host` is the checked Host header."""
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True  # PUBLIC_URL, whatever Host a proxy passes on
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
    length = request.headers.get("Content-Length", "")
    if length.isascii() and length.isdecimal() and int(length[:20]) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        return TooLargeError()
    if request.method in SAFE_METHODS:
        return None
    is_api = request.path.startswith(API_PREFIX)
    origin = request.headers.get("Origin")
    is_front_end = is_api and origin in settings.CORS_ALLOWED_ORIGINS
    is_foreign_origin = origin is not None and not is_own_origin(origin, host)
    is_foreign_site = request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}
    if (is_foreign_origin or is_foreign_site) and not is_front_end and not (is_api and is_by_token(request.headers)):
        return ForeignRequestError(
            "This request comes from a page of another site and was refused.",
            advice=proxy_advice(origin or "", host=host, scheme=request.scheme or ""),
        )
    has_body = request.headers.get("Content-Length", "0") not in {"", "0"} or "Transfer-Encoding" in request.headers
    if is_api and has_body and request.content_type != "application/json":
        return NotJsonError("The API reads JSON only.", advice="Send the header Content-Type: application/json.")
    return None


def _refuse(request: HttpRequest, error: LoomError) -> HttpResponse:
    logger.warning("request refused code=%s method=%s path=%s", error.code, request.method, request.path)
    if isinstance(error, UnknownHostError) and not request.path.startswith(API_PREFIX):
        return bad_request(request, error)
    return refuse(request, error)


@before_view
def foreign_request_middleware(request: HttpRequest) -> HttpResponse | None:
    """Refuse changes that a foreign page asks for, before anything else looks at them."""
    error = refusal(request)
    return _refuse(request, error) if error else None
