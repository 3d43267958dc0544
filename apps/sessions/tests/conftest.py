from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.models import Process
from apps.core.notices.tail import Tail
from apps.core.running import processes
from apps.sessions.engine import host
from apps.sessions.engine.engine import Engine, engine
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, Session
from apps.sessions.services import start_session
from apps.sessions.tests.memory_agents import KIND, MemoryAgents
from apps.sessions.tests.talking import PROMPT, Talker
from apps.sessions.tests.viewing import Page

HOSTS = ["agentcore", "memory"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test of sessions runs over both hosts, unless it says that it is about AgentCore."""
    if "host_kind" in metafunc.fixturenames:
        is_about_agentcore = metafunc.definition.get_closest_marker("agentcore") is not None
        metafunc.parametrize("host_kind", HOSTS[:1] if is_about_agentcore else HOSTS, indirect=True)
    if "takes_ready_frames" in metafunc.fixturenames:
        metafunc.parametrize("takes_ready_frames", [False, True], ids=["send", "write"])


@pytest.fixture
def host_kind(request: pytest.FixtureRequest) -> str:
    """Who answers: AgentCore, as the emulator or a socket, or a host in this process."""
    return str(request.param)


@pytest.fixture
def memory(host_kind: str) -> Iterator[MemoryAgents]:
    """The host in this process, which answers every agent of the test where it is asked for."""
    agents = MemoryAgents()
    host.register(KIND, lambda: agents)
    yield agents
    host.forget(KIND)


@pytest.fixture
def emulator(emulator: Any, memory: MemoryAgents, host_kind: str) -> Any:
    """What takes orders and tells the truth of what it was asked."""
    return emulator if host_kind == "agentcore" else memory


@pytest.fixture
def make_agent(make_agent: Callable[..., Agent], memory: MemoryAgents, host_kind: str) -> Callable[..., Agent]:
    def make(**overrides: Any) -> Agent:
        return _of_kind(make_agent(**overrides), host_kind)

    return make


@pytest.fixture
def demo_agent(demo_agent: Callable[[str], Agent], memory: MemoryAgents, host_kind: str) -> Callable[[str], Agent]:
    return lambda name: _of_kind(demo_agent(name), host_kind)


def _of_kind(agent: Agent, host_kind: str) -> Agent:
    """The agent as one of another kind, which has no runtime on AWS, where the test runs over the other host."""
    if host_kind == "memory" and agent.kind == Agent.Kind.AGENTCORE:
        agent.runtime.delete()
        Agent.objects.filter(pk=agent.pk).update(kind=KIND, former_arn=None)
        return Agent.objects.get(pk=agent.pk)
    return agent


@pytest_asyncio.fixture
async def running_engine(transactional_db: None, emulator: Any) -> AsyncIterator[Engine]:
    """The engine of this process, running on the test's loop."""
    process = await sync_to_async(processes.register)(Process.Kind.WEB)
    await engine.start(process.pk)
    yield engine
    await engine.close(drain_s=0)


@pytest_asyncio.fixture
async def talker(
    running_engine: Engine, settings: Any, memory: MemoryAgents, host_kind: str
) -> AsyncIterator[Talker | MemoryAgents]:
    """A talker, with the engine of this process in front of it instead of the emulator."""
    if host_kind == "memory":
        memory.talks = True
        yield memory
        return
    async with Talker.running() as talker:
        process_id = running_engine.process_id
        assert process_id is not None
        await running_engine.close()
        settings.EMULATOR_URL = talker.url
        await running_engine.start(process_id)
        yield talker


@pytest.fixture
def begin(demo_agent: Callable[[str], Agent], alice: Any) -> Callable[..., Invocation]:
    """Store a pending invocation of a demo agent for the engine of this process, in a new session or a given one."""

    def make(
        name: str = "travel_concierge", prompt: str = "Two days in Ghent", session: Session | None = None
    ) -> Invocation:
        if session is None:
            agent = Agent.objects.filter(name=name).first() or demo_agent(name)
            session = start_session(agent=agent, owner=alice)
        return start_invocation(session=session, prompt=prompt, process_id=engine.process_id)

    return make


@pytest_asyncio.fixture
async def pages(running_engine: Engine, takes_ready_frames: bool) -> AsyncIterator[Callable[..., Any]]:
    """Open viewers, of a server that knows no more than ASGI or that takes ready frames; all are closed at the end."""
    opened: list[Page] = []

    async def open_page(
        session: Session, user: User | AnonymousUser, query: str = "", make: Callable[..., Page] = Page
    ) -> Page:
        page = make(session, user, query)
        if takes_ready_frames:
            page.take_ready_frames()
        opened.append(page)
        await page.open()
        return page

    async with Tail():
        yield open_page
        for page in opened:
            await page.leave()


@pytest.fixture
def session(begin: Callable[..., Invocation]) -> Session:
    invocation = begin()
    session = invocation.session
    Invocation.objects.all().delete()
    return session


@pytest.fixture
def talk(transactional_db: None, make_session: Callable[..., Session]) -> Session:
    """A session with an agent that says what `talker` is told to say."""
    return make_session()


@pytest.fixture
def begin_talk(talk: Session, make_session: Callable[..., Session]) -> Callable[..., Invocation]:
    """Store a pending invocation of such an agent for the engine of this process; every one in a session of its own."""
    sessions = [talk]

    def make(prompt: str = PROMPT) -> Invocation:
        session = sessions.pop() if sessions else make_session()
        return start_invocation(session=session, prompt=prompt, process_id=engine.process_id)

    return make
