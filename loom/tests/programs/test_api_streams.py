"""Runs read over the API by real connections, to which the run itself writes; and the same bytes without that."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.test import Client
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.models import Process
from apps.core.running import processes
from apps.sessions.engine import host
from apps.sessions.engine.engine import Engine, engine
from apps.sessions.engine.run_stream import LiveStream
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation
from apps.sessions.services import start_session
from apps.sessions.tests.memory_agents import KIND, MemoryAgents
from apps.sessions.viewing.sse import KEEP_ALIVE
from loom.asgi import http
from loom.tests.serving import PATIENCE_S, Caller, Served, serving

WORDS = ["Two ", "days ", 'in "Ghent"\\', "\n\n", "\x01\x7f\u2028", "🚲 ü ", "{[]}", ""]


@pytest.fixture
def agents() -> Iterator[MemoryAgents]:
    """Agents that say what the test says."""
    agents = MemoryAgents()
    agents.talks = True
    host.register(KIND, lambda: agents)
    yield agents
    host.forget(KIND)


@pytest_asyncio.fixture
async def running_engine(transactional_db: None, agents: MemoryAgents) -> AsyncIterator[Engine]:
    process = await sync_to_async(processes.register)(Process.Kind.WEB)
    await engine.start(process.pk)
    yield engine
    await engine.close(drain_s=0)


class Reading:
    """Somebody signed in, and a run that he reads."""

    def __init__(self, invocation: Invocation, stream: LiveStream, cookie: str) -> None:
        self.invocation = invocation
        self.stream = stream
        self._cookie = cookie

    @property
    def path(self) -> str:
        session = self.invocation.session
        return f"/api/agents/{session.agent_id}/sessions/{session.runtime_session_id}/events"

    async def open(self, served: Served, query: str = "", last: str = "") -> Caller:
        lines = [
            f"GET {self.path}{query} HTTP/1.1",
            "Host: localhost",
            f"Cookie: {self._cookie}",
            "Accept-Encoding: gzip",
        ]
        lines += [f"Last-Event-ID: {last}"] if last else []
        return await Caller.call(served, "\r\n".join([*lines, "", ""]).encode())


@pytest_asyncio.fixture
async def reading(
    running_engine: Engine, make_agent: Callable[..., Agent], alice: User, monkeypatch: pytest.MonkeyPatch
) -> Reading:
    """Alice, with a run that has begun. However slow the machine is, no silence is told."""
    monkeypatch.setattr("apps.sessions.viewing.sse.KEEP_ALIVE_S", 3_600.0)

    def begin() -> tuple[Invocation, str]:
        client = Client()
        client.force_login(alice)
        session = start_session(agent=make_agent(kind=KIND, origin="loom"), owner=alice)
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
        return start_invocation(session=session, prompt="Hi", process_id=running_engine.process_id), cookie

    invocation, cookie = await sync_to_async(begin)()
    return Reading(invocation, running_engine.launch(invocation), cookie)


class Counted:
    """The application, and how many messages with a body each of its requests took."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        async def count(message: dict[str, Any]) -> None:
            self.sent[scope["query_string"].decode()] += message["type"] == "http.response.body"
            await send(message)

        await http(scope, receive, count)


async def listening(stream: LiveStream, count: int) -> None:
    """Until so many readers have what there is."""
    async with asyncio.timeout(PATIENCE_S):
        while len(stream._listeners) + len(stream._waiting) < count:  # noqa: ASYNC110 -- nothing tells of it
            await asyncio.sleep(0.01)


async def said(stream: LiveStream, agents: MemoryAgents, *pieces: str) -> None:
    """Let the agent say this, each piece in an event of its own and in a turn of its own of the loop."""
    for piece in pieces:
        number = len(stream.events)
        agents.say(piece, to="Hi")
        async with asyncio.timeout(PATIENCE_S):
            while len(stream.events) == number and not stream.ended.is_set():  # noqa: ASYNC110 -- a turn of the loop
                await asyncio.sleep(0)


async def end(reading: Reading, agents: MemoryAgents, how: str) -> None:
    if how == "stopped":
        assert engine.stop(reading.invocation.pk)
    else:
        agents.end(to="Hi")
    async with asyncio.timeout(PATIENCE_S):
        await reading.stream.ended.wait()


QUERIES = {
    "": "", "?detail=1": "", "?since=1": "", "?since=2&detail=1": "", "?since=999": "", "?invocation=1": "2",
}  # fmt: skip


@pytest.mark.parametrize("how", ["completed", "stopped"])
async def test_both_ways_say_the_same_bytes(reading: Reading, agents: MemoryAgents, how: str) -> None:
    """Whoever comes before the first word, in the middle, with the number of what he has; to the end."""
    direct, plain = Counted(), Counted()
    async with serving(direct) as by_writing, serving(plain, HttpToolsProtocol) as by_sending:
        readers: list[tuple[str, Caller, Caller]] = []
        for name, words in (("early", WORDS), ("late", WORDS)):
            for query, last in QUERIES.items():
                query = f"{query}&{name}" if query else f"?{name}"
                pair = [await reading.open(served, query, last) for served in (by_writing, by_sending)]
                readers.append((query, pair[0], pair[1]))
            await listening(reading.stream, 2 * len(readers))
            await said(reading.stream, agents, *words)
        await end(reading, agents, how)
        for query, one, other in readers:
            body = await one.body()
            assert (query, body) == (query, await other.body())
            assert body.endswith(b"\n\n") and body.count(b"event: session_end\n") == (how == "completed")
    # The beginning, what was there before, the end, and that no more comes; without it, every word.
    assert max(direct.sent.values()) <= 4 < min(count for query, count in plain.sent.items() if "999" not in query)


async def test_a_silence_is_told_and_a_word_after_it_too(
    reading: Reading, agents: MemoryAgents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.sessions.viewing.sse.KEEP_ALIVE_S", 0.05)
    async with serving(http) as served:
        caller = await reading.open(served)
        await listening(reading.stream, 1)
        await said(reading.stream, agents, "before")
        async with asyncio.timeout(PATIENCE_S):
            before = await caller.reader.readuntil(KEEP_ALIVE)
            before += await caller.reader.readuntil(KEEP_ALIVE)
        assert b'{"text": "before"}' in before
        await said(reading.stream, agents, "after")
        async with asyncio.timeout(PATIENCE_S):
            assert b'{"text": "after"}' in await caller.reader.readuntil(b'after"}')
        await end(reading, agents, "completed")
        assert b"event: session_end" in await caller.reader.readuntil(b"0\r\n\r\n")


async def test_a_reader_that_stops_for_a_while_gets_everything_once_and_in_order(
    reading: Reading, agents: MemoryAgents
) -> None:
    """And meanwhile the server keeps no more for him than a connection takes; the others read on."""
    pieces = [f"{number:06d} " + "x" * 20_000 for number in range(400)]
    async with serving(http) as served:
        slow, quick = await reading.open(served), await reading.open(served)
        body = asyncio.create_task(quick.body())
        await listening(reading.stream, 2)
        await said(reading.stream, agents, *pieces[:300])
        assert served.unread_bytes < 300_000
        await slow.reader.readuntil(b"\r\n\r\n")
        parts = slow.parts()
        begun = b"".join([await anext(parts) for _ in range(20)])  # he reads a little
        await said(reading.stream, agents, *pieces[300:])
        await end(reading, agents, "completed")
        rest = b"".join([part async for part in parts])
        assert begun + rest == await body

    chunks = [line for line in (begun + rest).decode().split("\n") if line.startswith('data: {"text"')]
    assert [json.loads(line.removeprefix("data: "))["text"] for line in chunks] == pieces


async def test_a_hundred_readers_of_one_run(reading: Reading, agents: MemoryAgents) -> None:
    async with serving(http) as served:
        readers = [await reading.open(served) for _ in range(100)]
        bodies = [asyncio.create_task(reader.body()) for reader in readers]
        await listening(reading.stream, 100)
        await said(reading.stream, agents, *WORDS * 5)
        await end(reading, agents, "completed")
        received = await asyncio.gather(*bodies)

    assert len(set(received)) == 1
    assert received[0].count(b"event: chunk\n") == 5 * sum(word != "" for word in WORDS)


async def test_a_reader_that_is_cut_off_leaves_nothing_behind_and_the_run_goes_on(
    reading: Reading, agents: MemoryAgents
) -> None:
    async with serving(http) as served:
        leaving, staying = await reading.open(served), await reading.open(served)
        body = asyncio.create_task(staying.body())
        await listening(reading.stream, 2)
        await said(reading.stream, agents, "one ")
        leaving.cut()
        async with asyncio.timeout(PATIENCE_S):
            while len(reading.stream._listeners) > 1 or len(served.state.tasks) > 1:  # noqa: ASYNC110 -- as above
                await asyncio.sleep(0.01)
        await said(reading.stream, agents, "two ")
        await end(reading, agents, "completed")
        received = await body
        again = await (await reading.open(served, "?since=3")).body()  # he comes again with what he has

    assert b'{"text": "two "}' in received and received.endswith(again)
    assert b'{"text": "one "}' not in again and b'{"text": "two "}' in again
