"""A request has a thread of its own, and the next one finds what it knows of its connection."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from loom.asgi import http
from loom.tests.serving import Caller, serving
from loom.web.request_threads import RequestThreads


async def look() -> tuple[int, int]:
    """The thread in which a request asks the database, and its connection."""
    return await sync_to_async(lambda: (threading.get_ident(), id(connections["default"])))()


async def test_the_next_request_has_the_thread_and_the_connection_of_the_last() -> None:
    threads = RequestThreads(2)
    seen = []
    for _ in range(3):
        async with threads.one():
            seen += [await look(), await look()]

    assert len(set(seen)) == 1


async def test_requests_at_a_time_have_a_thread_each() -> None:
    threads = RequestThreads(2)
    async with threads.one(), threads.one():
        inner = await look()
    are_in, may_leave = asyncio.Barrier(3), asyncio.Event()

    async def request() -> tuple[int, int]:
        async with threads.one():
            found = await look()
            await are_in.wait()
            await may_leave.wait()
            return found

    requests = [asyncio.create_task(request()) for _ in range(2)]
    async with asyncio.timeout(60):
        await are_in.wait()
        may_leave.set()
        found = await asyncio.gather(*requests)
    assert len(set(found)) == 2 and inner in found


async def test_no_more_threads_are_kept_than_told() -> None:
    threads = RequestThreads(1)
    async with threads.one(), threads.one(), threads.one():
        pass
    before = {thread.ident for thread in threading.enumerate()}
    async with threads.one():
        kept = await look()
    async with threads.one():
        assert await look() == kept
    async with threads.one(), threads.one():
        await look()

    assert len({thread.ident for thread in threading.enumerate()} - before) <= 2  # one that is kept, one that ends


async def test_a_request_that_fails_or_is_cut_off_gives_its_thread_back() -> None:
    threads = RequestThreads(1)
    with suppress(ValueError):
        async with threads.one():
            first = await look()
            raise ValueError
    has_begun = asyncio.Event()

    async def cut_off() -> None:
        async with threads.one():
            assert await look() == first
            has_begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(cut_off())
    async with asyncio.timeout(60):
        await has_begun.wait()
    task.cancel()
    await asyncio.wait([task])
    async with threads.one():
        assert await look() == first


@pytest.mark.django_db(transaction=True)
async def test_pages_are_served_by_threads_that_stay() -> None:
    def serving_threads() -> set[int | None]:
        return {thread.ident for thread in threading.enumerate() if thread.name.startswith("request")}

    request = b"GET /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    seen = []
    async with serving(http) as served:
        for _ in range(3):
            assert (await (await Caller.call(served, request)).all()).startswith(b"HTTP/1.1 200 ")
            seen.append(serving_threads())

    assert seen[0] and seen[0] == seen[1] == seen[2]
