"""One prompt is one request on the wire, whatever the agent does and however often a run is launched."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async

from apps.agents.models import Agent
from apps.core.models import Process
from apps.core.running import processes
from apps.sessions import invoking
from apps.sessions.engine.engine import Engine, engine, follow
from apps.sessions.models import Invocation, Session
from apps.sessions.tests.clock import Clock

pytestmark = pytest.mark.agentcore  # it is its wire that is looked at

HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
ANSWER = HEADERS + b"Content-Length: 16\r\n\r\n" + b'data: "Hello"\n\n\n'


def refusal(status: int, code: str) -> bytes:
    body = b'{"message": "no"}'
    head = f"HTTP/1.1 {status} No\r\nContent-Type: application/json\r\nX-Amzn-ErrorType: {code}\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


class Wire:
    """AgentCore reduced to a socket: counts what arrives and answers with these bytes once it may."""

    def __init__(self) -> None:
        self.reply = ANSWER
        self.requests = 0
        self.has_arrived = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        self.requests += 1
        self.has_arrived.set()
        await self.may_answer.wait()
        writer.write(self.reply)
        writer.close()


@pytest_asyncio.fixture(params=["wire", "botocore"])
async def wire(request: pytest.FixtureRequest, transactional_db: None, settings: Any) -> AsyncIterator[Wire]:
    """A running `Wire`, with the engine of this process pointing at it, by either way of a prompt."""
    settings.LOOM_DATA_PLANE = request.param
    wire = Wire()
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    settings.EMULATOR_URL = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    process = await sync_to_async(processes.register)(Process.Kind.WEB)
    await engine.start(process.pk)
    yield wire
    wire.may_answer.set()
    await engine.close(drain_s=0)
    server.close()
    await server.wait_closed()


@pytest.fixture
def begin(make_session: Callable[..., Session], make_agent: Callable[..., Agent]) -> Callable[..., Invocation]:
    def make(**agent: Any) -> Invocation:
        session = make_session(agent=make_agent(**agent))
        return invoking.start_invocation(session=session, prompt="go", process_id=engine.process_id)

    return make


async def finish(invocation: Invocation) -> Invocation:
    async for _ in follow(invocation.pk):
        pass
    return await Invocation.objects.aget(pk=invocation.pk)


async def test_an_agent_that_is_silent_for_seventy_seconds_is_called_once(wire: Wire, begin: Any) -> None:
    clock = Clock()
    wire.may_answer.clear()
    invocation = await sync_to_async(begin)()
    engine.launch(invocation)
    await wire.has_arrived.wait()
    await clock.advance(70)
    wire.may_answer.set()

    ended = await finish(invocation)
    assert (ended.status, ended.response_text, ended.attempt_count) == ("completed", "Hello", 1)
    assert wire.requests == 1


async def test_an_agent_that_is_silent_for_too_long_is_not_called_again(wire: Wire, begin: Any) -> None:
    clock = Clock()
    wire.may_answer.clear()
    invocation = await sync_to_async(begin)(read_timeout_ms=60_000)
    stream = engine.launch(invocation)
    await wire.has_arrived.wait()
    assert stream.task
    await clock.hurry(stream.task)

    ended = await finish(invocation)
    assert (ended.status, ended.is_unsent, ended.attempt_count) == ("failed", False, 1)
    assert ended.error_message == "Nothing arrived within the read timeout."
    assert wire.requests == 1


@pytest.mark.parametrize(
    ("reply", "http_status"),
    [
        (HEADERS + b"Content-Length: 100\r\n\r\n", 200),  # closes after its headers
        (HEADERS + b"Content-Length: 100\r\n\r\ndata: ", 200),
        (b"", None),  # closes without a byte
        (refusal(500, "InternalServerException"), 500),
        (refusal(503, "ServiceUnavailableException"), 503),
        (refusal(424, "RuntimeClientError"), 424),
    ],
)
async def test_an_agent_that_breaks_is_called_once(wire: Wire, begin: Any, reply: bytes, http_status: int) -> None:
    wire.reply = reply
    invocation = await sync_to_async(begin)()
    engine.launch(invocation)

    ended = await finish(invocation)
    assert (ended.status, ended.http_status, ended.is_unsent) == ("failed", http_status, False)
    assert (wire.requests, ended.attempt_count) == (1, 1)
    assert ended.error_code and ended.error_message and ended.error_advice


async def test_a_prompt_that_was_throttled_for_good_was_never_sent(wire: Wire, begin: Any) -> None:
    clock = Clock()
    wire.reply = refusal(429, "ThrottlingException")
    invocation = await sync_to_async(begin)()
    stream = engine.launch(invocation)
    assert stream.task
    await clock.hurry(stream.task)

    ended = await finish(invocation)
    assert (ended.status, ended.is_unsent, ended.attempt_count) == ("failed", True, 3)
    assert wire.requests == 3


async def test_a_prompt_without_a_connection_was_never_sent(wire: Wire, begin: Any, settings: Any) -> None:
    clock = Clock()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        settings.EMULATOR_URL = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        unconnected = Engine()
        assert engine.process_id
        await unconnected.start(engine.process_id)
        invocation = await sync_to_async(begin)()
        stream = unconnected.launch(invocation)
        assert stream.task
        await clock.hurry(stream.task)
        await unconnected.close()

    ended = await finish(invocation)
    assert (ended.status, ended.is_unsent, ended.error_code) == ("failed", True, "EndpointConnectionError")
    assert wire.requests == 0


async def test_a_run_that_is_launched_twice_is_sent_once(wire: Wire, begin: Any) -> None:
    wire.may_answer.clear()
    invocation = await sync_to_async(begin)()
    first = engine.launch(invocation)
    assert engine.launch(invocation) is first
    await wire.has_arrived.wait()

    elsewhere = Engine()  # the same run, delivered to another process too
    other = await sync_to_async(processes.register)(Process.Kind.WEB)
    await elsewhere.start(other.pk)
    again = elsewhere.launch(await Invocation.objects.select_related("session__agent").aget(pk=invocation.pk))
    assert again.task
    await again.task
    wire.may_answer.set()
    ended = await finish(invocation)
    late = engine.launch(invocation)  # and once more after its end
    assert late.task
    await late.task
    await elsewhere.close()

    assert (ended.status, ended.response_text, ended.process_id) == ("completed", "Hello", engine.process_id)
    assert wire.requests == 1
    assert await Invocation.objects.filter(pk=invocation.pk, completed_at=ended.completed_at).aexists()


async def test_a_run_that_is_stopped_before_it_begins_is_not_sent(wire: Wire, begin: Any) -> None:
    invocation = await sync_to_async(begin)()
    engine.launch(invocation)
    engine.stop(invocation.pk)

    ended = await asyncio.wait_for(finish(invocation), 60)
    assert (ended.status, ended.is_unsent, ended.invoked_at) == ("stopped", True, None)
    assert wire.requests == 0


async def test_a_request_that_comes_again_is_not_sent_again(wire: Wire, make_session: Any) -> None:
    session = await sync_to_async(make_session)()

    async def invoke(prompt: str) -> Invocation:
        return await sync_to_async(invoking.invoke, thread_sensitive=False)(
            session=session, prompt=prompt, request_key="form-1"
        )

    runs = await asyncio.gather(*[invoke("go") for _ in range(4)])
    await finish(runs[0])
    runs.append(await invoke("go"))

    assert len({run.pk for run in runs}) == 1
    assert wire.requests == 1
