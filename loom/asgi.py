"""The ASGI application: pages, API, sockets, static files, and the life of a web process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import django
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.db import connections
from django.utils import timezone

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loom.settings")
django.setup()

from apps.accounts.middleware import SocketSignIn  # noqa: E402 -- needs the app registry
from apps.core.notices import Tail  # noqa: E402
from apps.core.processes import Heartbeat  # noqa: E402
from apps.sessions.housekeeping import interrupt_orphans  # noqa: E402
from apps.sessions.live import engine  # noqa: E402
from apps.sessions.routing import websocket_urlpatterns  # noqa: E402
from loom.sockets import OwnOriginOnly  # noqa: E402
from loom.static import StaticFilesApp  # noqa: E402

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

django_application: Any = get_asgi_application()


async def pages(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand a request to Django, and give its database connection back as soon as the view has done its part.

    Django serves each request from a thread of its own. Nobody else can use that thread's connection, and left to
    itself it stays open until the garbage is collected: a few busy seconds use up all that PostgreSQL has. A streamed
    answer would hold one to its end.
    """

    async def send_without_connection(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            await sync_to_async(connections.close_all)()
        await send(message)

    async with ThreadSensitiveContext():  # Django's own, inside of it, then changes nothing
        try:
            await django_application(scope, receive, send_without_connection)
        finally:
            await sync_to_async(connections.close_all)()


# Typed for Django's own handler, it takes any application.
_static_files: Any = ASGIStaticFilesHandler
http = _static_files(pages) if settings.DEBUG else StaticFilesApp(pages)
websocket = OwnOriginOnly(AuthMiddlewareStack(SocketSignIn(URLRouter(websocket_urlpatterns))))
router: Any = ProtocolTypeRouter({"http": http, "websocket": websocket})


class Life:
    """What this process needs while it serves: its heartbeat, others' notices, and the engine that runs agents."""

    def __init__(self) -> None:
        self._stack: AsyncExitStack | None = None
        self._lock = asyncio.Lock()

    async def begin(self) -> None:
        """Register the process and take up runs; a second call does nothing."""
        async with self._lock:
            if self._stack is not None:
                return
            async with AsyncExitStack() as stack:
                heartbeat = await stack.enter_async_context(Heartbeat())
                await stack.enter_async_context(Tail())
                await sync_to_async(interrupt_orphans)(timezone.now())
                await engine.start(heartbeat.process_id)
                stack.push_async_callback(engine.close)
                self._stack = stack.pop_all()

    async def end(self) -> None:
        """Let the runs end, then the process."""
        if self._stack is not None:
            await self._stack.aclose()


life = Life()


async def lifespan(receive: Receive, send: Send) -> None:
    """Begin before the first request, and on the way out let the runs end before the process does."""
    await receive()
    try:
        await life.begin()
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        raise
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await life.end()
    await send({"type": "lifespan.shutdown.complete"})


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Dispatch by protocol; the lifespan is ours, Django and channels know none."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    else:
        await life.begin()  # daphne, which serves runserver and the channels tests, knows no lifespan
        await router(scope, receive, send)
