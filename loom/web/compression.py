"""HTML compressed on its way, pages and fragments; streams never, and static files by themselves (`static.py`).

BREACH reads a secret from the length of compressed answers that also hold what a stranger chose. Here the CSRF token
has another mask in each answer, Django's `compress_string` adds up to a hundred random bytes, and what another site
makes a browser ask for is not compressed at all.
"""

from __future__ import annotations

import asyncio
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware
from django.utils.text import compress_string

from apps.core.requests.middleware_modes import Handler

# Below this it fits into one packet as it is.
WORTH_BYTES = 1400
# Above this the event loop would stand still for some milliseconds: a thread compresses, beside the interpreter.
LONG_BYTES = 128 * 1024
RANDOM_BYTES = 100


def _may_be_smaller(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether this is HTML that a browser wants compressed; says in any case that it depends on what was asked for."""
    if response.streaming or not response.get("Content-Type", "").startswith("text/html"):
        return False
    patch_vary_headers(response, ("Accept-Encoding",))
    return (
        isinstance(response, HttpResponse)
        and len(response.content) >= WORTH_BYTES
        and not response.has_header("Content-Encoding")
        and _accepts_gzip(request.headers.get("Accept-Encoding", ""))
        and request.headers.get("Sec-Fetch-Site") != "cross-site"
    )


def _accepts_gzip(header: str) -> bool:
    for one in header.lower().split(","):
        name, _, quality = one.partition(";")
        if name.strip() in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _content(response: Any) -> bytes:
    return bytes(response.content)


def _compressed(content: bytes) -> bytes:
    return compress_string(content, max_random_bytes=RANDOM_BYTES)


def _replace(response: Any, content: bytes) -> None:
    response.content = content
    response.headers["Content-Encoding"] = "gzip"
    if response.has_header("Content-Length"):
        response.headers["Content-Length"] = str(len(content))
    etag = response.get("ETag", "")
    if etag.startswith('"'):
        response.headers["ETag"] = f"W/{etag}"


@sync_and_async_middleware
def compression_middleware(get_response: Handler) -> Handler:
    """Django's own would have a thread for each answer, and compress streams too."""

    async def handle_async(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = await get_response(request)
        if _may_be_smaller(request, response):
            content = _content(response)
            is_long = len(content) > LONG_BYTES
            _replace(response, await asyncio.to_thread(_compressed, content) if is_long else _compressed(content))
        return response

    def handle(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = get_response(request)
        if _may_be_smaller(request, response):
            _replace(response, _compressed(_content(response)))
        return response

    return handle_async if iscoroutinefunction(get_response) else handle
