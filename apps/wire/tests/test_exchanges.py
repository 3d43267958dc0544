"""Answers as servers write them, down to what they should not write."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.wire.connection import Connection, Request
from apps.wire.errors import BrokenError, ClosedError, NoHttpError, SilentError
from apps.wire.exchange import MOST_HELD, Exchange
from apps.wire.pool import Pool
from apps.wire.tests.conftest import Serve
from apps.wire.tests.serving import PATIENCE_S, Peer, Script, ask, body_of, happened, plain

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answering(*parts: bytes) -> Script:
    """Answer each request with the same bytes, until the other side hangs up."""

    def script(peer: Peer) -> None:
        while peer.request():
            peer.say(*parts)

    return script


def once(*parts: bytes) -> Script:
    """Answer one request, then close."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.say(*parts)

    return script


async def test_the_request_goes_out_as_it_was_put_together(serve: Serve, pool: Pool) -> None:
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        seen.append(peer.request())
        peer.say(OK)

    exchange = await ask(pool, plain(serve(script)), b'{"a": "\xc3\xa9"}')
    assert await body_of(exchange) == b"ok"
    assert (exchange.status, exchange.headers) == (200, {"content-length": "2"})
    assert seen == [b'POST /path?query=1 HTTP/1.1\r\nHost: wire.test\r\nContent-Length: 11\r\n\r\n{"a": "\xc3\xa9"}']


@pytest.mark.parametrize("place", ["target", "name", "value"])
@pytest.mark.parametrize("end", ["\r\nX: y", "\n", "\r", "\0"])
async def test_nothing_in_a_request_ends_a_line(place: str, end: str, serve: Serve, pool: Pool) -> None:
    server = serve(answering(OK))
    words = {"target": "/", "name": "X-A", "value": "b"}
    words[place] += end

    with pytest.raises(ValueError, match="end of a line"):
        await pool.send(
            plain(server), Request("POST", words["target"], [(words["name"], words["value"])], b""), silence_s=1
        )
    assert server.count == 0


@pytest.mark.parametrize(
    "early",
    [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"],
    ids=["100", "103"],
)
async def test_what_only_announces_an_answer_is_none(early: bytes, serve: Serve, pool: Pool) -> None:
    server = serve(answering(early, OK))
    for _ in range(2):
        exchange = await ask(pool, plain(server))
        assert (exchange.status, await body_of(exchange), exchange.headers) == (200, b"ok", {"content-length": "2"})
    assert server.count == 1


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_some_answers_have_no_body(status: bytes, serve: Serve, pool: Pool) -> None:
    server = serve(answering(b"HTTP/1.1 " + status + b"\r\n\r\n"))
    for _ in range(2):
        assert await body_of(await ask(pool, plain(server))) == b""
    assert server.count == 1


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok", b"ok"),
        (OK + OK, b"ok"),
        (OK + b"rubbish\r\n\r\n", b"ok"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok and more", b"ok"),
    ],
    ids=["close", "HTTP/1.0", "without a length", "identity", "two answers", "rubbish", "more than promised"],
)
async def test_some_connections_carry_one_answer(answer: bytes, body: bytes, serve: Serve, pool: Pool) -> None:
    """Whose end is the body's end, who said so, and who says more than he was asked."""
    server = serve(once(answer))
    for _ in range(2):
        assert await body_of(await ask(pool, plain(server))) == body
    assert server.count == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000,
        b"".join(b"HTTP/1.1 100 Continue\r\n\r\n" for _ in range(12_000)),
    ],
    ids=["not HTTP", "no chunk", "no length", "endless header", "endless announcements"],
)
async def test_what_is_no_http_is_an_error(answer: bytes, serve: Serve, pool: Pool) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        try:
            peer.say(answer)
            peer.has_hung_up()
        except OSError:
            pass

    with pytest.raises(NoHttpError):
        await body_of(await ask(pool, plain(serve(script))))


async def test_what_came_before_a_fault_is_handed_on(serve: Serve, pool: Pool) -> None:
    server = serve(once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nno number\r\n"))
    received: list[bytes] = []
    exchange = await ask(pool, plain(server))
    with pytest.raises(NoHttpError):
        await exchange.deliver(received.append)
    assert received == [b"ok"]


class _NoTransport(asyncio.Transport):
    """Stands under a connection that no test writes to."""

    def abort(self) -> None:
        """There is nothing to abort."""

    def is_closing(self) -> bool:
        return False


TEXT = b"".join(b"piece %d of the answer\n" % number for number in range(20))
CHUNKED = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in TEXT.splitlines(keepends=True))
ANSWERS = {
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED + b"0\r\nTrailer: 1\r\n\r\n",
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(TEXT) + TEXT,
    "until the end": b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + TEXT,
}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(ANSWERS)), st.lists(st.integers(1, 600), max_size=40), st.integers(0, 900))
def test_an_answer_is_the_same_however_it_is_cut(framing: str, cuts: list[int], cut_at: int) -> None:
    """Into pieces, and off: what is before the cut is handed on, and only a body without a length has an end there."""
    answer = ANSWERS[framing]

    async def go(data: bytes) -> tuple[bytes, bool]:
        connection = Connection(lambda _: None)
        connection.connection_made(_NoTransport())
        exchange = Exchange(connection, silence_s=1, release=lambda *_: None)
        exchange.is_sent = True
        received: list[bytes] = []
        reading = asyncio.create_task(exchange.deliver(received.append))
        await asyncio.sleep(0)
        places = sorted({min(place, len(data)) for place in (0, *cuts, len(data))})
        for begin, end in pairwise(places):
            if connection.exchange is not None:
                connection.data_received(data[begin:end])
        connection.connection_lost(None)
        (failure,) = await asyncio.gather(reading, return_exceptions=True)
        return b"".join(received), failure is None

    assert asyncio.run(go(answer)) == (TEXT, True)
    part, is_whole = asyncio.run(go(answer[:cut_at]))
    assert TEXT.startswith(part)
    assert is_whole == (cut_at >= len(answer) or (framing == "until the end" and cut_at >= len(answer) - len(TEXT)))


async def test_who_does_not_read_makes_the_other_side_wait(serve: Serve, pool: Pool) -> None:
    size = 20_000_000  # more than the sockets on both sides hold
    is_written = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, b"x" * size)
        is_written.set()

    exchange = await ask(pool, plain(serve(script)), silence_s=0.001)
    while not exchange.is_paused:  # noqa: ASYNC110 -- it tells nobody
        await asyncio.sleep(0.001)
    assert not is_written.is_set()
    exchange.look_for_silence(asyncio.get_running_loop().time() + 1_000)  # it is we who are silent
    received, longest = 0, 0
    async for chunk in exchange.chunks():
        received += len(chunk)
        longest = max(longest, len(chunk))
    assert received == size
    assert longest < 2 * MOST_HELD + 256 * 1024


@pytest.mark.parametrize("is_early", [False, True], ids=["read whole", "refused"])
async def test_a_large_request_leaves_as_the_other_side_takes_it(serve: Serve, pool: Pool, *, is_early: bool) -> None:
    """An answer that does not wait for the whole request ends the writing, and the connection is not used again."""
    body = b"0123456789" * 2_000_000  # more than the sockets on both sides hold
    has_answered = threading.Event()
    sizes: list[int] = []

    def script(peer: Peer) -> None:
        if is_early:
            peer.until(b"\r\n\r\n")
            peer.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            has_answered.wait(PATIENCE_S)
            return
        while asked := peer.request():
            sizes.append(len(asked))
            peer.say(OK)

    server = serve(script, answering(OK))
    exchange = await ask(pool, plain(server), body)
    assert (exchange.status, await body_of(exchange)) == ((413, b"no") if is_early else (200, b"ok"))
    has_answered.set()
    await body_of(await ask(pool, plain(server)))
    assert server.count == (2 if is_early else 1)
    assert is_early or sizes[0] > len(body)


async def test_silence_ends_an_exchange(serve: Serve, pool: Pool) -> None:
    hung_up = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok")
        if peer.has_hung_up():
            hung_up.set()

    received: list[bytes] = []
    exchange = await ask(pool, plain(serve(script)), silence_s=0.1)
    with pytest.raises(SilentError):
        await exchange.deliver(received.append)
    assert received == [b"ok"]
    assert await happened(hung_up)


def halting(hung_up: threading.Event) -> Script:
    def script(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok")
        if peer.has_hung_up():
            hung_up.set()

    return script


async def test_what_the_reader_raises_ends_the_exchange(serve: Serve, pool: Pool) -> None:
    hung_up = threading.Event()
    exchange = await ask(pool, plain(serve(halting(hung_up))))

    def take(data: bytes) -> None:
        raise LookupError(data)

    with pytest.raises(LookupError, match="ok"):
        await exchange.deliver(take)
    assert await happened(hung_up)


async def test_what_the_reader_raises_later_ends_the_exchange_too(serve: Serve, pool: Pool) -> None:
    """Within the loop's own turn, where no task could catch it."""
    may_go_on = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n")
        may_go_on.wait(PATIENCE_S)
        peer.say(b"late")
        peer.has_hung_up()

    exchange = await ask(pool, plain(serve(script)))
    received: list[bytes] = []

    def take(data: bytes) -> None:
        received.append(data)
        raise LookupError(data)

    reading = asyncio.create_task(exchange.deliver(take))
    await asyncio.sleep(0)
    may_go_on.set()
    with pytest.raises(LookupError, match="late"):
        await reading
    assert received == [b"late"]


async def test_a_reader_who_is_cancelled_gets_nothing_more(serve: Serve, pool: Pool) -> None:
    hung_up = threading.Event()
    exchange = await ask(pool, plain(serve(halting(hung_up))))
    received: list[bytes] = []
    reading = asyncio.create_task(exchange.deliver(received.append))
    while not received:  # noqa: ASYNC110 -- it tells nobody
        await asyncio.sleep(0.001)
    reading.cancel()
    exchange.received(b"la")  # in the same turn of the loop
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert received == [b"ok"]
    assert await happened(hung_up)


async def test_closing_ends_whoever_reads(serve: Serve, pool: Pool) -> None:
    hung_up = threading.Event()
    exchange = await ask(pool, plain(serve(halting(hung_up))))
    reading = asyncio.create_task(body_of(exchange))
    await asyncio.sleep(0)
    exchange.close()
    exchange.close()
    with pytest.raises(ClosedError):
        await reading
    assert await happened(hung_up)


async def test_a_failure_is_told_again_to_who_asks_again(serve: Serve, pool: Pool) -> None:
    exchange = await ask(pool, plain(serve(once(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok"))))
    chunks = exchange.chunks()
    assert await anext(chunks) == b"ok"
    for _ in range(2):
        with pytest.raises(BrokenError):
            [chunk async for chunk in exchange.chunks()]
