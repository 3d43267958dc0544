"""How much a connection may ask for before Loom has looked at who it is: the server's own limits, which are none.

uvicorn keeps headers of any length in memory, waits for ever for the rest of a request, and takes any number of
connections. It is started with `--http=loom.web.protocol:BoundedProtocol`.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, cast
from weakref import ref

from django.conf import settings
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from apps.core.requests.direct_write import EXTENSION, DirectWrite

# Of the request line and all headers. Browsers send one or two kB.
MAX_HEAD_BYTES = 65_536
MAX_HEADERS = 128
# From the first byte of a request to the end of its headers; a new connection that says nothing has as long.
HEAD_WITHIN_S = 15.0
# What is behind the headers may take so long, and longer for as much of it as a slow line still brings.
BODY_WITHIN_S = 20.0
LEAST_BYTES_A_SECOND = 10_000
# A body that was refused is read on and thrown away: who sends all of it before listening hears why.
MOST_THROWN_AWAY = 300_000_000


def direct_write_to(cycle: RequestResponseCycle) -> DirectWrite:
    """What writes to the body of a response as uvicorn's `send` does, without its waiting; a cycle is one request."""
    find = ref(cycle)  # the request's scope holds this, and the cycle the scope

    def write(data: bytes) -> bool:
        cycle = find()
        # Chunked once it has begun, and has a body, and says no length of it.
        if cycle is None or not cycle.chunked_encoding or cycle.response_complete or cycle.disconnected:
            return False
        if cycle.flow.write_paused or cycle.transport.is_closing():
            return False
        if data:  # a chunk of no bytes would be the end
            cycle.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    return write


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits: who breaks one is told so in a sentence, and the connection is closed."""

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _body_bytes = 0
    _bytes_since_look = 0
    _is_in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > settings.MAX_CONNECTIONS:
            self._end(HTTPStatus.SERVICE_UNAVAILABLE, "Loom has too many connections. Try again in a few seconds.")
        else:
            self._set_deadline(HEAD_WITHIN_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        # Before it is parsed: the parser keeps what there is of an unfinished header itself, and of a trailer.
        self._head_bytes += len(data)
        if not self._is_in_body and self._deadline is None:
            self._set_deadline(HEAD_WITHIN_S)
        super().data_received(data)
        # What came with the end of the headers, or is a body, has been taken off again.
        if self._head_bytes > MAX_HEAD_BYTES:
            self._end(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"The request line and the headers are longer than {MAX_HEAD_BYTES:,} bytes.",
            )

    def handle_websocket_upgrade(self) -> None:
        # Its headers are complete; the socket's own protocol takes the connection over.
        self._clear_deadline()
        if not self.transport.is_closing():
            super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_body, self._body_bytes = False, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_body:
            return  # a trailer, which is no header: what a proxy takes out of those would come in again
        if len(self.headers) < MAX_HEADERS:
            super().on_header(name, value)
        else:
            self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The request has more than {MAX_HEADERS} headers.")

    def on_headers_complete(self) -> None:
        if self.transport.is_closing():
            return
        self._is_in_body, self._head_bytes = True, 0
        self._set_deadline(BODY_WITHIN_S)
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.scope is self.scope:  # no socket's handshake
            scope = cast("dict[str, Any]", self.scope)
            scope.setdefault("extensions", {})[EXTENSION] = direct_write_to(self.cycle)

    def on_body(self, body: bytes) -> None:
        if self.transport.is_closing():
            return
        self._head_bytes = 0
        self._body_bytes += len(body)
        self._bytes_since_look += len(body)
        if self._body_bytes > MOST_THROWN_AWAY:
            self.transport.close()
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_in_body, self._head_bytes = False, 0
        self._clear_deadline()
        if self.transport.is_closing():
            return
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete:
            self._set_deadline(HEAD_WITHIN_S)  # answered before all of it was here: nobody else waits for the next one

    def _set_deadline(self, within_s: float) -> None:
        self._clear_deadline()
        self._deadline = self.loop.call_later(within_s, self._look_at_deadline)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _look_at_deadline(self) -> None:
        self._deadline = None
        earned_s = self._bytes_since_look / LEAST_BYTES_A_SECOND
        self._bytes_since_look = 0
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if self.flow.read_paused or (is_answering and not self._is_in_body):
            self._set_deadline(HEAD_WITHIN_S)  # it is Loom's turn
        elif self._is_in_body and earned_s >= 1:
            self._set_deadline(min(earned_s, BODY_WITHIN_S))
        elif self._is_in_body or self._head_bytes:
            self._end(HTTPStatus.REQUEST_TIMEOUT, "The rest of the request did not come in time.")
        else:
            self.transport.close()  # it has not said a word

    def _end(self, status: HTTPStatus, text: str) -> None:
        """Answer where nothing is being answered, and close; what else comes is not read."""
        if self.transport.is_closing():
            return
        self._clear_deadline()
        is_answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if not is_answering:
            body = f"{text}\n".encode()
            lines = [
                STATUS_LINE[status], b"content-type: text/plain; charset=utf-8\r\n", b"connection: close\r\n",
                b"content-length: %d\r\n\r\n" % len(body), body,
            ]  # fmt: skip
            self.transport.write(b"".join(lines))
        self.transport.close()
