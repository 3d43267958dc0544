"""Who may open a socket, and which there are: a page of ours may, or a program with a token.

A socket carries no CSRF token, so its Origin is what protects the cookie; a token needs no such protection.

The separate front end that may call the API in development may not: what comes over a socket is made for our pages.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from apps.core.requests.middleware import is_by_token, is_own_origin

logger = logging.getLogger(__name__)


Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def no_such_socket(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer 404 at an address that has no socket; channels would raise an error, once for each try of anybody."""
    await receive()
    if "websocket.http.response" in (scope.get("extensions") or {}):
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "websocket.http.response.start", "status": HTTPStatus.NOT_FOUND, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"There is no such socket."})
    else:
        await send({"type": "websocket.close", "code": 4404})


class OwnOriginOnly:
    """ASGI middleware: refuses a socket whose Host is not allowed or whose Origin is another site's or missing.

    A socket with a bearer token and without a cookie needs no Origin.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get("host", ""), headers.get("origin")
        domain, _ = split_domain_port(host)
        is_own = is_by_token(headers) or (origin is not None and is_own_origin(origin, host))
        if not validate_host(domain, settings.ALLOWED_HOSTS) or not is_own:
            logger.warning("socket refused: host or origin is not ours")
            await receive()
            await send({"type": "websocket.close"})  # before the accept: the server answers 403
            return
        await self.inner(scope, receive, send)
