"""Connections that are kept for the next request, and the one clock that looks after all of them."""

from __future__ import annotations

import asyncio
from contextvars import Context

from apps.wire.connection import Connection, Request
from apps.wire.errors import ClosedError, ConnectError
from apps.wire.exchange import Exchange
from apps.wire.opening import Route, open_connection

_SWEEP_S = 1.0


class Pool:
    """Sends requests over connections of its own. Belongs to the loop that it is used on, and is to be closed on it.

    A connection that has been idle for `keep_s` is not used again: give it up before the server does. At most `most`
    exchanges go on at a time, others wait. Nothing is sent twice, and no redirect is followed.
    """

    def __init__(self, *, keep_s: float, most: int, connect_timeout_s: float) -> None:
        self._keep_s = keep_s
        self._connect_timeout_s = connect_timeout_s
        self._slots = asyncio.Semaphore(most)
        self._idle: dict[Route, list[Connection]] = {}
        self._exchanges: dict[Exchange, tuple[Route, Connection]] = {}
        self.connections: set[Connection] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._gone = asyncio.Event()

    async def send(self, route: Route, request: Request, *, silence_s: float) -> Exchange:
        """Send a request and return when the headers of its answer have arrived.

        Silence longer than `silence_s` seconds ends the exchange, now or later; it is noticed up to a second late.
        Cancelling drops the connection. Raises `WireError`; `ConnectError` proves that nothing was sent, and so does
        `ValueError`, of a request that cannot be written down.
        """
        head = request.head()
        await self._slots.acquire()
        try:
            connection = self._idle_one(route) or await self._new_one(route)
        except BaseException:
            self._slots.release()
            raise
        exchange = Exchange(connection, silence_s=silence_s, release=self._take_back)
        self._exchanges[exchange] = route, connection
        self._watch()
        try:
            await connection.write(head, request.body, exchange)
            await exchange.head
        except BaseException:
            exchange.close()
            raise
        return exchange

    async def close(self) -> None:
        """Close every connection at once; exchanges that are still going on end with `ClosedError`."""
        self._is_closed = True
        for exchange in tuple(self._exchanges):
            exchange.close()
        self._idle.clear()
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in self.connections:
            connection.abort()
        while self.connections:
            self._gone.clear()
            await self._gone.wait()

    def _idle_one(self, route: Route) -> Connection | None:
        """The connection that was used last: the others grow old meanwhile and are let go."""
        oldest = asyncio.get_running_loop().time() - self._keep_s
        idle = self._idle.get(route, [])
        while idle:
            connection = idle.pop()
            if not connection.is_lost and not connection.transport.is_closing() and connection.idle_since > oldest:
                return connection
            connection.abort()
        return None

    async def _new_one(self, route: Route) -> Connection:
        # In a context of its own: a connection keeps it for as long as it lives, and with it all that a run leaves in
        # its own.
        opening = asyncio.get_running_loop().create_task(
            open_connection(route, lambda: Connection(self._forget), timeout_s=self._connect_timeout_s),
            context=Context(),
        )
        try:
            connection = await opening
        except asyncio.CancelledError:
            opening.add_done_callback(_abandon)
            raise
        if connection.is_lost:
            raise ConnectError("The connection was closed as soon as it stood.")
        if self._is_closed:
            connection.abort()
            raise ClosedError("Closed while it connected.")
        self.connections.add(connection)
        return connection

    def _take_back(self, exchange: Exchange, is_reusable: bool) -> None:
        route, connection = self._exchanges.pop(exchange)
        self._slots.release()
        if is_reusable and not self._is_closed:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.setdefault(route, []).append(connection)
        elif not connection.is_lost:
            connection.abort()

    def _forget(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if not self.connections:
            self._gone.set()

    def _watch(self) -> None:
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep, context=Context())

    def _sweep(self) -> None:
        """Once a second for all of them: a timer for every read costs more than the read."""
        self._sweeping = None
        now = asyncio.get_running_loop().time()
        for exchange in tuple(self._exchanges):
            exchange.look_for_silence(now)
        for route, idle in tuple(self._idle.items()):
            for connection in idle:
                if connection.idle_since <= now - self._keep_s:
                    connection.abort()
            self._idle[route] = [connection for connection in idle if not connection.is_lost]
            if not self._idle[route]:
                del self._idle[route]
        if self._exchanges or self._idle:
            self._watch()


def _abandon(opening: asyncio.Task[Connection]) -> None:
    """Nobody waits any more: what was opened in the same moment is closed."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().abort()
