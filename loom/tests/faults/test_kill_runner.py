"""Two runners on one queue, one of which is killed in the middle. There is no web process and no worker here."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.aws.tests.emulator_process import Emulator
from apps.core.models import Process
from apps.sessions.engine.queue import place_in_queue
from apps.sessions.invoking import Request, enqueue
from apps.sessions.models import Invocation, Session
from apps.sessions.services import start_session
from loom.tests.running import Running, wait_until
from loom.tests.this_database import url_of_this_database

RUNS = 24


def runner(emulator: Emulator) -> Running:
    """A runner on the database and the emulator of this test, with room for four runs."""
    return Running(
        "manage.py",
        "runner",
        environment={
            "DATABASE_URL": url_of_this_database(),
            "EMULATOR_PORT": emulator.url.rpartition(":")[2],
            "MAX_QUEUED_RUNS": "4",
        },
    )


def queue_runs(agent: Agent, owner: User) -> list[Session]:
    sessions = [start_session(agent=agent, owner=owner) for _ in range(RUNS)]
    for number, session in enumerate(sessions):
        enqueue(session=session, request=Request(f"Two days in Ghent, {number}"))
    return sessions


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")
@pytest.mark.django_db(transaction=True)
def test_each_queued_run_is_sent_once_and_none_is_lost_when_a_runner_is_killed(
    emulator: Emulator, demo_agent: Callable[[str], Agent], alice: User
) -> None:
    agent = demo_agent("code_tutor")
    for _ in range(4):  # of those that are under way when it is killed
        emulator.order(kind="silence", after_chunks=2, seconds=1200)
    sessions = queue_runs(agent, alice)
    with runner(emulator) as killed:
        killed.wait_for_line("runner ready")
        silent = Invocation.objects.filter(status="streaming", first_chunk_at__isnull=False)
        wait_until(lambda: silent.count() == 4, "four runs are under way")
        assert place_in_queue(Invocation.objects.get(session=sessions[4])) == 1
        with runner(emulator) as other:
            other.wait_for_line("runner ready")
            os.kill(killed.process.pid, signal.SIGKILL)
            unfinished = Invocation.objects.filter(status__in=Invocation.UNFINISHED)
            wait_until(lambda: not unfinished.exists(), "every run is over", 90)
            os.kill(other.process.pid, signal.SIGTERM)
            assert other.process.wait(30) == 0

    assert Counter(Invocation.objects.values_list("status", flat=True)) == {"completed": RUNS - 4, "interrupted": 4}
    assert [len(emulator.invocations(session.runtime_session_id)) for session in sessions] == [1] * RUNS
    dead = Process.objects.filter(ended_at=None).order_by("beat_at").first()
    assert dead is not None and dead.kind == "runner"
    for run in Invocation.objects.filter(status="interrupted"):
        assert run.process_id == dead.pk and run.error_code == "interrupted"
        assert run.response_text  # what had arrived


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")
@pytest.mark.django_db(transaction=True)
def test_a_runner_that_is_asked_to_end_lets_its_runs_end_and_leaves_the_rest_in_the_queue(
    emulator: Emulator, demo_agent: Callable[[str], Agent], alice: User
) -> None:
    for _ in range(4):
        emulator.order(kind="silence", after_chunks=2, seconds=2)
    queue_runs(demo_agent("code_tutor"), alice)
    with runner(emulator) as process:
        process.wait_for_line("runner ready")
        streaming = Invocation.objects.filter(status="streaming", first_chunk_at__isnull=False)
        wait_until(lambda: streaming.count() == 4, "four runs are under way")
        os.kill(process.process.pid, signal.SIGTERM)
        assert process.process.wait(60) == 0

    assert Counter(Invocation.objects.values_list("status", flat=True)) == {"completed": 4, "queued": RUNS - 4}
    assert not Process.objects.filter(ended_at=None, beat_at__gt=timezone.now() - timedelta(seconds=8)).exists()
