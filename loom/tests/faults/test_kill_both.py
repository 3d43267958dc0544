"""The web process and the worker are killed at the same moment, and come back: nobody was left to judge."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.aws.tests.emulator_process import Emulator
from apps.core.models import Process
from apps.core.running.processes import SILENT_AFTER
from apps.sessions.invoking import Request, enqueue
from apps.sessions.models import Invocation
from apps.sessions.selectors import events_after
from apps.sessions.services import start_session
from loom.tests.faults.test_kill_series import web_process
from loom.tests.running import Running, wait_until
from loom.tests.this_database import url_of_this_database


def worker_process() -> Running:
    return Running("manage.py", "worker", environment={"DATABASE_URL": url_of_this_database()})


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")
@pytest.mark.django_db(transaction=True)
def test_a_run_is_interrupted_with_its_record_by_whoever_comes_back_first(
    emulator: Emulator, demo_agent: Callable[[str], Agent], alice: User
) -> None:
    """Within ten seconds: who comes back has not lived for as long as it would take to conclude from silence."""
    emulator.order(kind="silence", after_chunks=30, seconds=1_200)
    session = start_session(agent=demo_agent("code_tutor"), owner=alice)
    run = enqueue(session=session, request=Request("Two days in Ghent"))
    with ExitStack() as killed:
        killed.enter_context(web_process(emulator))
        killed.enter_context(worker_process()).wait_for_line("worker ready")
        wait_until(lambda: any(event["kind"] == "text" for event in events_after(run.pk)), "its text is recorded")
    # Leaving the block killed both, with no time to say anything.
    run.refresh_from_db()
    recorded = events_after(run.pk)
    assert run.status == "streaming"
    known = set(Process.objects.values_list("pk", flat=True))

    with web_process(emulator), worker_process():
        unfinished = Invocation.objects.filter(pk=run.pk, status__in=Invocation.UNFINISHED)
        wait_until(lambda: not unfinished.exists(), "the run is over")
        judges = Process.objects.exclude(pk__in=known)
        assert all(timezone.now() - judge.started_at < SILENT_AFTER for judge in judges)

    run.refresh_from_db()
    assert (run.status, run.error_code, run.last_sequence) == ("interrupted", "interrupted", len(recorded))
    assert events_after(run.pk) == recorded
    assert [event["seq"] for event in recorded] == list(range(1, len(recorded) + 1))
    assert run.response_text == "".join(event["text"] for event in recorded if event["kind"] == "text") != ""
    assert len(emulator.invocations(session.runtime_session_id)) == 1
