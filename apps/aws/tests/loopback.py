"""A threaded HTTP server on loopback that answers as each test scripts it, down to broken connections."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE_S = 20


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Exchange:
    """One request and the means to answer it, well or badly."""

    def __init__(self, handler: BaseHTTPRequestHandler, request: Request, number: int) -> None:
        self.request = request
        self.number = number
        self._handler = handler

    def reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})})
        self._handler.wfile.write(body)

    def reply_json(self, value: Any, status: int = 200) -> None:
        self.reply(status, json.dumps(value).encode())

    def fail(self, status: int, code: str, message: str = "Because.") -> None:
        headers = {"x-amzn-ErrorType": code, "x-amzn-RequestId": "request-1"}
        self.reply(status, json.dumps({"message": message}).encode(), headers)

    def write(self, data: bytes) -> None:
        """Write what no helper would."""
        self._handler.wfile.write(data)

    def start_stream(self, headers: dict[str, str] | None = None) -> None:
        self._head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked", **(headers or {})})

    def chunk(self, data: bytes) -> None:
        self._handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def end_stream(self) -> None:
        self._handler.wfile.write(b"0\r\n\r\n")

    def hang_up(self) -> None:
        """Close the connection in good order, whatever was promised."""
        self._handler.close_connection = True

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._handler.close_connection = True

    def wait_for_hang_up(self) -> bool:
        """Whether the client closed the connection before patience ran out."""
        self._handler.connection.settimeout(PATIENCE_S)
        try:
            received: bytes = self._handler.connection.recv(1)
            return not received
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self._handler.send_response_only(status)
        for name, value in headers.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()


@dataclass
class Loopback:
    """The running server: where it is and what it was asked."""

    url: str
    requests: list[Request] = field(default_factory=list)
    connection_count: int = 0


@contextmanager
def loopback(script: Callable[[Exchange], None]) -> Iterator[Loopback]:
    """Serve `script` on a free port of 127.0.0.1; it is called in a thread for each request."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            with lock:
                running.connection_count += 1

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body)
            with lock:
                running.requests.append(request)
                number = len(running.requests)
            script(Exchange(self, request, number))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = answer  # noqa: N815 -- the names http.server calls

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that went away is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    running = Loopback(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
