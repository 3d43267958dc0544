"""A line between a browser and a web process that can break at any moment, and lead to another process afterwards."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Relay:
    """Passes bytes between a port of its own and another one, in a thread; every change takes effect at once."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.is_broken = False
        self.is_deaf = False  # what the browser says still arrives, what it is told gets lost
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every connection, and let none through until `mend`."""
        self.is_broken = True
        self._break_all()

    def mend(self, target: int | None = None) -> None:
        """Let connections through again, to another port where one is given."""
        self.target = target or self.target
        self.is_deaf = False
        self.is_broken = False

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _break_all(self) -> None:
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                browser, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(browser,), name="relayed", daemon=True).start()

    def _serve(self, browser: socket.socket) -> None:
        with browser, suppress(OSError):
            if self.is_broken:
                return
            with socket.create_connection(("127.0.0.1", self.target)) as server:
                with self._lock:
                    self._sockets |= {browser, server}
                if not self.is_broken:
                    self._pass_on(browser, server)
                with self._lock:
                    self._sockets -= {browser, server}

    def _pass_on(self, browser: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(browser, selectors.EVENT_READ, server)
            waiting.register(server, selectors.EVENT_READ, browser)
            while True:
                for key, _ in waiting.select():
                    source = browser if key.data is server else server
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is browser or not self.is_deaf:
                        key.data.sendall(data)


class ForwardingProxy(Relay):
    """A proxy at an address of its own that says whom it asks for, as nginx does with `$proxy_add_x_forwarded_for`.

    One request a connection.
    """

    def __init__(self, port: int, address: str) -> None:
        self._address = (address, 0)
        super().__init__(port)

    def _serve(self, browser: socket.socket) -> None:
        server_address = ("127.0.0.1", self.target)
        with (
            browser,
            suppress(OSError),
            socket.create_connection(server_address, source_address=self._address) as server,
        ):
            head = b""
            while b"\r\n\r\n" not in head:
                part = browser.recv(65536)
                if not part:
                    return
                head += part
            server.sendall(forwarded(head, browser.getpeername()[0]))
            self._pass_on(browser, server)


def forwarded(request: bytes, client: str) -> bytes:
    """A request with the address of whoever sent it, behind those that it was sent with."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    said = [line for line in lines if line.lower().startswith(b"x-forwarded-for:")]
    addresses = [*(line.partition(b":")[2].strip() for line in said), client.encode()]
    kept = [line for line in lines if line not in said]
    return b"\r\n".join([*kept, b"X-Forwarded-For: " + b", ".join(addresses)]) + b"\r\n\r\n" + body


@contextmanager
def relay_to(url: str) -> Iterator[Relay]:
    """A relay in front of a web process."""
    relay = Relay(int(url.rpartition(":")[2]))
    try:
        yield relay
    finally:
        relay.close()
