from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection
from django.utils import timezone

from apps.core import processes
from apps.core.models import Process


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
        socket.gethostname(),
        os.getpid(),
        None,
    )
    assert processes.silent_process_ids(timezone.now()) == []


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

    with caplog.at_level(logging.WARNING, logger="apps.core.processes"):
        async_to_sync(scenario)()

    messages = [record.getMessage().split(" id=")[0] for record in caplog.records]
    assert messages == ["heartbeat not written", "heartbeat written again"]
