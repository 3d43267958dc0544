from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core import processes
from apps.core.models import Process
from apps.core.notices import Tail
from apps.sessions.engine.engine import Engine, engine
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, Session
from apps.sessions.services import start_session
from apps.sessions.tests.talking import PROMPT, Talker
from apps.sessions.tests.viewing import Page


@pytest_asyncio.fixture
async def running_engine(transactional_db: None, emulator: Any) -> AsyncIterator[Engine]:
    """The engine of this process, running on the test's loop against the emulator."""
    process = await sync_to_async(processes.register)(Process.Kind.WEB)
    await engine.start(process.pk)
    yield engine
    await engine.close(drain_s=0)


@pytest_asyncio.fixture
async def talker(running_engine: Engine, settings: Any) -> AsyncIterator[Talker]:
    """A talker, with the engine of this process in front of it instead of the emulator."""
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
async def pages(running_engine: Engine) -> AsyncIterator[Callable[..., Any]]:
    """Open viewers; all are closed at the end."""
    opened: list[Page] = []

    async def open_page(session: Session, user: User | AnonymousUser, query: str = "") -> Page:
        page = Page(session, user, query)
        opened.append(page)
        await page.open()
        return page

    async with Tail(every_s=0.05):
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
