"""Three hundred answers at once in one process, recorded, with a worker at work on the same database file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django_q.models import Failure, Success
from django_q.tasks import async_task

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.aws.tests.emulator_process import Emulator
from apps.core.models import Notice
from apps.core.running.processes import Heartbeat
from apps.sessions.engine.engine import engine
from apps.sessions.invoking import invoke
from apps.sessions.models import Invocation
from apps.sessions.selectors import events_after
from apps.sessions.services import start_session
from loom.tests.running import Running, wait_until
from loom.tests.this_database import url_of_this_database
from loom_events.fold import answer_text

STREAMS, CHUNKS, PAUSE_S, TASKS = 300, 40, 0.1, 60


def answer_to(prompt: str) -> list[str]:
    return [f"{prompt}.{number} " for number in range(CHUNKS)]


class Crowd:
    """An agent that answers when all prompts are here, a piece every tenth of a second."""

    def __init__(self) -> None:
        self._everybody = asyncio.Barrier(STREAMS)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await reader.readexactly(int(length.partition(b":")[2]))
        await self._everybody.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for piece in answer_to(json.loads(body)["prompt"]):
            writer.write(f"data: {json.dumps(piece)}\n\n".encode())
            await asyncio.sleep(PAUSE_S)
        writer.close()


@pytest_asyncio.fixture
async def running_engine(transactional_db: None, settings: object) -> AsyncIterator[None]:
    """The engine of this process, with its heartbeat, in front of such an agent."""
    server = await asyncio.start_server(Crowd().answer, "127.0.0.1", 0, backlog=STREAMS)
    settings.EMULATOR_URL = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    async with Heartbeat() as heartbeat:
        await engine.start(heartbeat.process_id)
        yield
        await engine.close(drain_s=60)
    server.close()
    await server.wait_closed()


def start_all(agent: Agent, owner: User) -> list[Invocation]:
    """Send every prompt, each in a session of its own, and queue a task of the worker for every fifth."""
    invocations = []
    for number in range(STREAMS):
        session = start_session(agent=agent, owner=owner)
        invocations.append(invoke(session=session, prompt=f"prompt {number}"))
        if number % (STREAMS // TASKS) == 0:
            async_task("apps.core.notices.notices.notify", "load", f"task {number}")
    return invocations


def check_recordings(invocations: list[Invocation]) -> None:
    """Each recording holds each event once and in order, and exactly what the agent said."""
    for invocation in invocations:
        row = Invocation.objects.get(pk=invocation.pk)
        events = events_after(row.pk)
        assert (row.status, row.error_message, row.lost_event_count) == ("completed", "", 0)
        assert [event["seq"] for event in events] == list(range(1, row.last_sequence + 1))
        assert answer_text(events) == row.response_text == "".join(answer_to(row.prompt))


@pytest.mark.slow("three hundred streams")
async def test_three_hundred_streams_and_a_worker_lose_nothing_on_one_file(
    emulator: Emulator,
    running_engine: None,
    make_agent: Callable[..., Agent],
    alice: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    environment = {"DATABASE_URL": url_of_this_database(), "EMULATOR_PORT": str(urlsplit(emulator.url).port)}
    with Running("manage.py", "worker", environment=environment) as worker:
        await asyncio.to_thread(worker.wait_for_line, "worker ready")
        agent = await sync_to_async(make_agent)()
        invocations = await sync_to_async(start_all, thread_sensitive=False)(agent, alice)
        await asyncio.gather(*[stream.task for run in invocations if (stream := engine.stream(run.pk)) and stream.task])
        await sync_to_async(check_recordings)(invocations)

        def are_tasks_done() -> bool:
            return [Notice.objects.filter(topic="load").count(), Success.objects.count()] == [TASKS, TASKS]

        await sync_to_async(wait_until)(are_tasks_done, "every task of the worker is done")
        worker.process.terminate()
        assert await asyncio.to_thread(worker.wait_for_end) == 0

    assert await Failure.objects.acount() == 0
    said = [record.getMessage() for record in caplog.records] + worker.output
    assert [line for line in said if "locked" in line or "put off" in line] == []
