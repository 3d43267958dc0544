"""An agent on a bare socket that answers with given bytes and then ends, or breaks, its connection."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from apps.aws.tests.loopback import PATIENCE_S

FRAMINGS = ("chunked", "length", "bare")


def framed(body: bytes, framing: str, *, is_whole: bool = False) -> tuple[bytes, bytes]:
    """The header that says how long the body is, and the bytes of it; without `is_whole` more was promised."""
    if framing == "chunked":
        return b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n%b" % (len(body), body, b"0\r\n\r\n" if is_whole else b"")
    if framing == "length":
        return b"Content-Length: %d" % (len(body) + (0 if is_whole else 100)), body
    return b"Connection: close", body


class Cutting:
    """Answers one request: the headers at once, the rest and the end when `go_on` is set. `is_over` tells that all of
    it is in the hands of the system.
    """

    def __init__(self, content_type: str, body: bytes, framing: str, *, is_reset: bool, is_whole: bool = False) -> None:
        header, self._rest = framed(body, framing, is_whole=is_whole)
        self._head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%b\r\n\r\n" % (content_type.encode(), header)
        self._is_reset = is_reset
        self.go_on, self.is_over = threading.Event(), threading.Event()
        self.url = ""

    def answer(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65_536)
            connection.sendall(self._head)
            self.go_on.wait(PATIENCE_S)
            connection.sendall(self._rest)
            if self._is_reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.is_over.set()

    @contextmanager
    def running(self) -> Iterator[Cutting]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            thread = threading.Thread(target=self.answer, args=(listener,))
            thread.start()
            yield self
            self.go_on.set()
            thread.join()
