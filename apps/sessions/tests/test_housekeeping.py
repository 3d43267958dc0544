from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.core.models import Notice, Process
from apps.core.running import processes
from apps.sessions.engine.housekeeping import compact_recordings, remove_expired_content, take_care_of_orphans
from apps.sessions.engine.recording import Pending, finish_invocation, write_batches
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, Recording, RecordingBatch, Session
from apps.sessions.selectors import events_after
from loom_events.recorded import RecordedEvent

TEXT: list[RecordedEvent] = [
    {"seq": number, "offset_ms": number * 100.0, "kind": "text", "text": f"{number} "} for number in range(1, 6)
]


@pytest.fixture
def process(db: None) -> Process:
    return processes.register(Process.Kind.WEB)


@pytest.fixture
def streaming(process: Process, make_session: Callable[..., Session]) -> Invocation:
    invocation = start_invocation(session=make_session(title="go"), prompt="go", process_id=process.pk)
    fields = {"status": "streaming", "invoked_at": timezone.now()}
    write_batches(process.pk, [Pending(invocation.pk, TEXT[:3], fields)])
    write_batches(process.pk, [Pending(invocation.pk, TEXT[3:])])
    invocation.refresh_from_db()
    return invocation


def test_runs_of_a_living_process_are_left_alone(streaming: Invocation, process: Process) -> None:
    assert take_care_of_orphans(process.beat_at + timedelta(seconds=7)) == 0
    streaming.refresh_from_db()
    assert streaming.status == "streaming"


@pytest.mark.parametrize("how", ["silent", "ended"])
def test_runs_of_a_dead_process_end_as_interrupted_with_what_had_arrived(
    streaming: Invocation, process: Process, how: str
) -> None:
    now = timezone.now()
    if how == "silent":
        Process.objects.update(beat_at=now - timedelta(seconds=9))
    else:
        processes.end(process.pk)

    assert take_care_of_orphans(now) == 1
    assert take_care_of_orphans(now) == 0
    streaming.refresh_from_db()
    assert (streaming.status, streaming.response_text, streaming.last_sequence) == ("interrupted", "1 2 3 4 5 ", 5)
    assert streaming.invoked_at
    assert streaming.completed_at == streaming.invoked_at + timedelta(milliseconds=500)
    assert streaming.error_code == "interrupted" and streaming.error_advice


def test_without_steadiness_only_what_provably_died_is_taken_care_of(streaming: Invocation, process: Process) -> None:
    """After a database was away everybody is silent; whose pid is gone is dead nevertheless."""
    now = timezone.now()
    Process.objects.update(beat_at=now - timedelta(seconds=9))
    assert take_care_of_orphans(now, is_steady=False) == 0
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    Process.objects.update(pid=ended.pid)

    assert take_care_of_orphans(now, is_steady=False) == 1
    streaming.refresh_from_db()
    assert (streaming.status, streaming.last_sequence) == ("interrupted", 5)


def test_a_run_that_no_process_took_is_interrupted_after_ten_seconds(make_session: Callable[..., Session]) -> None:
    asked_at = start_invocation(session=make_session(), prompt="go", process_id=None).requested_at

    assert take_care_of_orphans(asked_at + timedelta(seconds=9)) == 0
    assert take_care_of_orphans(asked_at + timedelta(seconds=11)) == 1
    run = Invocation.objects.get()
    assert (run.status, run.is_unsent) == ("interrupted", True)  # nobody has claimed it, so nobody has sent it


@pytest.mark.django_db(transaction=True)
def test_of_several_processes_that_look_one_ends_the_run(streaming: Invocation) -> None:
    now = timezone.now() + timedelta(seconds=9)
    ended: list[int] = []
    gate = threading.Barrier(4)

    def look() -> None:
        gate.wait()
        try:
            ended.append(take_care_of_orphans(now))
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ended) == [0, 0, 0, 1]
    streaming.refresh_from_db()
    assert (streaming.status, streaming.session.agent.invocation_count) == ("interrupted", 1)
    assert Notice.objects.filter(topic=streaming.session.topic, kind=f"finished:{streaming.pk}").count() == 1
    assert events_after(streaming.pk) == TEXT


def finished(invocation: Invocation) -> Invocation:
    assert finish_invocation(
        invocation.process_id,
        Pending(invocation.pk, [], {"response_text": "1 2 3 4 5 "}),
        status="completed",
        completed_at=timezone.now(),
    )
    invocation.refresh_from_db()
    return invocation


def test_a_finished_recording_becomes_one_row_and_reads_the_same(streaming: Invocation) -> None:
    later = timezone.now() + timedelta(minutes=1)
    assert compact_recordings(later) == 0  # still running
    finished(streaming)
    assert compact_recordings(timezone.now()) == 0  # just ended: a viewer may be reading the batches

    assert compact_recordings(later) == 1
    assert compact_recordings(later) == 0
    assert (Recording.objects.count(), RecordingBatch.objects.count()) == (1, 0)
    assert events_after(streaming.pk) == TEXT
    assert events_after(streaming.pk, 4) == TEXT[4:]


@pytest.mark.parametrize(("days", "removed_after_days"), [(0, 0), (30, 30)])
def test_content_goes_after_its_time_and_figures_stay(
    streaming: Invocation, settings: Any, days: int, removed_after_days: int
) -> None:
    settings.CONTENT_RETENTION_DAYS = days
    run = finished(streaming)
    assert run.completed_at
    before = run.completed_at + timedelta(days=removed_after_days) - timedelta(seconds=1)
    assert remove_expired_content(before) == 0
    compact_recordings(run.completed_at + timedelta(minutes=1))

    assert remove_expired_content(run.completed_at + timedelta(days=removed_after_days)) == 1
    run.refresh_from_db()
    assert (run.prompt, run.payload, run.response_text, run.session.title) == ("", "", "", "")
    assert run.content_removed_at and run.total_latency_ms and run.last_sequence == 0
    assert (Recording.objects.count(), RecordingBatch.objects.count()) == (0, 0)
    assert Invocation.objects.get().status == "completed"


def test_without_a_limit_content_stays(streaming: Invocation, settings: Any) -> None:
    settings.CONTENT_RETENTION_DAYS = None
    finished(streaming)

    assert remove_expired_content(timezone.now() + timedelta(days=4000)) == 0
