"""An agent on a loopback port whose only answer goes on when a test says so."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from loom.tests.running import PATIENCE_S

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


class HaltingAgent:
    """Takes one request and says nothing by itself."""

    def __init__(self, listener: socket.socket) -> None:
        self.port = int(listener.getsockname()[1])
        self._listener = listener
        self._asked = threading.Event()
        self._caller: socket.socket | None = None
        self.thread = threading.Thread(target=self._take_request, name="halting-agent")

    def _take_request(self) -> None:
        with suppress(OSError):  # nobody asked, or is there any more
            self._caller, _ = self._listener.accept()
            received = b""
            while b"}" not in received.partition(b"\r\n\r\n")[2]:
                received += self._caller.recv(65536)
            self._caller.sendall(HEAD)
            self._asked.set()

    def say(self, data: bytes) -> None:
        """Send this, once the request is here; returns when the system has taken all of it."""
        assert self._asked.wait(PATIENCE_S) and self._caller, "nobody asked the agent"
        self._caller.sendall(data)

    def leave(self) -> None:
        """End the answer."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(PATIENCE_S)
        if self._caller:
            self._caller.close()


@contextmanager
def halting_agent() -> Iterator[HaltingAgent]:
    """A running agent; at the end its answer ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        agent = HaltingAgent(listener)
        agent.thread.start()
        try:
            yield agent
        finally:
            agent.leave()
