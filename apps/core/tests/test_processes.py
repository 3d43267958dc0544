from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import OperationalError, connection
from django.db.models import F
from django.utils import timezone

from apps.core.models import Process
from apps.core.running import processes


def make_process(*, beat_at: datetime | None = None, ended_at: datetime | None = None) -> Process:
    now = timezone.now()
    return Process.objects.create(
        kind=Process.Kind.WEB, host="host", pid=1, started_at=now, beat_at=beat_at or now, ended_at=ended_at
    )


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition on the database, for 10 seconds at most."""
    async with asyncio.timeout(10):
        while not await sync_to_async(condition)():  # noqa: ASYNC110 -- another thread's rows, no event tells
            await asyncio.sleep(0.01)


def rename_table(old: str, new: str) -> None:
    with connection.schema_editor() as editor:
        editor.alter_db_table(Process, old, new)


@pytest.mark.django_db
def test_register_writes_down_who_runs_where() -> None:
    process = processes.register(Process.Kind.WORKER)

    row = Process.objects.get()
    assert (row.pk, row.kind, row.host, row.pid, row.ended_at) == (
        process.pk,
        "worker",
        processes.machine(),
        os.getpid(),
        None,
    )
    assert processes.silent_process_ids(timezone.now()) == []


@pytest.mark.django_db
def test_gone_are_those_of_this_machine_without_a_process_that_have_missed_a_beat() -> None:
    """A pid says nothing elsewhere, and one that beats is there, whatever is known of its pid."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    now = timezone.now()
    quiet, here = now - timedelta(seconds=3.1), processes.machine()
    cases = [
        (here, ended.pid, quiet, None, True),
        (here, os.getpid(), quiet, None, False),
        (here, ended.pid, now, None, False),
        (here, ended.pid, quiet, now, False),
        ("elsewhere", ended.pid, quiet, None, False),
    ]
    rows = [
        Process.objects.create(kind="web", host=host, pid=pid, started_at=now, beat_at=beat_at, ended_at=ended_at)
        for host, pid, beat_at, ended_at, _ in cases
    ]

    gone = processes.gone_process_ids(now)
    assert [row.pk in gone for row in rows] == [is_gone for *_, is_gone in cases]


@pytest.mark.django_db
def test_silent_are_the_ended_and_those_without_a_beat_for_eight_seconds() -> None:
    now = timezone.now()
    make_process(beat_at=now - timedelta(seconds=7.9))
    silent = make_process(beat_at=now - timedelta(seconds=8.1))
    ended = make_process(beat_at=now, ended_at=now)

    assert set(processes.silent_process_ids(now)) == {silent.pk, ended.pk}


@pytest.mark.django_db
def test_a_beat_brings_a_silent_process_back_and_an_end_does_not_move() -> None:
    first_end = timezone.now() - timedelta(hours=1)
    silent = make_process(beat_at=timezone.now() - timedelta(minutes=1))
    ended = make_process(ended_at=first_end)

    processes.beat(silent.pk)
    processes.end(ended.pk)

    assert processes.silent_process_ids(timezone.now()) == [ended.pk]
    ended.refresh_from_db()
    assert ended.ended_at == first_end


@pytest.mark.django_db
def test_prune_keeps_a_week() -> None:
    now = timezone.now()
    kept = make_process(beat_at=now - timedelta(days=6, hours=23), ended_at=now - timedelta(days=6, hours=23))
    make_process(beat_at=now - timedelta(days=7, minutes=1))

    processes.prune(now)

    assert list(Process.objects.all()) == [kept]


@pytest.mark.django_db(transaction=True)
def test_heartbeat_beats_while_entered_and_writes_its_end() -> None:
    async def scenario() -> None:
        async with processes.Heartbeat(every_s=0.01) as heartbeat:
            row = await Process.objects.aget(pk=heartbeat.process_id)
            assert (row.kind, row.ended_at) == ("web", None)
            assert row.beat_at >= row.started_at
            await until(lambda: Process.objects.filter(beat_at__gt=row.beat_at + timedelta(milliseconds=50)).exists())
        ended = await Process.objects.aget(pk=heartbeat.process_id)
        assert ended.ended_at is not None

    async_to_sync(scenario)()


@pytest.mark.django_db(transaction=True)
def test_heartbeat_outlives_a_failing_database(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with processes.Heartbeat(every_s=0.01) as heartbeat:
            await sync_to_async(rename_table)("core_process", "gone")
            try:
                await until(lambda: "heartbeat not written" in caplog.text)
            finally:
                await sync_to_async(rename_table)("gone", "core_process")
            back_at = timezone.now()
            await until(lambda: Process.objects.filter(pk=heartbeat.process_id, beat_at__gt=back_at).exists())

    with caplog.at_level(logging.WARNING, logger="apps.core.running.processes"):
        async_to_sync(scenario)()

    messages = [record.getMessage().split(" id=")[0] for record in caplog.records]
    assert messages == ["heartbeat not written", "heartbeat written again"]


@pytest.mark.django_db
def test_a_beat_tells_whether_the_process_still_counts() -> None:
    alive, ended = make_process(), make_process(ended_at=timezone.now())

    assert [processes.beat(pk) for pk in (alive.pk, ended.pk, uuid.uuid4())] == [True, False, False]


@pytest.mark.django_db
def test_living_are_those_of_a_kind_that_beat() -> None:
    now = timezone.now()
    alive = make_process()
    make_process(ended_at=now)
    make_process(beat_at=now - timedelta(seconds=8.1))
    processes.register(Process.Kind.WORKER)

    assert list(processes.living(now, Process.Kind.WEB)) == [alive]


@pytest.mark.parametrize(
    ("beats", "now", "is_steady"),
    [
        ([2, 4, 6], 7.9, False),
        ([2, 4, 6, 8], 8, True),
        ([2, 4, 6, 8], 12.1, False),  # its own heart has stopped
        ([2, 4, 6, 66], 67, False),  # the database was away, or the machine slept
        ([2, 4, 6, 66, 68, 70, 72], 73.9, False),
        ([2, 4, 6, 66, 68, 70, 72], 74, True),
        ([2, 4, -100, -98, -96, -94], -93, False),  # the clock was set back
        ([2, 4, -100, -98, -96, -94, -92], -92, True),
    ],
)
def test_silence_of_others_means_something_after_eight_seconds_without_a_pause(
    beats: list[float], now: float, is_steady: bool
) -> None:
    clock = [0.0]
    steadiness = processes.Steadiness(lambda: clock[0])
    for clock[0] in beats:
        steadiness.beaten()
    clock[0] = now

    assert steadiness.is_steady is is_steady


@pytest.mark.django_db(transaction=True)
def test_a_process_that_was_paused_goes_on_under_a_new_id(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever uses the id is told before the old one ends; where that fails it is tried again."""
    clock = [0.0]
    told: list[tuple[UUID, datetime | None]] = []

    async def scenario() -> tuple[UUID, UUID]:
        async def renew(process_id: UUID) -> None:
            old = await Process.objects.aget(pk=first_id)
            told.append((process_id, old.ended_at))
            if len(told) == 1:
                raise OperationalError("away for a moment")

        async with processes.Heartbeat(every_s=0.01, on_renewed=renew, clock=lambda: clock[0]) as heartbeat:
            first_id = heartbeat.process_id
            beat_at = (await Process.objects.aget(pk=first_id)).beat_at
            await until(lambda: Process.objects.filter(pk=first_id, beat_at__gt=beat_at).exists())

            def has_gone_on() -> bool:
                if not told:
                    clock[0] += 9.0  # more than once: it cannot notice a pause in the middle of a beat
                return Process.objects.exclude(pk=first_id).filter(beat_at__gt=F("started_at")).exists()

            await until(has_gone_on)
            return first_id, heartbeat.process_id

    with caplog.at_level(logging.CRITICAL, logger="apps.core.running.processes"):
        first_id, second_id = async_to_sync(scenario)()

    assert [process_id for process_id, _ in told][-1] == second_id != first_id
    assert [ended_at for _, ended_at in told] == [None, None]
    assert Process.objects.get(pk=first_id).ended_at is not None


def test_this_process_is_alive_and_one_that_was_waited_for_is_not() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    assert processes.is_process_alive(os.getpid())
    assert not processes.is_process_alive(child.pid)
