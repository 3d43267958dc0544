"""One connection to a server, which carries one exchange after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from apps.wire.exchange import Exchange

# More is written piece by piece, each when the one before has left.
_WRITTEN_AT_ONCE = 512 * 1024
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it goes out. `target` is path and query, escaped; `headers` hold `Host` and `Content-Length`."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = field(repr=False)

    def head(self) -> bytes:
        """Raises `ValueError` where something in it would end a line."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        text = "\r\n".join(lines)
        if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text:
            raise ValueError("A header or the address of a request holds an end of a line.")
        return f"{text}\r\n\r\n".encode()


class Connection(asyncio.Protocol):
    """A connection, idle or with an exchange."""

    transport: asyncio.Transport

    def __init__(self, on_lost: Callable[[Connection], None]) -> None:
        self.exchange: Exchange | None = None
        self.is_lost = False
        self.idle_since = 0.0
        self._on_lost = on_lost
        self._writable: asyncio.Future[None] | None = None

    async def write(self, head: bytes, body: bytes, exchange: Exchange) -> None:
        """Send a request; ends before it is sent whole where the answer does not wait for that."""
        if len(body) <= _WRITTEN_AT_ONCE:
            self.transport.write(head + body)
            exchange.is_sent = True
            return
        self.transport.write(head)
        for start in range(0, len(body), _PIECE):
            self.transport.write(body[start : start + _PIECE])
            while self._writable is not None and not exchange.head.done():
                await asyncio.wait((self._writable, exchange.head), return_when=asyncio.FIRST_COMPLETED)
            if exchange.head.done() or self.transport.is_closing():
                return
            exchange.has_gone_on()
        exchange.is_sent = True

    def abort(self) -> None:
        self.is_lost = True
        self.transport.abort()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.exchange is None:  # nobody has asked for anything
            self.abort()
        else:
            self.exchange.received(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        self.resume_writing()
        if self.exchange is not None:
            self.exchange.lost(error)
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
