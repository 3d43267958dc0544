"""The way to a server: TLS, proxies, and what goes wrong before anything is sent."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from apps.wire.errors import BrokenError, ConnectError, ConnectTimedOutError, ProxyError, TlsError
from apps.wire.opening import Route
from apps.wire.pool import Pool
from apps.wire.tests.conftest import Serve
from apps.wire.tests.serving import (
    HOST,
    PATIENCE_S,
    Peer,
    Script,
    ask,
    certificate,
    happened,
    new_pool,
    serving,
)
from apps.wire.tests.serving import body_of as read
from apps.wire.tests.test_exchanges import OK, answering

BODY = b'data: "one of many words "\n\n' * 2_000  # more than one record of TLS holds
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


def trusting(pem: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(pem))


def tunnelling(context: ssl.SSLContext, script: Script, asked: list[bytes]) -> Script:
    """A proxy and the server behind it in one."""

    def play(peer: Peer) -> None:
        asked.append(peer.until(b"\r\n\r\n"))
        peer.say(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n")
        peer.encrypt(context)
        script(peer)

    return play


@pytest.mark.parametrize("new_loop", LOOPS, ids=["asyncio", "uvloop"])
def test_tls_goes_through_a_proxy_unread(new_loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path) -> None:
    pem, context = certificate(tmp_path)
    asked: list[bytes] = []

    async def go(port: int) -> None:
        pool = new_pool()
        route = Route(HOST, 443, trusting(pem), ("127.0.0.1", port))
        for _ in range(2):
            assert await read(await ask(pool, route)) == b"ok"
        await pool.close()

    with (
        serving(tunnelling(context, answering(OK), asked)) as server,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        runner.run(go(server.port))
    assert (asked, server.count) == ([b"CONNECT wire.test:443 HTTP/1.1\r\nHost: wire.test:443\r\n\r\n"], 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\n\r\n",
        b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n",
        b"200 is all right\r\n\r\n",
        b"x" * 100_000,
        b"",
    ],
    ids=["403", "407", "302", "no HTTP", "endless", "nothing"],
)
async def test_a_proxy_may_refuse(answer: bytes, serve: Serve, pool: Pool) -> None:
    def script(peer: Peer) -> None:
        peer.until(b"\r\n\r\n")
        peer.say(answer)

    route = Route(HOST, 443, ssl.create_default_context(), ("127.0.0.1", serve(script).port))
    with pytest.raises(ProxyError):
        await ask(pool, route)


async def test_a_proxy_that_is_not_there(pool: Pool) -> None:
    with pytest.raises(ProxyError):
        await ask(pool, Route(HOST, 443, ssl.create_default_context(), ("127.0.0.1", 1)))


async def test_a_server_that_is_not_there(pool: Pool) -> None:
    with pytest.raises(ConnectError) as caught:
        await ask(pool, Route("127.0.0.1", 1))
    assert type(caught.value) is ConnectError


def silent(hung_up: threading.Event) -> Script:
    def script(peer: Peer) -> None:
        peer.until(b"\r\n\r\n")
        if peer.has_hung_up():
            hung_up.set()

    return script


async def test_connecting_takes_only_so_long(serve: Serve) -> None:
    hung_up = threading.Event()
    pool = new_pool(connect_timeout_s=0.05)
    route = Route(HOST, 443, ssl.create_default_context(), ("127.0.0.1", serve(silent(hung_up)).port))
    with pytest.raises(ConnectTimedOutError):
        await ask(pool, route)
    assert await happened(hung_up)
    await pool.close()


async def test_cancelling_ends_connecting(serve: Serve, pool: Pool) -> None:
    reached, hung_up = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.until(b"\r\n\r\n")
        reached.set()
        if peer.has_hung_up():
            hung_up.set()

    route = Route(HOST, 443, ssl.create_default_context(), ("127.0.0.1", serve(script).port))
    asking = asyncio.create_task(ask(pool, route))
    assert await happened(reached)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await happened(hung_up)


@pytest.mark.parametrize("new_loop", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("is_known", [True, False], ids=["another name", "a stranger"])
def test_the_server_must_be_who_it_should_be(
    new_loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path, *, is_known: bool
) -> None:
    pem, context = certificate(tmp_path, "other.test")

    def script(peer: Peer) -> None:
        peer.until(b"\r\n\r\n")
        peer.say(b"HTTP/1.1 200 OK\r\n\r\n")
        with pytest.raises(OSError, match=r"(?i)alert|eof|reset"):
            peer.encrypt(context)
            peer.connection.recv(1)
            raise ConnectionResetError("reset")

    async def go(port: int) -> None:
        pool = new_pool()
        tls = trusting(pem) if is_known else ssl.create_default_context()
        with pytest.raises(TlsError):
            await ask(pool, Route(HOST, 443, tls, ("127.0.0.1", port)))
        await pool.close()

    with serving(script) as server, asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(go(server.port))


async def test_plain_text_where_tls_is_due(serve: Serve, pool: Pool) -> None:
    def script(peer: Peer) -> None:
        peer.until(b"\r\n\r\n")
        peer.say(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 400 Bad Request\r\n\r\n")
        peer.has_hung_up()

    with pytest.raises(ConnectError):
        await ask(pool, Route(HOST, 443, ssl.create_default_context(), ("127.0.0.1", serve(script).port)))


@pytest.mark.parametrize("new_loop", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("is_reset", [False, True], ids=["cut off", "reset"])
@pytest.mark.parametrize("framing", ["chunked", "length", "bare"])
def test_what_came_before_a_cut_of_tls_is_handed_on(
    framing: str, new_loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path, *, is_reset: bool
) -> None:
    """Cut off is: closed without TLS's own goodbye. The loop stands still from the headers to the end."""
    pem, context = certificate(tmp_path)
    header, rest = {
        "chunked": (b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n" % (len(BODY), BODY)),
        "length": (b"Content-Length: %d" % (len(BODY) + 100), BODY),
        "bare": (b"Connection: close", BODY),
    }[framing]
    go_on, is_over = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n\r\n")
        go_on.wait(PATIENCE_S)
        peer.say(rest)
        if is_reset:
            peer.reset()
        peer.connection.close()
        is_over.set()

    async def go(port: int) -> tuple[bytes, bool]:
        pool = new_pool()
        exchange = await ask(pool, Route(HOST, 443, trusting(pem), ("127.0.0.1", port)))
        received: list[bytes] = []
        reading = asyncio.ensure_future(exchange.deliver(received.append))
        await asyncio.sleep(0)
        go_on.set()
        is_over.wait(PATIENCE_S)
        (failure,) = await asyncio.gather(reading, return_exceptions=True)
        await pool.close()
        assert failure is None or isinstance(failure, BrokenError)
        return b"".join(received), failure is not None

    with (
        serving(tunnelling(context, script, [])) as server,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        received, is_cut = runner.run(go(server.port))
    assert (len(received), is_cut) == (len(BODY), framing != "bare")
    assert received == BODY
