"""Runs that begin as rows: taken by any engine with room, waiting for people, typed ahead, adopted from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from apps.agents.models import Agent
from apps.core.exceptions import LoomError
from apps.core.models import Process
from apps.core.running import processes
from apps.sessions.engine import guards
from apps.sessions.engine.engine import Engine, engine, follow
from apps.sessions.engine.housekeeping import take_care_of_orphans
from apps.sessions.engine.queue import Taker, claim_queued, place_in_queue, put_back
from apps.sessions.exceptions import RequestKeyReusedError, SessionBusyError
from apps.sessions.invoking import (
    Request,
    enqueue,
    enqueue_prompt,
    resume_invocation,
    stop_invocation,
)
from apps.sessions.models import Invocation, QueuedPrompt, Session
from apps.sessions.selectors import events_after
from apps.sessions.tests.memory_host import MemoryHost
from apps.sessions.tests.queueing import KIND, MakeSession, enqueued, in_state, over, started
from apps.sessions.tests.queueing import echo as echo
from apps.sessions.tests.queueing import runner as runner
from apps.sessions.tests.queueing import taker as taker
from apps.sessions.tests.queueing import talk as talk
from apps.sessions.tests.waiting import wait_until
from loom_events.recorded import RecordedEvent

pytestmark = pytest.mark.agentcore  # they bring a host of their own


async def test_a_queued_run_is_taken_and_answered_once(taker: Engine, talk: MakeSession, echo: MemoryHost) -> None:
    sessions = [await sync_to_async(talk)() for _ in range(8)]  # more than there is room for
    runs = [await enqueued(session, f"prompt {number}") for number, session in enumerate(sessions)]

    ended = [await over(run) for run in runs]

    assert [(run.status, run.response_text, run.attempt) for run in ended] == [
        ("completed", f"prompt {number}", 1) for number in range(8)
    ]
    assert len(echo.runs) == 8
    assert all(run.queued_at and run.invoked_at and run.queued_at <= run.invoked_at for run in ended)
    assert {run.kind for run in ended} == {KIND}


async def test_a_run_of_an_agent_that_was_archived_meanwhile_is_not_sent(
    transactional_db: None, talk: MakeSession, echo: MemoryHost
) -> None:
    session = await sync_to_async(talk)()
    run = await enqueued(session)
    await Agent.objects.filter(pk=session.agent_id).aupdate(removed_at=timezone.now())
    taking = await started(Process.Kind.WEB, engine)
    ended = await over(run)
    await taking.close(drain_s=0)

    assert (ended.status, ended.error_code, ended.is_unsent, echo.runs) == ("failed", "agent_unavailable", True, [])
    assert ended.error_message.endswith("is archived.")


async def test_two_engines_share_the_queue_and_none_is_sent_twice(
    taker: Engine, runner: Engine, talk: MakeSession, echo: MemoryHost
) -> None:
    runs = [await enqueued(await sync_to_async(talk)(), f"prompt {number}") for number in range(20)]
    for run in runs:
        await over(run)

    assert sorted(handle.invocation.pk for handle in echo.runs) == [run.pk for run in runs]


async def test_pages_leave_the_queue_to_runners_for_a_moment(transactional_db: None, talk: MakeSession) -> None:
    run = await enqueued(await sync_to_async(talk)())
    web, runner = [await sync_to_async(processes.register)(kind) for kind in (Process.Kind.WEB, Process.Kind.RUNNER)]

    assert await sync_to_async(claim_queued)(web.pk, Process.Kind.WEB, 5) == []
    await Invocation.objects.filter(pk=run.pk).aupdate(queued_at=timezone.now() - timedelta(seconds=1))
    [(taken, recorded)] = await sync_to_async(claim_queued)(web.pk, Process.Kind.WEB, 5)
    assert (taken.pk, taken.status, taken.process_id, recorded) == (run.pk, "pending", web.pk, [])
    assert await sync_to_async(claim_queued)(runner.pk, Process.Kind.RUNNER, 5) == []


def test_the_place_in_the_queue_counts_who_is_taken_before(talk: MakeSession, settings: Any) -> None:
    runs = [enqueue(session=talk(), request=Request("go")) for _ in range(3)]
    assert [place_in_queue(run) for run in runs] == [1, 2, 3]

    process = processes.register(Process.Kind.WEB)
    claim_queued(process.pk, Process.Kind.WEB, 1)
    for run in runs:
        run.refresh_from_db()
    assert [place_in_queue(run) for run in runs] == [None, 1, 2]
    assert put_back(process.pk, runs[0].pk)
    runs[0].refresh_from_db()
    assert (place_in_queue(runs[0]), runs[0].attempt, runs[0].process_id) == (1, 0, None)

    settings.LOOM_AWS = "aws"  # the queue of the other mode is left alone
    assert claim_queued(process.pk, Process.Kind.WEB, 5) == []


def test_a_session_has_one_unfinished_run_and_a_request_is_one_run(talk: MakeSession) -> None:
    session = talk()
    first = enqueue(session=session, request=Request("go", key="once"))

    assert enqueue(session=session, request=Request("go", key="once")) == first
    with pytest.raises(RequestKeyReusedError):
        enqueue(session=session, request=Request("stay", key="once"))
    with pytest.raises(SessionBusyError):
        enqueue(session=session, request=Request("go"))


@pytest.mark.parametrize("status", ["queued", "waiting"])
def test_what_no_process_holds_is_stopped_at_once(talk: MakeSession, status: str) -> None:
    run = enqueue(session=talk(), request=Request("go"))
    Invocation.objects.filter(pk=run.pk).update(status=status)

    assert stop_invocation(invocation=run)
    run.refresh_from_db()
    assert (run.status, run.is_unsent, run.completed_at is not None) == ("stopped", True, True)
    assert not stop_invocation(invocation=run)


async def test_a_run_in_another_process_is_stopped_by_the_same_verb(
    taker: Engine, talk: MakeSession, echo: MemoryHost
) -> None:
    echo.gates = [asyncio.Event(), asyncio.Event()]
    run = await enqueued(await sync_to_async(talk)())
    await in_state(run, "streaming")
    other = Engine()  # who asks runs nothing itself

    assert not other.stop(run.pk)
    assert await sync_to_async(stop_invocation)(invocation=run)
    assert (await over(run)).status == "stopped"
    assert echo.cancelled == [run.pk]


# --- who died -----------------------------------------------------------------------------------------------------


def claimed(talk: MakeSession, *, status: str, attempt: int = 1) -> tuple[Invocation, Process]:
    """A run out of the queue, in a process that is about to die."""
    run = enqueue(session=talk(), request=Request("go"))
    process = processes.register(Process.Kind.RUNNER)
    claim_queued(process.pk, Process.Kind.RUNNER, 1)
    Invocation.objects.filter(pk=run.pk).update(status=status, attempt=attempt)
    return run, process


@pytest.mark.parametrize(
    ("on_death", "status", "attempt", "becomes"),
    [
        ("interrupt", "pending", 1, "queued"),  # claimed, and provably not sent
        ("interrupt", "streaming", 1, "interrupted"),
        ("requeue", "pending", 1, "queued"),
        ("requeue", "streaming", 1, "queued"),
        ("requeue", "streaming", 2, "queued"),
        ("requeue", "streaming", 3, "interrupted"),  # it may be what kills them
    ],
)
def test_the_run_of_a_dead_process_is_queued_again_or_ended(
    talk: MakeSession, echo: MemoryHost, on_death: Any, status: str, attempt: int, becomes: str
) -> None:
    echo.on_death = on_death
    run, process = claimed(talk, status=status, attempt=attempt)

    assert take_care_of_orphans(process.beat_at + timedelta(seconds=7)) == 0
    assert take_care_of_orphans(process.beat_at + timedelta(seconds=9)) == 1
    run.refresh_from_db()
    assert run.status == becomes
    if becomes == "queued":
        assert (run.process_id, run.claimed_at, place_in_queue(run)) == (None, None, 1)
    else:
        assert run.error_advice == "Send the prompt again."


def test_a_run_that_its_caller_waits_for_is_never_sent_by_somebody_else(talk: MakeSession) -> None:
    run, process = claimed(talk, status="pending")
    Invocation.objects.filter(pk=run.pk).update(queued_at=None)

    take_care_of_orphans(process.beat_at + timedelta(seconds=9))
    run.refresh_from_db()
    assert run.status == "interrupted"


async def test_what_a_dead_process_had_said_is_kept_and_gone_on_with(
    taker: Engine, talk: MakeSession, echo: MemoryHost
) -> None:
    echo.on_death, echo.gates = "requeue", [asyncio.Event(), asyncio.Event()]
    echo.gates[0].set()
    run = await enqueued(await sync_to_async(talk)(), "one two three")

    async def is_recorded() -> bool:
        return any(event["kind"] == "text" for event in await sync_to_async(events_after)(run.pk))

    await wait_until(is_recorded, "the first word is recorded")
    dead = await sync_to_async(processes.register)(Process.Kind.RUNNER)  # declared dead in this engine's place
    await Invocation.objects.filter(pk=run.pk).aupdate(process_id=dead.pk)
    echo.gates[1].set()
    await sync_to_async(processes.end)(dead.pk)
    await sync_to_async(take_care_of_orphans)(timezone.now())

    ended = await over(run)
    events = await sync_to_async(events_after)(run.pk)
    assert (ended.status, ended.response_text, ended.attempt) == ("completed", "one two three", 2)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["kind"] for event in events].count("restart") == 1
    offsets = [event["offset_ms"] for event in events]
    assert offsets == sorted(offsets)


class LettingGo:
    """An engine that still holds the stream of a run it has lost, until it is told to have let go of it."""

    def __init__(self, process_id: UUID) -> None:
        self.process_id: UUID | None = process_id
        self.holds = True
        self.launched: list[bool] = []

    def is_accepting(self) -> bool:
        return True

    def queued_count(self) -> int:
        return 0

    def stream(self, invocation_id: int) -> object | None:
        return self if self.holds else None

    def launch(self, invocation: Invocation, *, is_claimed: bool, recorded: list[RecordedEvent]) -> None:
        self.launched.append(self.holds)


async def test_a_run_that_this_process_still_lets_go_of_is_launched_when_it_has(
    transactional_db: None, talk: MakeSession
) -> None:
    """It was paused and counted as dead: its run is in the queue again while its own stream still stands."""
    run = await enqueued(await sync_to_async(talk)())
    process = await sync_to_async(processes.register)(Process.Kind.RUNNER)
    runs, taken = LettingGo(process.pk), asyncio.Event()

    async def call(function: Callable[..., Any], *arguments: Any) -> Any:
        result = await sync_to_async(function)(*arguments)
        if function is put_back:
            taken.set()
        return result

    taker = Taker(runs, call, Process.Kind.RUNNER, 5, poll_s=0.02)
    taker.start()
    await asyncio.wait_for(taken.wait(), 10)
    assert runs.launched == []
    runs.holds = False

    async def is_launched() -> bool:
        return bool(runs.launched)

    await wait_until(is_launched, "it is launched")
    await taker.close()
    assert runs.launched == [False]
    assert (await Invocation.objects.aget(pk=run.pk)).attempt == 1


# --- people -------------------------------------------------------------------------------------------------------


async def test_a_run_waits_for_a_person_and_goes_on_in_the_same_recording(
    taker: Engine, talk: MakeSession, echo: MemoryHost
) -> None:
    echo.asks = True
    seen: list[RecordedEvent] = []
    run = await enqueued(await sync_to_async(talk)(), "one two three")

    async def watch() -> None:
        async for events in follow(run.pk):
            seen.extend(events)

    watching = asyncio.create_task(watch())
    await in_state(run, "waiting")
    row = await Invocation.objects.select_related("session__agent").aget(pk=run.pk)
    assert (row.process_id, row.completed_at, row.response_text) == (None, None, "one")
    assert taker.stream(run.pk) is None and not watching.done()
    assert await sync_to_async(take_care_of_orphans)(timezone.now() + timedelta(days=1)) == 0
    with pytest.raises(SessionBusyError):
        await enqueued(row.session, "another")

    assert await sync_to_async(resume_invocation)(invocation=row)
    assert not await sync_to_async(resume_invocation)(invocation=row)
    ended = await over(run)
    await asyncio.wait_for(watching, 10)

    assert (ended.status, ended.response_text) == ("completed", "one two three")
    assert ended.waited_ms and ended.total_latency_ms is not None
    elapsed_ms = (ended.completed_at - ended.invoked_at).total_seconds() * 1000  # type: ignore[operator]
    assert ended.total_latency_ms == pytest.approx(elapsed_ms - ended.waited_ms)
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
    assert seen == await sync_to_async(events_after)(run.pk)
    assert ended.session.agent.invocation_count == 1


async def test_what_was_typed_ahead_is_sent_in_its_order_when_the_session_gets_free(
    taker: Engine, talk: MakeSession, echo: MemoryHost
) -> None:
    echo.gates = [asyncio.Event()]
    session = await sync_to_async(talk)()
    put = sync_to_async(enqueue_prompt)
    first = await put(session=session, request=Request("first"))
    assert isinstance(first, Invocation)
    second = await put(session=session, request=Request("second", key="2"))
    assert isinstance(second, QueuedPrompt)
    assert await put(session=session, request=Request("second", key="2")) == second
    await put(session=session, request=Request("third"))
    assert await QueuedPrompt.objects.acount() == 2
    echo.gates[0].set()

    async def are_answered() -> bool:
        return await Invocation.objects.filter(status="completed").acount() == 3

    await wait_until(are_answered, "all three are answered")
    rows = [(run.number, run.response_text, run.request_key) async for run in Invocation.objects.order_by("number")]
    assert rows == [(1, "first", ""), (2, "second", "2"), (3, "third", "")]
    assert not await QueuedPrompt.objects.aexists()


# --- guards -------------------------------------------------------------------------------------------------------


class Pause:
    """Refuses every run."""

    def before(self, session: Session) -> None:
        raise LoomError("This agent is paused.", advice="Resume it.")

    def watch(self, invocation: Invocation) -> None:
        return None


def test_a_guard_may_refuse_a_run_before_it_is_stored(talk: MakeSession) -> None:
    pause = Pause()
    guards.register(pause)
    try:
        with pytest.raises(LoomError, match="paused"):
            enqueue(session=talk(), request=Request("go"))
    finally:
        guards.forget(pause)
    assert not Invocation.objects.exists()
