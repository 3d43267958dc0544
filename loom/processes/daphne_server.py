"""Serve by Daphne: python -m loom.processes.daphne_server --host HOST --port PORT [--fd N]

Daphne knows no lifespan, and ends at once when it is asked to. This calls the application's lifespan around its server:
the process begins before the first connection, and on SIGTERM takes no new ones, tells its pages to go elsewhere and
lets runs and the readers of streams come to their end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pkgutil
import signal
import sys
from collections.abc import Callable
from typing import Any

from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server, twisted_loop
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import reactor as twisted_reactor

from loom.processes.web_command import WEB_DRAIN_S, WS_MAX_BYTES

RESTARTS = 1012  # the close code that pages know: connect again
LOOK_EVERY_S = 0.1
QUIET = 0
reactor: Any = twisted_reactor  # a module that stands for an object


class Lifespan:
    """The server's side of ASGI's lifespan."""

    def __init__(self, application: Any) -> None:
        self._to: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._task = asyncio.ensure_future(application(scope, self._to.get, self._from.put))

    async def say(self, event: str) -> None:
        """Say "startup" or "shutdown", and wait until the application is done with it. Raises what it raises."""
        await self._to.put({"type": f"lifespan.{event}"})
        answer = asyncio.ensure_future(self._from.get())
        await asyncio.wait([answer, self._task], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() or answer.result()["type"] != f"lifespan.{event}.complete":
            await self._task


class DrainingServer(Server):  # type: ignore[misc] # it has no types
    """Daphne's server, which can stop to listen while it serves on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ports: list[Any] = []

    def listen_success(self, port: Any) -> None:
        self._ports.append(port)
        super().listen_success(port)

    async def drain(self) -> None:
        """Take no new connections, close the sockets of pages, and wait for the answers that are being read."""
        for port in self._ports:
            port.stopListening()
        for connection in self.open_connections():
            if isinstance(connection, WebSocketProtocol):
                connection.sendCloseFrame(code=RESTARTS)
        for _ in range(int(WEB_DRAIN_S / LOOK_EVERY_S)):
            if not self.open_connections():
                return
            await asyncio.sleep(LOOK_EVERY_S)

    def open_connections(self) -> list[Any]:
        """Those with an application that is at work for them."""
        return [
            protocol
            for protocol, details in self.connections.items()
            if "disconnected" not in details
            and (task := details.get("application_instance")) is not None
            and not task.done()
        ]


async def end(server: DrainingServer, lifespan: Lifespan) -> None:
    """Drain, let the application end, then the reactor."""
    try:
        await server.drain()
        await lifespan.say("shutdown")
    finally:
        server.stop()


def on_signals(act: Callable[[], object]) -> None:
    """Have the loop call `act`, once; the application's own handlers come before this one."""

    def handle(_number: int, _frame: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        twisted_loop.call_soon_threadsafe(act)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve Loom by Daphne.")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--fd", type=int, help="a socket that listens there already")
    chosen = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loom.settings")
    application = pkgutil.resolve_name("loom.asgi:application")  # after the reactor, and as uvicorn is told it
    endpoints = (
        build_endpoint_description_strings(host=chosen.host, port=chosen.port)
        if chosen.fd is None
        else build_endpoint_description_strings(file_descriptor=chosen.fd)
    )
    asyncio.set_event_loop(twisted_loop)
    server = DrainingServer(
        application,
        endpoints=endpoints,
        signal_handlers=False,
        verbosity=QUIET,
        websocket_timeout=-1,
        websocket_max_message_size=WS_MAX_BYTES,
        websocket_max_frame_size=WS_MAX_BYTES,
    )
    ending: list[asyncio.Task[None]] = []
    on_signals(lambda: ending.append(twisted_loop.create_task(end(server, lifespan))))

    async def begin() -> Lifespan:
        made = Lifespan(application)
        await made.say("startup")
        return made

    lifespan = twisted_loop.run_until_complete(begin())
    server.run()
    sys.stdout.flush()


if __name__ == "__main__":
    main()
