"""`loom.write`: a response that has begun takes bytes at once, and they look as if they had been sent."""

from __future__ import annotations

import asyncio
import gc
from typing import Any
from weakref import ref

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from apps.core.requests.direct_write import EXTENSION, DirectWrite
from loom.tests.serving import Caller, serving

PIECES = [b"one", b"two " * 9, b"", b"0\r\n\r\n", b"x" * 70_000]
START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": [(b"x-id", b"7")]}
END: dict[str, Any] = {"type": "http.response.body"}


def writer_of(scope: dict[str, Any]) -> DirectWrite:
    write: DirectWrite = scope["extensions"][EXTENSION]
    return write


async def by_sending(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send(START)
    for piece in PIECES:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send(END)


async def by_writing(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Every second piece; what is not taken is sent."""
    write = writer_of(scope)
    await receive()
    await send(START)
    for number, piece in enumerate(PIECES):
        if number % 2 or not write(piece):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send(END)


@pytest.mark.parametrize(
    "request_line", ["GET / HTTP/1.1", "HEAD / HTTP/1.1", "GET / HTTP/1.0", "POST /?a=%20 HTTP/1.1"]
)
async def test_what_is_written_looks_like_what_is_sent(request_line: str) -> None:
    request = f"{request_line}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    received = []
    for app in (by_sending, by_writing):
        async with serving(app) as served:
            received.append(await (await Caller.call(served, request)).all())

    assert received[0] == received[1]
    assert request_line.startswith("HEAD") or received[0].endswith(b"x\r\n0\r\n\r\n")


async def test_a_connection_that_stays_answers_the_next_request() -> None:
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with serving(by_writing) as served:
        caller = await Caller.call(served, request + request)  # the second one waits for the first
        for _ in range(2):
            await caller.reader.readuntil(b"\r\n\r\n")
            assert b"".join([part async for part in caller.parts()]) == b"".join(PIECES)


@pytest.mark.parametrize("has_length", [True, False])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_is_no_chunk_of_a_body_is_not_taken(method: str, has_length: bool) -> None:
    taken: list[bool] = []
    has_ended = asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        write = writer_of(scope)
        await receive()
        taken.append(write(b"before it has begun"))
        headers = [(b"content-length", b"2")] if has_length else []
        await send({**START, "headers": headers})
        taken.append(write(b"ok"))
        await send({"type": "http.response.body", "body": b"" if taken[-1] else b"ok"})
        taken.append(write(b"after its end"))
        has_ended.set()

    async with serving(app) as served:
        await Caller.call(served, f"{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        async with asyncio.timeout(60):
            await has_ended.wait()

    assert taken == [False, method == "GET" and not has_length, False]


async def test_a_reader_that_does_not_read_is_written_no_more_and_misses_nothing() -> None:
    """What was refused waits in `send`, as uvicorn has it, until there is room again."""
    piece, count, refused = b"%07d" * 1000, 3000, asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        write = writer_of(scope)
        await receive()
        await send(START)
        for number in range(count):
            body = piece % ((number,) * 1000)
            if not write(body):
                refused.set()
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send(END)

    async with serving(app) as served:
        caller = await Caller.call(served, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(60):
            await refused.wait()
        assert 0 < served.unread_bytes < 200_000
        body = await caller.body()

    assert body == b"".join(piece % ((number,) * 1000) for number in range(count))


async def test_who_has_left_is_written_nothing_and_nothing_of_him_is_kept() -> None:
    kept: list[Any] = []
    left = asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        write = writer_of(scope)
        kept.append((write, ref(send.__self__)))
        assert isinstance(send.__self__, RequestResponseCycle)
        await receive()
        await send(START)
        assert write(b"hello")
        assert (await receive())["type"] == "http.disconnect"
        kept.append(write(b"is anybody there?"))
        left.set()

    gc.collect()
    gc.disable()
    try:
        async with serving(app) as served:
            caller = await Caller.call(served, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await caller.reader.readuntil(b"hello")
            caller.cut()
            async with asyncio.timeout(60):
                await left.wait()
    finally:
        gc.enable()

    [(write, cycle), was_taken] = kept
    assert (was_taken, cycle(), write(b"still not")) == (False, None, False)
