from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.db import DatabaseError, DataError, OperationalError, connection
from django.utils import timezone

from apps.core.models import Process
from apps.core.running import processes
from apps.sessions.engine.recorder import Recorder
from apps.sessions.engine.recording import Pending, finish_invocation, write_batches
from apps.sessions.engine.run_stream import LiveStream
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, RecordingBatch, Session
from apps.sessions.selectors import events_after
from apps.sessions.signals import invocation_completed
from loom_events.recorded import RecordedEvent


@pytest.fixture
def process(transactional_db: None) -> Process:
    return processes.register(Process.Kind.WEB)


@pytest.fixture
def invocation(process: Process, make_session: Callable[..., Session]) -> Invocation:
    return start_invocation(session=make_session(), prompt="go", process_id=process.pk)


def events(first: int, last: int) -> list[RecordedEvent]:
    return [
        {"seq": number, "offset_ms": float(number), "kind": "text", "text": f"{number} "}
        for number in range(first, last + 1)
    ]


def test_batches_make_the_recording(process: Process, invocation: Invocation) -> None:
    assert write_batches(process.pk, [Pending(invocation.pk, events(1, 3), {"status": "streaming"})]) == set()
    assert write_batches(process.pk, [Pending(invocation.pk, events(4, 5))]) == set()

    assert events_after(invocation.pk) == events(1, 5)
    assert events_after(invocation.pk, 3) == events(4, 5)
    invocation.refresh_from_db()
    assert invocation.status == "streaming"


async def test_an_end_waits_for_a_part_of_the_others_only(
    process: Process, make_session: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.sessions.engine.recorder.AT_ONCE", 1)

    def begin() -> LiveStream:
        return LiveStream(start_invocation(session=make_session(), prompt="go", process_id=process.pk).pk)

    first, second, ending = [await sync_to_async(begin)() for _ in range(3)]
    for stream in (first, second, ending):
        add(stream, 2)
    recorder = Recorder(process.pk, lambda: [first, second, ending], lambda _: None)
    has_written, is_ended = await asyncio.gather(
        recorder.tick(), recorder.finish(ending, status="completed", completed_at=timezone.now())
    )
    await recorder.close()

    assert (has_written, is_ended) == (True, True)
    batches = RecordingBatch.objects.order_by("pk").values_list("invocation", "last_sequence")
    assert [found async for found in batches] == [
        (stream.invocation_id, 2) for stream in (first, ending, second)
    ]  # fmt: skip


def test_a_process_writes_only_what_is_its_own_and_running(process: Process, invocation: Invocation) -> None:
    other = processes.register(Process.Kind.WEB)

    assert write_batches(other.pk, [Pending(invocation.pk, events(1, 1), {"error_code": "x"})]) == {invocation.pk}
    assert not finish_invocation(other.pk, Pending(invocation.pk, []), status="completed", completed_at=timezone.now())
    Invocation.objects.update(status="interrupted")
    assert write_batches(process.pk, [Pending(invocation.pk, events(1, 1))]) == {invocation.pk}
    assert not finish_invocation(
        process.pk, Pending(invocation.pk, []), status="completed", completed_at=timezone.now()
    )
    assert (RecordingBatch.objects.count(), Invocation.objects.get().status) == (0, "interrupted")


def test_the_end_is_one_transaction_with_what_listens_to_it(process: Process, invocation: Invocation) -> None:
    def refuse(**_: Any) -> None:
        raise DatabaseError("no room for the measurement")

    invocation_completed.connect(refuse)
    try:
        with pytest.raises(DatabaseError):
            finish_invocation(
                process.pk, Pending(invocation.pk, events(1, 2)), status="completed", completed_at=timezone.now()
            )
    finally:
        invocation_completed.disconnect(refuse)

    assert (RecordingBatch.objects.count(), Invocation.objects.get().status) == (0, "pending")


async def test_a_listener_that_fails_does_not_keep_the_session_busy(process: Process, invocation: Invocation) -> None:
    def fail(**_: Any) -> None:
        raise ZeroDivisionError

    stream = LiveStream(invocation.pk)
    recorder = Recorder(process.pk, lambda: [stream], lambda _: None)
    add(stream, 3)
    invocation_completed.connect(fail)
    try:
        assert await recorder.finish(stream, status="completed", completed_at=timezone.now())
    finally:
        invocation_completed.disconnect(fail)
        await recorder.close()

    ended = await Invocation.objects.aget()
    assert (ended.status, ended.lost_event_count) == ("completed", 0)
    assert len(await sync_to_async(events_after)(invocation.pk)) == 3


@pytest_asyncio.fixture
async def recorded(process: Process, invocation: Invocation) -> Any:
    """A stream with its recorder, which is ticked by hand."""
    stream = LiveStream(invocation.pk)
    recorder = Recorder(process.pk, lambda: [stream], lambda _: None)
    yield stream, recorder
    await recorder.close()


def add(stream: LiveStream, count: int) -> None:
    for _ in range(count):
        stream.append({"kind": "text", "text": "x"}, offset_ms=1.0)


async def test_a_failed_write_loses_nothing_and_leaves_no_gap(recorded: Any, process: Process) -> None:
    stream, recorder = recorded
    state = {"is_failing": True}

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if state["is_failing"] and sql.startswith("INSERT"):
            raise DatabaseError("database or disk is full")
        return execute(sql, params, many, context)

    await recorder.call(lambda: connection.execute_wrappers.append(refuse))
    add(stream, 3)
    await recorder.tick()
    add(stream, 2)
    state["is_failing"] = False
    await recorder.tick()
    add(stream, 1)
    await recorder.finish(stream, status="completed", completed_at=timezone.now())

    stored = await sync_to_async(events_after)(stream.invocation_id)
    assert [event["seq"] for event in stored] == [1, 2, 3, 4, 5, 6]
    assert (await Invocation.objects.aget()).status == "completed"


async def test_a_stream_whose_row_was_taken_away_is_told(recorded: Any) -> None:
    stream, recorder = recorded
    lost: list[bool] = []
    stream.lose = lambda: lost.append(True)
    await Invocation.objects.aupdate(status="interrupted")
    add(stream, 1)
    await recorder.tick()

    assert lost == [True]


async def test_the_end_is_written_when_the_database_is_back(recorded: Any) -> None:
    stream, recorder = recorded
    failures = 2

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal failures
        if sql.startswith("UPDATE") and failures:
            failures -= 1
            raise OperationalError("the database is away")
        return execute(sql, params, many, context)

    await recorder.call(lambda: connection.execute_wrappers.append(refuse))
    add(stream, 3)
    assert await recorder.finish(stream, status="completed", completed_at=timezone.now())

    assert (await Invocation.objects.aget()).status == "completed"
    assert [event["seq"] for event in await sync_to_async(events_after)(stream.invocation_id)] == [1, 2, 3]


async def test_what_the_database_cannot_hold_does_not_keep_the_session_busy(recorded: Any) -> None:
    stream, recorder = recorded

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("INSERT") and "recordingbatch" in sql:
            raise DataError("value too long")
        return execute(sql, params, many, context)

    await recorder.call(lambda: connection.execute_wrappers.append(refuse))
    add(stream, 3)
    assert await recorder.finish(stream, status="completed", completed_at=timezone.now())

    ended = await Invocation.objects.aget()
    assert (ended.status, ended.error_code, ended.lost_event_count) == ("failed", "not_stored", 3)
    assert "the last 3 of its 3 events are missing" in ended.error_message


async def test_what_was_stored_although_the_write_failed_is_not_stored_again(recorded: Any, process: Process) -> None:
    stream, recorder = recorded
    state = {"is_failing": True}

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if state["is_failing"]:
            raise OperationalError("the connection broke in the commit")
        return execute(sql, params, many, context)

    await recorder.call(lambda: connection.execute_wrappers.append(refuse))
    add(stream, 3)
    assert await recorder.tick() is False
    await sync_to_async(write_batches)(process.pk, [Pending(stream.invocation_id, stream.events[:3])])
    state["is_failing"] = False
    add(stream, 2)
    assert await recorder.tick() is True
    await recorder.finish(stream, status="completed", completed_at=timezone.now())

    stored = await sync_to_async(events_after)(stream.invocation_id)
    assert [event["seq"] for event in stored] == [1, 2, 3, 4, 5]
    assert (await Invocation.objects.aget()).lost_event_count == 0


async def test_what_one_stream_brings_does_not_hold_up_the_others(
    process: Process, invocation: Invocation, make_session: Callable[..., Session]
) -> None:
    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        # psycopg wraps JSON in an object of its own.
        if sql.startswith("INSERT") and any("poison" in str(getattr(value, "obj", value)) for value in params):
            raise DataError("no such character")
        return execute(sql, params, many, context)

    other = await sync_to_async(start_invocation)(
        session=await sync_to_async(make_session)(), prompt="go", process_id=process.pk
    )
    bad, good = LiveStream(invocation.pk), LiveStream(other.pk)
    recorder = Recorder(process.pk, lambda: [bad, good], lambda _: None)
    await recorder.call(lambda: connection.execute_wrappers.append(refuse))
    add(bad, 1)
    await recorder.tick()
    bad.append({"kind": "text", "text": "poison"}, offset_ms=2.0)
    for _ in range(2):
        add(good, 1)
        await recorder.tick()
    assert await recorder.finish(bad, status="completed", completed_at=timezone.now())
    assert await recorder.finish(good, status="completed", completed_at=timezone.now())
    await recorder.close()

    ended = {run.pk: run async for run in Invocation.objects.all()}
    assert (ended[bad.invocation_id].status, ended[bad.invocation_id].lost_event_count) == ("failed", 1)
    assert (ended[bad.invocation_id].response_text, ended[bad.invocation_id].last_sequence) == ("x", 1)
    assert (ended[good.invocation_id].status, ended[good.invocation_id].lost_event_count) == ("completed", 0)
