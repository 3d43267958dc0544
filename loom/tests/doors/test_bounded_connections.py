"""What a connection may cost before Loom knows who it is: spoken to in raw bytes, as nobody's client does."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from loom.tests.fixtures import Loom
from loom.tests.visiting import another_web_process
from loom.web.protocol import BODY_WITHIN_S, HEAD_WITHIN_S, MAX_HEADERS

pytestmark = pytest.mark.slow("each starts a web process and sends it hundreds of megabytes")

MB = 1_000_000
PATIENCE_S = 3 * max(BODY_WITHIN_S, HEAD_WITHIN_S)
JSON = "Content-Type: application/json\r\n"


@pytest.fixture(scope="module")
def web(loom: Loom) -> Iterator[Loom]:
    """A web process of its own: others use that of the fixture at the same time."""
    with another_web_process(loom) as other:
        yield other


def knock(web: Loom, data: bytes = b"") -> socket.socket:
    parts = urlsplit(web.url)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=PATIENCE_S)
    connection.sendall(data)
    return connection


def head(path: str, *lines: str, method: str = "POST") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{''.join(lines)}\r\n".encode()


def send_all(connection: socket.socket, part: bytes, count: int) -> None:
    """Send a part so often, or until the server does not want any more."""
    try:
        for _ in range(count):
            connection.sendall(part)
    except OSError:
        return


def answer_of(connection: socket.socket) -> tuple[int, str]:
    """The status and the body of what comes until the end; 0 for a connection that is closed without a word."""
    received = b""
    try:
        while part := connection.recv(65_536):
            received += part
            before, found, body = received.partition(b"\r\n\r\n")
            if found and b"content-length: %d\r\n" % len(body) in before.lower() + b"\r\n":
                break
    except ConnectionError:
        pass
    status = received.split(b" ", 2)[1] if received else b"0"
    return int(status), received.partition(b"\r\n\r\n")[2].decode()


def memory_of(web: Loom) -> int:
    """Bytes of memory that the process holds."""
    lines = Path(f"/proc/{web.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def is_healthy(web: Loom) -> bool:
    with urllib.request.urlopen(f"{web.url}/healthz", timeout=10) as answer:  # noqa: S310 -- loopback
        return bool(answer.status == 200)


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\nX-Long: ", b"GET /", b"GET / HTTP/1.1\r\n"])
def test_a_head_of_100_mb_is_refused_and_not_kept(web: Loom, start: bytes) -> None:
    before = memory_of(web)
    part = b"x: y\r\n" * 10_000 if start.endswith(b"\r\n") else b"x" * 60_000
    with knock(web, start) as connection:
        send_all(connection, part, 100 * MB // len(part))
        status, _ = answer_of(connection)

    assert status in {431, 0}  # reset, where more was on its way than the answer could pass
    assert memory_of(web) - before < 20 * MB
    assert is_healthy(web)


def test_a_trailer_of_100_mb_is_refused_and_not_kept(web: Loom) -> None:
    before = memory_of(web)
    start = head("/api/agents", "Transfer-Encoding: chunked\r\n", JSON) + b"2\r\n{}\r\n0\r\nX-Long: "
    with knock(web, start) as connection:
        send_all(connection, b"x" * 60_000, 100 * MB // 60_000)
        status, _ = answer_of(connection)

    assert status in {431, 0}
    assert memory_of(web) - before < 20 * MB
    assert is_healthy(web)


@pytest.mark.parametrize("size", [1, 3_000])
def test_a_body_in_many_chunks_is_no_head(web: Loom, size: int) -> None:
    """And what stands behind it is no header."""
    body = b" " * 60_000 + b"{}"
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    sent = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nHost: elsewhere\r\n\r\n"
    with knock(web, head("/api/agents", "Transfer-Encoding: chunked\r\n", JSON) + sent) as connection:
        status, answer = answer_of(connection)

    assert (status, json.loads(answer)["error"]) == (400, "invalid")


def test_many_headers_are_refused(web: Loom) -> None:
    with knock(web, head("/healthz", *(f"X-{n}: y\r\n" for n in range(MAX_HEADERS - 1)), method="GET")) as connection:
        assert answer_of(connection)[0] == 200
    with knock(web, head("/healthz", *(f"X-{n}: y\r\n" for n in range(MAX_HEADERS)), method="GET")) as connection:
        assert answer_of(connection)[0] == 431


@pytest.mark.parametrize("path", ["/api/agents", "/accounts/login/"])
@pytest.mark.parametrize("is_told", [True, False], ids=["told", "in chunks"])
def test_a_body_of_200_mb_is_413_and_not_kept(web: Loom, path: str, is_told: bool) -> None:
    before = memory_of(web)
    length = f"Content-Length: {200 * MB}\r\n" if is_told else "Transfer-Encoding: chunked\r\n"
    part = b"x" * MB if is_told else b"%x\r\n" % MB + b"x" * MB + b"\r\n"
    with knock(web, head(path, length, JSON)) as connection:
        send_all(connection, part, 200)
        status, body = answer_of(connection)

    assert status == 413 and "larger than 3 MB" in body
    assert path != "/api/agents" or json.loads(body)["error"] == "too_large"
    assert memory_of(web) - before < 40 * MB
    assert is_healthy(web)


def test_a_body_that_is_just_not_too_large_is_read(web: Loom) -> None:
    body = b"x" * 2_999_000
    with knock(web, head("/api/agents", f"Content-Length: {len(body)}\r\n", JSON) + body) as connection:
        status, answer = answer_of(connection)

    assert (status, json.loads(answer)["error"]) == (400, "invalid")


def test_hundreds_of_unfinished_requests_keep_nobody_waiting_and_are_dropped(web: Loom) -> None:
    """Bodies and heads that do not end, handshakes that hang, and connections that say nothing."""
    unfinished = [
        head("/accounts/login/", "Content-Length: 1000\r\n") + b"x",
        b"GET / HTTP/1.1\r\nHost: local",
        b"GET /ws/sessions/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
        b"",
    ]
    with ExitStack() as stack:
        slow = [stack.enter_context(knock(web, unfinished[0])) for _ in range(200)]
        others = [stack.enter_context(knock(web, data)) for data in unfinished[1:] for _ in range(50)]
        assert is_healthy(web)
        with knock(web, head("/accounts/login/", "Connection: close\r\n", method="GET")) as page:
            assert answer_of(page)[0] == 200
        assert {answer_of(connection)[0] for connection in slow} == {408}
        assert {answer_of(connection)[0] for connection in others} == {408, 0}
    assert is_healthy(web)


def test_there_are_so_many_connections_and_no_more(loom: Loom) -> None:
    with another_web_process(replace(loom, environment={**loom.environment, "MAX_CONNECTIONS": "20"})) as web:
        with ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(knock(web))
            refused = stack.enter_context(knock(web))
            assert answer_of(refused) == (503, "Loom has too many connections. Try again in a few seconds.\n")
        with knock(web, head("/healthz", "Connection: close\r\n", method="GET")) as connection:
            assert answer_of(connection)[0] in {200, 503}  # the closed ones may still be counted for a moment
