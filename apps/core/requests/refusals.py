"""A refusal as whoever asked can read it: JSON for a program, a page for a browser, a sentence for anything else."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from apps.core.exceptions import LoomError

API_PREFIX = "/api/"


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


def refuse(request: HttpRequest, error: LoomError) -> HttpResponse:
    """The answer to a request that an error ended. Needs no database and no sign-in."""
    return refusal(error, path=request.path, accept=request.headers.get("Accept", ""))


def refusal(error: LoomError, *, path: str, accept: str) -> HttpResponse:
    """The same before there is a request of Django's."""
    if path.startswith(API_PREFIX):
        response: HttpResponse = JsonResponse(error_body(error), status=error.http_status)
    elif "text/html" in accept:
        response = render(None, "refused.html", {"error": error}, status=error.http_status)
    else:
        response = HttpResponse(error.text(), status=error.http_status, content_type="text/plain; charset=utf-8")
    if error.retry_after_s is not None:
        response["Retry-After"] = str(error.retry_after_s)
    response["Cache-Control"] = "no-store"
    return response


def proxy_advice(origin: str, *, host: str, scheme: str) -> str:
    """What to mend where a page of ours was taken for a foreign one because of a proxy; "" where it is foreign.

    `origin` is where the browser says that the page is from, `host` and `scheme` are what Loom was asked for.
    """
    try:
        parts, own = urlsplit(origin), urlsplit(f"//{host}")
        is_same_name = parts.scheme in {"http", "https"} and parts.hostname == own.hostname
    except ValueError:
        return ""
    if not is_same_name:
        return ""
    if parts.netloc.lower() != host.lower():
        return _(
            "The browser is at %(origin)s, and Loom was asked for %(host)s: the proxy has to pass on the Host header "
            "as it comes, with its port (nginx: proxy_set_header Host $http_host), or PUBLIC_URL has to name the "
            "address in the browser."
        ) % {"origin": origin, "host": host}
    if parts.scheme != scheme:
        return _(
            "The browser is at %(origin)s, and Loom was asked by %(scheme)s: the proxy has to send X-Forwarded-Proto, "
            "and Loom believes it from the addresses in FORWARDED_ALLOW_IPS alone; or PUBLIC_URL has to name the "
            "address in the browser."
        ) % {"origin": origin, "scheme": scheme}
    return ""


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page of a form that Django refuses, which says so where a proxy is the cause."""
    advice = proxy_advice(request.headers.get("Origin", ""), host=request.get_host(), scheme=request.scheme or "")
    return render(None, "403_csrf.html", {"proxy_advice": advice}, status=403)
