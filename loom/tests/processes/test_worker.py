from __future__ import annotations

import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ, Success
from django_q.tasks import async_task

from apps.core.models import Notice, Process
from apps.core.running import processes
from apps.sessions.models import Invocation, Session
from loom.processes import worker
from loom.tests import slow_task
from loom.tests.running import PATIENCE_S, Running, wait_until
from loom.tests.this_database import url_of_this_database

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")


def start_worker(*options: str, pass_fds: tuple[int, ...] = ()) -> Running:
    return Running(
        "manage.py", "worker", *options, environment={"DATABASE_URL": url_of_this_database()}, pass_fds=pass_fds
    )


def make_old_process() -> None:
    long_ago = timezone.now() - timedelta(days=8)
    Process.objects.create(kind=Process.Kind.WEB, host="host", pid=1, started_at=long_ago, beat_at=long_ago)


@needs_proc
@pytest.mark.django_db(transaction=True)
def test_worker_beats_ticks_runs_tasks_and_lets_them_finish_on_sigterm() -> None:
    make_old_process()
    async_task("apps.core.notices.notices.notify", "agents", "changed")
    with start_worker() as running:
        running.wait_for_line("worker ready")
        row = Process.objects.get(kind=Process.Kind.WORKER)
        assert (row.pid, row.ended_at) == (running.process.pid, None)
        wait_until(lambda: Notice.objects.filter(topic="agents", kind="changed").exists(), "the queued task ran")
        wait_until(lambda: not Process.objects.filter(kind=Process.Kind.WEB).exists(), "the tick pruned")
        wait_until(lambda: Process.objects.filter(beat_at__gt=row.beat_at).exists(), "the heart beat")

        slow = async_task("loom.tests.slow_task.tell_and_rest", 2)
        # Taken from the table is not enough: what no process has begun by then stays there, for later.
        wait_until(lambda: Notice.objects.filter(topic=slow_task.TOPIC).exists(), "the slow task has begun")
        running.process.send_signal(signal.SIGTERM)

        assert running.wait_for_end() == 0
        assert Success.objects.filter(pk=slow).exists()
        assert OrmQ.objects.count() == 0
        row.refresh_from_db()
        assert row.ended_at is not None
        assert running.pids() == []


@needs_proc
@pytest.mark.django_db(transaction=True)
def test_kill_9_of_the_main_process_leaves_no_orphans() -> None:
    with start_worker() as running:
        running.wait_for_line("worker ready")
        wait_until(lambda: len(running.pids()) >= 6, "guard, workers, monitor and pusher run")
        os.kill(running.process.pid, signal.SIGKILL)
        wait_until(lambda: running.pids() == [], "nothing of it runs any more")


@needs_proc
@pytest.mark.django_db(transaction=True)
def test_kill_9_of_the_guard_ends_the_worker() -> None:
    with start_worker() as running:
        running.wait_for_line("worker ready")
        [guard] = [pid for pid in running.pids() if parent_of(pid) == running.process.pid]
        os.kill(guard, signal.SIGKILL)

        assert running.wait_for_end() == 1
        assert running.output[-1] == "CommandError: the cluster's guard ended with exit code -9"
        wait_until(lambda: running.pids() == [], "nothing of it runs any more")


def parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 -- shorter than a path for a file that is no file
        return int(file.read().rpartition(")")[2].split()[1])


@needs_proc
@pytest.mark.django_db(transaction=True)
def test_a_worker_whose_cluster_is_frozen_says_so_and_ends() -> None:
    """Also where nobody supervises it: whatever started it starts it again."""
    with start_worker("--pulse-every", "0.5", "--frozen-after", "5") as running:
        running.wait_for_line("worker ready")
        wait_until(lambda: len(running.pids()) >= 6, "guard, workers, monitor and pusher run")
        [guard] = [pid for pid in running.pids() if parent_of(pid) == running.process.pid]
        for pid in sorted(pid for pid in running.pids() if parent_of(pid) == guard)[:2]:
            os.kill(pid, signal.SIGKILL)  # one of them waits with the queue's lock in hand

        assert running.wait_for_end() == 1
        assert running.output[-1] == "CommandError: the cluster has finished no task for 5 s"
        wait_until(lambda: running.pids() == [], "nothing of it runs any more")
        assert Process.objects.get(kind=Process.Kind.WORKER).ended_at is not None


@needs_proc
@pytest.mark.django_db(transaction=True)
def test_the_supervisor_gets_a_sign_of_life_while_the_main_process_runs_and_none_while_it_hangs() -> None:
    reader, writer = os.pipe()
    try:
        with start_worker("--pulse-fd", str(writer), pass_fds=(writer,)) as running:
            running.wait_for_line("worker ready")
            for _sign in range(2):
                assert select.select([reader], [], [], PATIENCE_S)[0], "no sign of life"
                os.read(reader, 1)
            os.kill(running.process.pid, signal.SIGSTOP)
            wait_until(lambda: is_silent(reader), "the signs stopped")
    finally:
        os.close(reader)
        os.close(writer)


def is_silent(reader: int) -> bool:
    """Empty the pipe and tell whether nothing came for two seconds."""
    os.set_blocking(reader, False)
    while select.select([reader], [], [], 0)[0]:
        os.read(reader, 1000)
    return not select.select([reader], [], [], 2)[0]


@pytest.fixture
def taken_task() -> OrmQ:
    """A task that a worker took a moment ago, and which is therefore locked until `retry` has passed."""
    async_task("math.factorial", 5)
    OrmQ.objects.update(lock=timezone.now() + timedelta(seconds=Conf.RETRY - 1))
    return OrmQ.objects.get()


@pytest.mark.django_db
def test_the_tasks_of_a_dead_worker_are_queued_again_once_no_other_lives(taken_task: OrmQ) -> None:
    heart = worker.WorkerHeart(processes.register(Process.Kind.WORKER))
    leftovers = worker.Leftovers(heart)
    other = processes.register(Process.Kind.WORKER)
    processes.register(Process.Kind.WEB)

    leftovers.release()
    taken_task.refresh_from_db()
    assert taken_task.lock is not None and taken_task.lock > timezone.now()

    Process.objects.filter(pk=other.pk).update(beat_at=timezone.now() - processes.SILENT_AFTER)
    leftovers.release()
    taken_task.refresh_from_db()
    assert taken_task.lock <= timezone.now()


@pytest.mark.django_db
def test_the_tasks_that_the_worker_took_itself_stay_taken(taken_task: OrmQ) -> None:
    leftovers = worker.Leftovers(worker.WorkerHeart(processes.register(Process.Kind.WORKER)))
    OrmQ.objects.update(lock=timezone.now() + timedelta(seconds=Conf.RETRY))

    leftovers.release()

    taken_task.refresh_from_db()
    assert taken_task.lock is not None and taken_task.lock > timezone.now()


@pytest.mark.django_db
def test_a_worker_whose_row_says_that_it_ended_goes_on_under_a_new_one() -> None:
    heart = worker.WorkerHeart(processes.register(Process.Kind.WORKER))
    old_id = heart.process.pk
    heart.beat()
    assert heart.process.pk == old_id

    processes.end(old_id)
    heart.beat()

    assert heart.process.pk != old_id
    assert [row.pk for row in processes.living(timezone.now(), Process.Kind.WORKER)] == [heart.process.pk]


@pytest.mark.django_db
def test_a_pulse_of_another_cluster_goes_back_to_the_queue_while_its_worker_lives() -> None:
    other = processes.register(Process.Kind.WORKER)
    worker.pulse(str(other.pk))
    [task] = OrmQ.objects.all()
    assert (task.func(), task.task["args"]) == ("loom.processes.worker.pulse", (str(other.pk),))

    OrmQ.objects.all().delete()
    processes.end(other.pk)
    worker.pulse(str(other.pk))
    assert OrmQ.objects.count() == 0


@pytest.mark.django_db
def test_a_job_that_fails_is_logged_and_comes_again_when_it_is_due(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise RuntimeError("broken")

    job = worker.Job("sweep", every_s=3600, run=fail)
    with caplog.at_level(logging.ERROR, logger="loom.processes.worker"):
        job.run_when_due()
        job.run_when_due()
        assert calls == [1]
        job.due_at = time.monotonic()
        job.run_when_due()

    assert calls == [1, 1]
    # Once: a database that is away would fill the log.
    assert [record.getMessage() for record in caplog.records] == ["worker job failed name=sweep"]


def test_at_most_every_calls_at_once_and_then_not_before_the_time_has_passed() -> None:
    calls: list[int] = []
    rarely = worker.at_most_every(3600, lambda: calls.append(1))
    always = worker.at_most_every(0, lambda: calls.append(2))

    for _ in range(3):
        rarely()
        always()

    assert calls == [1, 2, 2, 2]


@pytest.mark.django_db
def test_after_a_pause_of_its_own_heart_the_worker_waits_before_it_judges_others(
    make_session: Callable[..., Session],
) -> None:
    """A database that was away for a minute made everybody silent, not dead."""
    make_old_process()
    invocation = Invocation.objects.create(
        session=make_session(), number=1, status="streaming", requested_at=timezone.now(), process=Process.objects.get()
    )
    clock = [0.0]
    heart = worker.WorkerHeart(processes.register(Process.Kind.WORKER), clock=lambda: clock[0])
    statuses = []
    for clock[0] in (2.0, 4.0, 6.0, 66.0, 68.0, 70.0, 72.0, 73.9, 74.0):
        heart.beat()
        heart.take_care_of_orphans()
        invocation.refresh_from_db()
        statuses.append(invocation.status)

    assert statuses == ["streaming"] * 8 + ["interrupted"]
