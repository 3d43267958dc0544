"""The ASGI application: pages, API, sockets, static files, and the life of a web process."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import django
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.signals import request_started
from django.db import close_old_connections, reset_queries
from django.template.loader import get_template
from django.urls import re_path, reverse

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loom.settings")
django.setup()

from apps.accounts.middleware import SocketSignIn  # noqa: E402 -- needs the app registry
from apps.core import log_context  # noqa: E402
from apps.core.models import Process  # noqa: E402
from apps.core.requests import request_slot  # noqa: E402
from apps.core.requests.middleware import TooLargeError  # noqa: E402
from apps.core.running.telemetry import Counter, Histogram  # noqa: E402
from apps.core.sqlite.base import hand_on_connections, kept_connections  # noqa: E402
from apps.core.supervised import supervised_name  # noqa: E402
from apps.sessions.engine.engine import engine  # noqa: E402
from apps.sessions.viewing.routing import websocket_urlpatterns  # noqa: E402
from loom.processes.life import Life  # noqa: E402
from loom.processes.stop_signals import on_stop_signal  # noqa: E402
from loom.web.request_slots import BusyError, RequestSlots, refuse  # noqa: E402
from loom.web.sockets import OwnOriginOnly, no_such_socket  # noqa: E402
from loom.web.static import StaticFilesApp  # noqa: E402

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

django_application: Any = get_asgi_application()
# They would look, in a thread, at a connection that no request has yet: see `pages`.
for look in (close_old_connections, reset_queries):
    request_started.disconnect(look)

slots = RequestSlots(settings.MAX_REQUESTS)
# A prompt is stored by a thread, which asks for its turn at Python after every query. While the event loop streams, it
# waits this long for it each time. Measured beside a loop that never rests: a prompt is stored in 18 to 23 ms, with
# Python's own 5 ms in 26 to 33.
SWITCH_INTERVAL_S = 0.0005
# Answers make many small objects that live for seconds, at which the collector need not look so often. The p99 lag of
# 100 streams, in two pairs of runs: 82 and 71 ms with Python's own thresholds (700, 10, 10), with these 60 and 61.
GC_THRESHOLDS = (20_000, 20, 20)
WARM_TEMPLATES = ("sessions/_turn.html", "sessions/_composer.html", "sessions/_environment.html", "sessions/_step.html")
# A method that no view takes may be any word, and each would be kept.
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
requests = Counter("loom_http_requests", "Requests that were answered", ("method", "status"))
responses = Histogram("loom_http_response_seconds", "From a request to the beginning of its answer", ("method",))
UNCOUNTED = frozenset({"/healthz", "/readyz"})  # a process that is busy is not to be taken for a dead one


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def pages(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand a request to Django when it is its turn, which ends as soon as the view has done its part.

    With its turn it gives its database connection back: SQLite's to the next request, PostgreSQL's is closed. Django
    serves each request from a thread of its own. Nobody else can use that thread's connection, and left to itself it
    stays open until the garbage is collected: a few busy seconds use up all that PostgreSQL has. A streamed answer
    would hold one to its end.
    """
    request_id = log_context.request_id(_header(scope, b"x-request-id"))
    log_context.say(request=request_id)
    is_complete = scope["path"] in UNCOUNTED
    give_back: Callable[[], None] | None = None

    length, began = 0, time.monotonic()
    method = scope["method"] if scope["method"] in METHODS else "other"

    async def receive_in_turn() -> dict[str, Any]:
        nonlocal is_complete, give_back, length
        message = await receive()
        length += len(message.get("body", b""))
        if length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise TooLargeError  # Django itself would first put all of it on the disk
        if not is_complete and message["type"] == "http.request" and not message.get("more_body"):
            is_complete = True
            give_back = await slots.take()
        return message

    async def end_turn() -> None:
        await sync_to_async(hand_on_connections)()
        if give_back is not None:
            give_back()

    async def send_after_turn(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            await end_turn()
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            if scope["path"] not in UNCOUNTED:
                requests.add(method, str(message["status"]))
                responses.observe(time.monotonic() - began, method)
        await send(message)

    async with ThreadSensitiveContext():  # Django's own, inside of it, then changes nothing
        turn = request_slot.give_back.set(end_turn)
        try:
            await django_application(scope, receive_in_turn, send_after_turn)
        except (BusyError, TooLargeError) as error:
            await refuse(scope, send_after_turn, error)
        finally:
            request_slot.give_back.reset(turn)
            await end_turn()


# Typed for Django's own handler, it takes any application.
_static_files: Any = ASGIStaticFilesHandler
http = _static_files(pages) if settings.DEBUG else StaticFilesApp(pages)
# Typed for views, as in the routing of the apps.
_nowhere: Any = no_such_socket
sockets = OwnOriginOnly(AuthMiddlewareStack(SocketSignIn(URLRouter([*websocket_urlpatterns, re_path("", _nowhere)]))))


async def websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """A socket; its frames may go straight to the server, past what channels wraps around `send` to set cookies."""
    log_context.say(request=log_context.request_id(_header(scope, b"x-request-id")))
    await sockets({**scope, "server_send": send}, receive, send)


router: Any = ProtocolTypeRouter({"http": http, "websocket": websocket})


life = Life(Process.Kind.WEB)


async def warm_up() -> None:
    """Load what the first page and the first prompt would wait for."""
    await asyncio.to_thread(reverse, "agents:list")  # imports every view
    for name in WARM_TEMPLATES:
        await asyncio.to_thread(get_template, name)
    await engine.warm_up()
    # What is there now stays for good: the collector, which stops every stream while it looks, need not look at it.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def lifespan(receive: Receive, send: Send) -> None:
    """Begin before the first request, and on the way out let the runs end before the process does.

    Their time to end counts from the signal: the server says that it ends only after the last connection is closed.
    """
    await receive()
    try:
        await life.begin()
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        raise
    await send({"type": "lifespan.startup.complete"})
    if name := supervised_name():
        sys.stdout.write(f"{name} ready\n")  # its supervisor waits for that line; the socket listens already
        sys.stdout.flush()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    warming = asyncio.create_task(warm_up(), name="warm up")
    loop = asyncio.get_running_loop()
    with on_stop_signal(lambda: loop.call_soon_threadsafe(engine.begin_drain)):
        await receive()
    warming.cancel()
    await life.end()
    kept_connections.close()
    await send({"type": "lifespan.shutdown.complete"})


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Dispatch by protocol; the lifespan is ours, Django and channels know none."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    else:
        await life.begin()  # daphne, which runserver starts, knows no lifespan
        await router(scope, receive, send)
