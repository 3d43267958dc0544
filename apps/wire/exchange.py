"""One request and its answer: bytes come from a connection, and go to whoever reads as soon as they are there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import httptools

from apps.wire.errors import BrokenError, ClosedError, NoHttpError, SilentError

OnData = Callable[[bytes], None]

# What is held for a reader who does not take it, before the other side is made to wait.
MOST_HELD = 128 * 1024
_LONGEST_HEAD = 256 * 1024
_WITHOUT_BODY = frozenset({204, 304})


class Line(Protocol):
    """What an exchange needs of its connection."""

    transport: asyncio.Transport
    exchange: Exchange | None
    is_lost: bool

    def abort(self) -> None: ...


class Exchange:
    """One request that is on its way and its answer: `status` and `headers` (names in lower case), then a body.

    The body is pushed to `deliver`, or pulled from `chunks`: one of the two, once. Whatever reached this machine is
    handed on before an error is raised, however late it is asked for. A body without a length ends where its connection
    does: nothing tells a reset from an end there.
    """

    def __init__(self, connection: Line, *, silence_s: float, release: Callable[[Exchange, bool], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection: Line | None = connection
        self._release = release
        # As forgiving as aiohttp is.
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self.status = 0
        self.headers: dict[str, str] = {}
        self.head: asyncio.Future[None] = self._loop.create_future()
        self.is_sent = False
        self._end: asyncio.Future[None] = self._loop.create_future()
        self._parts: list[bytes] = []
        self._held: list[bytes] = []
        self._held_size = self._head_size = 0
        self._on_data: OnData | None = None
        self._reader: asyncio.Future[None] | None = None
        self._has_head = self._is_whole = self._is_dirty = self._ends_with_connection = self._is_closed = False
        self._is_kept = self.is_paused = False
        self._silence_s = silence_s
        self._last_at = self._loop.time()
        connection.exchange = self

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come; something may still be held."""
        return self._connection is None

    async def deliver(self, on_data: OnData) -> None:
        """Call `on_data` with every piece of the body in the turn of the loop in which it arrives, until the end.

        What `on_data` raises ends the exchange, and is raised here. Raises `WireError` where the body has no end.
        Cancelling drops the connection; nothing is handed on from then on.
        """
        try:
            if held := self._take_held():
                on_data(held)
            self._on_data = on_data
            await self._end
        finally:
            if self._connection is not None:
                self.close()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The pieces of the body, as they arrive. Who does not ask for the next makes the other side wait.

        Raises `WireError`, again where it is asked again.
        """
        try:
            while True:
                if held := self._take_held():
                    yield held
                elif self._end.done():
                    await self._end
                    return
                else:
                    self._reader = self._loop.create_future()
                    await self._reader
        finally:
            if self._connection is not None:
                self.close()

    def pause(self) -> None:
        """Make the other side wait; the silence that this makes is not counted."""
        if self._connection is not None and not self.is_paused:
            self.is_paused = True
            self._connection.transport.pause_reading()

    def resume(self) -> None:
        if self.is_paused:
            self.is_paused = False
            self._last_at = self._loop.time()
            if self._connection is not None:
                self._connection.transport.resume_reading()

    def close(self) -> None:
        """Drop the connection at once, unless the answer is whole; whoever reads gets `ClosedError`. Safe again."""
        self._is_closed = True
        self._held.clear()
        connection = self._connection
        if connection is not None:
            self._settle(ClosedError("Closed before the end."))
            connection.abort()

    def has_gone_on(self) -> None:
        """Some of the request has left: that is no silence."""
        self._last_at = self._loop.time()

    def look_for_silence(self, now: float) -> None:
        if self._connection is not None and not self.is_paused and now - self._last_at > self._silence_s:
            self._fail(SilentError("Nothing arrived in time."))

    # What the connection tells.

    def received(self, data: bytes) -> None:
        self._last_at = self._loop.time()
        is_broken = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            is_broken = not self._is_whole
            self._is_dirty = True
        if not self._has_head:
            self._head_size += len(data)
            is_broken = is_broken or self._head_size > _LONGEST_HEAD
        if self._parts:
            parts, self._parts = self._parts, []
            self._hand_on(parts[0] if len(parts) == 1 else b"".join(parts))
        if is_broken:
            self._fail(NoHttpError("What came is no HTTP."))
        elif self._is_whole:
            self._settle(None)

    def lost(self, error: Exception | None) -> None:
        is_end = self._has_head and self._ends_with_connection
        self._settle(None if is_end else BrokenError(is_reset=error is not None))

    # What httptools calls.

    def on_message_begin(self) -> None:
        if self._is_whole:  # a second answer to one request
            self._is_dirty = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_whole:
            self.headers[name.decode("latin-1").lower()] = value.decode("utf-8", "surrogateescape")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._is_whole or (status < 200 and status != 101):
            return
        self.status, self._has_head = status, True
        codings = self.headers.get("transfer-encoding")
        if codings is not None:
            self._ends_with_connection = codings.lower().split(",")[-1].strip() != "chunked"
        else:
            self._ends_with_connection = "content-length" not in self.headers and status not in _WITHOUT_BODY
        if not self.head.done():
            self.head.set_result(None)

    def on_body(self, data: bytes) -> None:
        if not self._is_whole:
            self._parts.append(data)

    def on_message_complete(self) -> None:
        if self._has_head:
            self._is_whole = True
            self._is_kept = self._parser.should_keep_alive()  # which it knows just now
        else:  # 100 or 103: the answer is still to come
            self.headers = {}

    # Ours.

    def _hand_on(self, data: bytes) -> None:
        if self._end.done():  # whoever read was cancelled
            return
        if self._on_data is None:
            self._held.append(data)
            self._held_size += len(data)
            if self._held_size > MOST_HELD:
                self.pause()
            self._wake()
            return
        try:
            self._on_data(data)
        except (Exception, asyncio.CancelledError) as error:
            self._fail(error)

    def _take_held(self) -> bytes:
        if self._is_closed:
            raise ClosedError("Closed before the end.")
        if not self._held:
            return b""
        held = b"".join(self._held)
        self._held.clear()
        self._held_size = 0
        self.resume()
        return held

    def _fail(self, error: BaseException) -> None:
        connection = self._connection
        self._settle(error)
        if connection is not None:
            connection.abort()

    def _settle(self, error: BaseException | None) -> None:
        connection = self._connection
        if connection is None:
            return
        self._connection = connection.exchange = None
        self._on_data = None
        is_reusable = (
            error is None and self._is_whole and self.is_sent and not self._is_dirty and not self._ends_with_connection
            and self._is_kept and not connection.is_lost
        )  # fmt: skip
        if is_reusable and self.is_paused:
            connection.transport.resume_reading()
        self.is_paused = False
        for future in (self.head, self._end):
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
                future.exception()  # nobody has to ask
        self._wake()
        self._release(self, is_reusable)

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
