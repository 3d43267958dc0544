"""What becomes of connections between requests, and who waits for one."""

from __future__ import annotations

import asyncio
import threading
import weakref
from contextvars import ContextVar

import pytest

from apps.wire.errors import BrokenError, ClosedError, ConnectError
from apps.wire.opening import Route
from apps.wire.pool import Pool
from apps.wire.tests.conftest import Serve
from apps.wire.tests.serving import PATIENCE_S, Peer, ask, body_of, happened, new_pool, plain
from apps.wire.tests.test_exchanges import OK, answering, halting, once


async def test_a_connection_is_used_again(serve: Serve, pool: Pool) -> None:
    server = serve(answering(OK))
    for _ in range(3):
        assert await body_of(await ask(pool, plain(server))) == b"ok"
    assert server.count == 1


async def test_a_connection_leads_to_one_place(serve: Serve, pool: Pool) -> None:
    one, other = serve(answering(OK)), serve(answering(OK))
    for server in (one, other, one):
        await body_of(await ask(pool, plain(server)))
    assert (one.count, other.count) == (1, 1)


async def test_an_old_connection_is_not_used_again(serve: Serve) -> None:
    """Before the server closes it, perhaps in the same moment."""
    hung_up = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.say(OK)
        if peer.has_hung_up():
            hung_up.set()

    server = serve(script, answering(OK))
    pool = new_pool(keep_s=0.0)
    for _ in range(2):
        assert await body_of(await ask(pool, plain(server))) == b"ok"
    assert server.count == 2
    assert await happened(hung_up)
    await pool.close()


async def test_old_connections_are_closed_by_themselves(serve: Serve) -> None:
    hung_up = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.say(OK)
        if peer.has_hung_up():
            hung_up.set()

    pool = new_pool(keep_s=0.01)
    await body_of(await ask(pool, plain(serve(script))))
    assert await happened(hung_up)
    await pool.close()


async def test_a_connection_that_the_server_has_closed_is_not_used_again(serve: Serve, pool: Pool) -> None:
    server = serve(once(OK), answering(OK))
    await body_of(await ask(pool, plain(server)))
    (connection,) = pool.connections
    while not connection.is_lost:  # noqa: ASYNC110 -- it tells nobody
        await asyncio.sleep(0.001)
    assert await body_of(await ask(pool, plain(server))) == b"ok"
    assert server.count == 2


@pytest.mark.parametrize("is_reset", [False, True])
async def test_nothing_is_sent_twice(serve: Serve, pool: Pool, *, is_reset: bool) -> None:
    """The server may have read the request before it hung up, on a connection that stood already too."""
    asked: list[bytes] = []

    def script(peer: Peer) -> None:
        asked.append(peer.request())
        peer.say(OK)
        asked.append(peer.request())
        if is_reset:
            peer.reset()

    server = serve(script)
    await body_of(await ask(pool, plain(server)))
    with pytest.raises(BrokenError) as caught:
        await ask(pool, plain(server))
    assert (server.count, len(asked), caught.value.is_reset) == (1, 2, is_reset)


async def test_what_comes_unasked_ends_a_connection(serve: Serve, pool: Pool) -> None:
    may_speak = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.say(OK)
        may_speak.wait(PATIENCE_S)
        peer.say(OK)
        peer.has_hung_up()

    server = serve(script, answering(OK))
    await body_of(await ask(pool, plain(server)))
    (connection,) = pool.connections
    may_speak.set()
    while not connection.is_lost:  # noqa: ASYNC110 -- it tells nobody
        await asyncio.sleep(0.001)
    assert await body_of(await ask(pool, plain(server))) == b"ok"
    assert server.count == 2


async def test_only_so_many_go_on_at_a_time(serve: Serve) -> None:
    pool = new_pool(most=1)
    first_hung_up = threading.Event()
    server = serve(halting(first_hung_up), answering(OK))
    first = await ask(pool, plain(server))
    second = asyncio.create_task(ask(pool, plain(server)))
    done, _ = await asyncio.wait([second], timeout=0)
    assert not done
    first.close()
    assert await body_of(await second) == b"ok"
    assert server.count == 2
    await pool.close()


async def test_who_fails_to_connect_takes_nobodys_place(serve: Serve) -> None:
    pool = new_pool(most=1)
    closed = serve(answering(OK))
    nowhere = Route("127.0.0.1", 1)
    for _ in range(2):
        with pytest.raises(ConnectError):
            await ask(pool, nowhere)
    assert await body_of(await ask(pool, plain(closed))) == b"ok"
    await pool.close()


async def test_closing_ends_everything(serve: Serve) -> None:
    hung_up = threading.Event()
    pool = new_pool()
    idle, busy = serve(answering(OK)), serve(halting(hung_up))
    await body_of(await ask(pool, plain(idle)))
    exchange = await ask(pool, plain(busy))
    reading = asyncio.create_task(body_of(exchange))
    await asyncio.sleep(0)
    await pool.close()
    await pool.close()
    with pytest.raises(ClosedError):
        await reading
    assert await happened(hung_up)
    assert pool.connections == set()


class Precious:
    """What nobody should keep longer than it is needed."""


_current: ContextVar[Precious] = ContextVar("precious")


async def test_a_connection_keeps_nothing_of_who_asked_for_it(serve: Serve, pool: Pool) -> None:
    """Its context would hold a run and all of its events for as long as the connection lives."""

    async def run() -> weakref.ref[Precious]:
        precious = Precious()
        _current.set(precious)
        await body_of(await ask(pool, plain(serve(answering(OK)))))
        return weakref.ref(precious)

    reference = await asyncio.create_task(run())
    await asyncio.sleep(0)  # the loop itself has just told us of the task, and lets go of it
    assert len(pool.connections) == 1
    assert reference() is None
