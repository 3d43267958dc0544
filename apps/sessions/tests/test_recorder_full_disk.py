"""A disk that is really full, as far as this process goes: the system refuses every write beyond a small size."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.db import connection

from apps.accounts.models import User
from apps.core.models import Process
from apps.core.running import processes
from apps.sessions.engine.engine import engine, follow
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, Session
from apps.sessions.selectors import events_after
from apps.sessions.tests.memory_agents import MemoryAgents
from apps.sessions.tests.talking import PROMPT, Talker
from apps.sessions.tests.viewing import Page
from apps.sessions.tests.waiting import PATIENCE_S, wait_until
from loom_events.recorded import RecordedEvent

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="the database is a file of this process")

LINE = "x" * 4000


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process grows beyond 16 kB, which leaves SQLite's log no room."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest_asyncio.fixture
async def talker(
    transactional_db: None, settings: Any, memory: MemoryAgents, host_kind: str
) -> AsyncIterator[Talker | MemoryAgents]:
    """A talker, with the engine of this process in front of it, which does not wait long for room."""
    async with Talker.running() as talker:
        settings.EMULATOR_URL = talker.url
        memory.talks = True
        process = await sync_to_async(processes.register)(Process.Kind.WEB)
        await engine.start(process.pk, hold_s=0.2)
        speaker = memory if host_kind == "memory" else talker
        yield speaker
        speaker.end()
        await engine.close(drain_s=0)


class Viewer:
    """Somebody who watches a run."""

    def __init__(self, invocation: Invocation) -> None:
        self.invocation = invocation
        self.seen: list[RecordedEvent] = []
        self.task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        async for events in follow(self.invocation.pk):
            self.seen += events

    async def sees(self, lines: int) -> None:
        """Wait until that many lines have come."""

        async def has_come() -> bool:
            return "".join(event["text"] for event in self.seen if event["kind"] == "text") == lines * LINE

        await wait_until(has_come, f"{lines} lines are seen")

    async def waits_for(self, caplog: pytest.LogCaptureFixture, message: str) -> None:
        """Wait until this process has logged that."""

        async def is_logged() -> bool:
            return any(message in record.getMessage() for record in caplog.records)

        await wait_until(is_logged, message)

    async def row(self) -> Invocation:
        return await Invocation.objects.aget(pk=self.invocation.pk)

    async def stored(self) -> list[int]:
        events = await sync_to_async(events_after)(self.invocation.pk)
        return [event["seq"] for event in events]


@pytest_asyncio.fixture
async def viewer(talker: Talker, make_session: Callable[..., Session]) -> AsyncIterator[Viewer]:
    session = await sync_to_async(make_session)()
    invocation = await sync_to_async(start_invocation)(session=session, prompt=PROMPT, process_id=engine.process_id)
    stream = engine.launch(invocation)
    viewer = Viewer(invocation)
    yield viewer
    viewer.task.cancel()
    assert stream.task and stream.task.done()


async def test_what_was_said_while_the_disk_was_full_is_written_when_there_is_room(
    talker: Talker, viewer: Viewer, caplog: pytest.LogCaptureFixture
) -> None:
    talker.say(*3 * [LINE])
    await viewer.sees(3)
    with full_disk():
        talker.say(*50 * [LINE])
        await viewer.sees(53)  # the run goes on for who watches it
        await viewer.waits_for(caplog, "recording put off")
        assert len(await viewer.stored()) < 53
    talker.say(LINE)
    talker.end()
    await asyncio.wait_for(viewer.task, PATIENCE_S)

    row = await viewer.row()
    assert (row.status, row.lost_event_count, row.error_message) == ("completed", 0, "")
    assert row.response_text == 54 * LINE
    assert await viewer.stored() == list(range(1, row.last_sequence + 1)) == [event["seq"] for event in viewer.seen]


async def test_a_run_that_ends_on_a_full_disk_says_what_is_missing(
    talker: Talker, viewer: Viewer, caplog: pytest.LogCaptureFixture, alice: User
) -> None:
    talker.say(*3 * [LINE])
    await viewer.sees(3)

    async def has_stored_all() -> bool:
        return len(await viewer.stored()) == len(viewer.seen)

    await wait_until(has_stored_all, "all is stored")
    kept = len(viewer.seen)
    page = Page(viewer.invocation.session, alice)
    await page.open()
    await page.read_until("<article")
    with full_disk():
        talker.say(*50 * [LINE])
        talker.end()
        await viewer.sees(53)
        await page.read_until("^held")
        await viewer.waits_for(caplog, "end of run put off")
        assert engine.stream(viewer.invocation.pk) is None  # nothing of it is held any longer
        assert ((await viewer.row()).status, viewer.task.done()) == ("streaming", False)
    await asyncio.wait_for(viewer.task, PATIENCE_S)

    await page.read_until("^(end|finished)")
    await page.leave()
    row = await viewer.row()
    lost = len(viewer.seen) - kept
    assert (row.status, row.error_code, row.lost_event_count) == ("failed", "not_stored", lost)
    assert f"the last {lost} of its {len(viewer.seen)} events are missing" in row.error_message
    assert (row.response_text, row.last_sequence, row.http_status) == (3 * LINE, kept, 200)
    assert await viewer.stored() == list(range(1, kept + 1))
    session = viewer.invocation.session
    assert await sync_to_async(start_invocation)(session=session, prompt="again", process_id=None)


async def test_a_process_ends_on_a_full_disk_too(talker: Talker, viewer: Viewer) -> None:
    talker.say(*3 * [LINE])
    await viewer.sees(3)
    with full_disk():
        talker.say(*50 * [LINE])
        await viewer.sees(53)
        await asyncio.wait_for(engine.close(drain_s=0), PATIENCE_S)
    assert (await viewer.row()).is_unfinished  # as after a crash: whoever looks next interrupts it
