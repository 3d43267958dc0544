"""What tests of the queue share: a host that says prompts back, engines that take runs, and waiting for their ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async

from apps.agents.models import Agent
from apps.core.models import Process
from apps.core.running import processes
from apps.sessions.engine import host
from apps.sessions.engine.engine import Engine, engine
from apps.sessions.invoking import Request, enqueue
from apps.sessions.models import Invocation, Session
from apps.sessions.tests.memory_host import MemoryHost
from apps.sessions.tests.waiting import wait_until

MakeSession = Callable[..., Session]
KIND = "local"


@pytest.fixture
def echo() -> Iterator[MemoryHost]:
    """A host that says prompts back, word by word, as the test wants it."""
    made = MemoryHost()
    host.register(KIND, lambda: made)
    yield made
    host.forget(KIND)


@pytest.fixture
def talk(
    transactional_db: None, make_agent: Callable[..., Agent], make_session: MakeSession, echo: MemoryHost
) -> MakeSession:
    """Make sessions with agents that `echo` answers."""

    return lambda: make_session(agent=make_agent(kind=KIND))


async def started(kind: Process.Kind, made: Engine, room: int = 5) -> Engine:
    process = await sync_to_async(processes.register)(kind)
    await made.start(process.pk, takes=kind, room=room)
    return made


@pytest_asyncio.fixture
async def taker(transactional_db: None, echo: MemoryHost) -> AsyncIterator[Engine]:
    """The engine of this process as one that takes runs out of the queue."""
    yield await started(Process.Kind.WEB, engine)
    await engine.close(drain_s=0)


@pytest_asyncio.fixture
async def runner(transactional_db: None, echo: MemoryHost) -> AsyncIterator[Engine]:
    """A second engine, as a runner has one."""
    made = await started(Process.Kind.RUNNER, Engine())
    yield made
    await made.close(drain_s=0)


async def enqueued(session: Session, prompt: str = "one two", **more: Any) -> Invocation:
    return await sync_to_async(enqueue)(session=session, request=Request(prompt, **more))


async def over(invocation: Invocation) -> Invocation:
    """The run as it is once it is over."""
    rows = Invocation.objects.select_related("session__agent")

    async def is_over() -> bool:
        return (await rows.aget(pk=invocation.pk)).status in Invocation.FINISHED

    await wait_until(is_over, "the run is over")
    return await rows.aget(pk=invocation.pk)


async def in_state(invocation: Invocation, status: str) -> None:
    async def is_so() -> bool:
        return (await Invocation.objects.aget(pk=invocation.pk)).status == status

    await wait_until(is_so, status)
