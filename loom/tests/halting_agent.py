"""An agent on a loopback port that stops in the middle of its only answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from loom.tests.running import PATIENCE_S


@contextmanager
def halting_agent(before: bytes, after: bytes) -> Iterator[tuple[int, threading.Event]]:
    """Answer one request with `before`, and with `after` when the event is set; yields the port and the event."""
    go_on = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                received = b""
                while b"}" not in received.partition(b"\r\n\r\n")[2]:
                    received += connection.recv(65536)
                head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
                connection.sendall(head + before)
                go_on.wait(2 * PATIENCE_S)
                connection.sendall(after)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], go_on
        finally:
            go_on.set()
            thread.join(PATIENCE_S)
