"""The worker: a cluster of processes that run queued tasks, around it a ticker, a heartbeat and a pulse.

What django-q2's own command does not have: the main process, otherwise idle, calls `TICKS` every 5 s, as the scheduler
is up to 30 s late. The signal handler only sets a flag: setting an event in a handler can deadlock. A frozen cluster is
noticed and ends the worker, for whoever supervises it to start it again. And the tasks that a dead worker had taken are
given back to the queue as soon as its death is known, not minutes later.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import FrameType

from django.db import Error as DatabaseFailure
from django.db import close_old_connections, connections
from django.utils import timezone
from django_q.cluster import Cluster
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.tasks import async_task

from apps.agentcore.accounts.tasks import enqueue_due_account_check
from apps.core import limits
from apps.core.models import Process
from apps.core.notices import notices
from apps.core.running import processes
from apps.core.running.sqlite_space import give_back_space
from apps.costs.services import expire_reservations
from apps.metrics.alerts.tasks import enqueue_due_alerts
from apps.metrics.alerts.telling.delivering import prune as prune_alert_notices
from apps.metrics.exporting.cloudwatch import enqueue_due_export
from apps.metrics.figures.store_periods import settle_figures
from apps.metrics.series.advancing import advance_all
from apps.metrics.series.plans import remove_expired_plan_prompts
from apps.metrics.series.services import remove_expired_prompts
from apps.metrics.spending.days import settle_costs
from apps.metrics.starts.tasks import enqueue_due_sweep
from apps.metrics.traces.fetching import remove_expired_traces
from apps.metrics.traces.tasks import enqueue_due_fetch
from apps.metrics.weeks.tasks import enqueue_due_weeks
from apps.sessions.engine import housekeeping
from apps.sessions.indexing import index_texts, mark_missing, measure_index
from apps.sessions.tasks import enqueue_due_purge
from loom.processes.cluster_watch import ClusterFrozenError, ClusterWatch, Reports
from loom.processes.output import Output
from loom.processes.parent_death import tie_forked_children

logger = logging.getLogger(__name__)

TICK_EVERY_S = 5.0
INDEX_EVERY_S = 1.0  # what a run said is found within two seconds of its end
# An idle cluster proves every 10 s that it works; 40 s without a proof and 10 s to start again are less than a minute.
PULSE_EVERY_S = 10.0
PUT_BACK_AFTER_S = 0.5
FROZEN_AFTER_S = 40.0
SIGN_EVERY_S = 1.0
LOOP_EVERY_S = 0.1
TASK_MARGIN_S = 5.0  # the cluster itself ends a task 3 s after its time
STOP_MARGIN_S = 10.0

_owner = ""


class ClusterDiedError(Exception):
    """The process that guards the cluster ended by itself; its children were killed with it."""


def at_most_every(seconds: float, function: Callable[[], None]) -> Callable[[], None]:
    """Make a tick that calls `function` at its first call, and then not again before `seconds` have passed."""
    due_at = float("-inf")

    def tick() -> None:
        nonlocal due_at
        now = time.monotonic()
        if now >= due_at:
            due_at = now + seconds
            function()

    return tick


def _count(function: Callable[[datetime], object]) -> None:
    function(timezone.now())


# Called one after the other by the main process every `TICK_EVERY_S`. A tick is short: it enqueues what takes longer.
TICKS: list[tuple[str, Callable[[], None]]] = [
    ("prune processes", at_most_every(3600, lambda: processes.prune(timezone.now()))),
    ("prune limits", at_most_every(60, lambda: limits.prune(timezone.now()))),
    ("prune notices", at_most_every(60, lambda: notices.prune(timezone.now()))),
    ("compact recordings", lambda: _count(housekeeping.compact_recordings)),
    ("remove expired content", at_most_every(60, lambda: _count(housekeeping.remove_expired_content))),
    ("remove expired prompts of series", at_most_every(60, lambda: _count(remove_expired_prompts))),
    ("expire reservations", at_most_every(60, lambda: _count(expire_reservations))),
    ("remove expired prompts of plans", at_most_every(60, lambda: _count(remove_expired_plan_prompts))),
    ("remove expired spans", at_most_every(60, lambda: _count(remove_expired_traces))),
    ("purge deleted sessions", at_most_every(30, enqueue_due_purge)),
    ("sweep measurements", enqueue_due_sweep),
    ("fetch spans", enqueue_due_fetch),
    ("check accounts", enqueue_due_account_check),
    ("alerts", enqueue_due_alerts),
    ("prune alert notices", at_most_every(3600, lambda: prune_alert_notices(timezone.now()))),
    ("take start series on", lambda: _count(lambda _now: advance_all())),
    ("give space back", lambda: _count(lambda _now: give_back_space())),
    ("index what is missing", at_most_every(600, lambda: _count(mark_missing))),
    ("measure the index", at_most_every(600, lambda: _count(measure_index))),
    ("send metrics", enqueue_due_export),
    ("add up costs", at_most_every(60, lambda: _count(settle_costs))),
    ("settle figures", at_most_every(60, lambda: _count(settle_figures))),
    ("make agent weeks", enqueue_due_weeks),
]


@dataclass
class Job:
    """Something that the main process does every so many seconds."""

    name: str
    every_s: float
    run: Callable[[], None]
    due_at: float = field(default_factory=time.monotonic)
    _is_failing: bool = False

    def run_when_due(self) -> None:
        """Run it if its time has come.

        Whatever it raises is logged, once until it works again: the loop and the other jobs go on.
        """
        if time.monotonic() < self.due_at:
            return
        self.due_at = time.monotonic() + self.every_s
        close_old_connections()
        try:
            self.run()
        except Exception:
            if not self._is_failing:
                logger.exception("worker job failed name=%s", self.name)
            self._is_failing = True
        else:
            if self._is_failing:
                logger.warning("worker job works again name=%s", self.name)
            self._is_failing = False
        finally:
            close_old_connections()


class WorkerHeart:
    """The worker's own heartbeat, and what it may conclude from the silence of others."""

    def __init__(self, process: Process, clock: Callable[[], float] = time.time) -> None:
        self.process = process
        self._steadiness = processes.Steadiness(clock)

    def beat(self) -> None:
        """Say that this process is alive, under a new id where its old one counts as ended."""
        if not processes.beat(self.process.pk):
            self.process = processes.register(Process.Kind.WORKER)
        self._steadiness.beaten()

    def take_care_of_orphans(self) -> None:
        """End or queue again the runs of dead processes; of those that are merely silent, once this one has beaten for
        as long as they have to be.
        """
        housekeeping.take_care_of_orphans(timezone.now(), is_steady=self._steadiness.is_steady)


class Leftovers:
    """The tasks that a worker had taken when it died. They would be locked until `retry` has passed."""

    def __init__(self, heart: WorkerHeart) -> None:
        self._heart = heart
        self._started_at = timezone.now()
        self._is_done = False

    def release(self) -> None:
        """Give them back to the queue, once no other worker lives: nothing tells whose they are."""
        now = timezone.now()
        retry = timedelta(seconds=Conf.RETRY)
        if self._is_done or now > self._started_at + retry:
            return
        if processes.living(now, Process.Kind.WORKER).exclude(pk=self._heart.process.pk).exists():
            return
        # What this worker's own cluster takes is locked until later than that.
        taken = OrmQ.objects.filter(lock__gt=now, lock__lte=self._started_at + retry)
        count = taken.update(lock=now)
        self._is_done = True
        if count:
            logger.warning("tasks of a dead worker are queued again count=%d", count)


class StopSignal:
    """Remembers that the process was asked to stop, and does no more in the handler: a lock could deadlock there."""

    def __init__(self) -> None:
        self.is_set = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._set)

    def _set(self, _number: int, _frame: FrameType | None) -> None:
        self.is_set = True


@dataclass(frozen=True)
class WorkerTimes:
    """Seconds. `retry_after` must exceed the longest task: a task not finished by then is handed out again."""

    pulse_every: float = PULSE_EVERY_S
    frozen_after: float = FROZEN_AFTER_S
    retry_after: float = float(Conf.RETRY)


def run_worker(*, out: Output, pulse_fd: int | None = None, times: WorkerTimes = WorkerTimes()) -> None:
    """Run queued tasks and ticks until SIGTERM, SIGINT or SIGHUP; then let the tasks that run finish.

    `pulse_fd` is a pipe that gets a byte every second while all is well. Signal the main process only: a signal to the
    whole group kills running tasks.
    Raises ClusterDiedError and ClusterFrozenError, and django.db.Error where the database cannot be reached at the
    start.
    """
    if not logger.isEnabledFor(logging.DEBUG):
        logging.getLogger("django-q").setLevel(logging.WARNING)  # it writes three lines for every task
    Conf.RETRY = times.retry_after
    global _owner
    heart = WorkerHeart(processes.register(Process.Kind.WORKER))
    _owner = str(heart.process.pk)  # the cluster's processes are forked and have it too
    leftovers = Leftovers(heart)
    connections.close_all()  # a connection shared with a forked child breaks for both
    tie_forked_children()
    cluster = Cluster()
    stop = StopSignal()  # after the cluster, whose own handlers it replaces
    watch = ClusterWatch(
        Reports().read,
        child_count=Conf.WORKERS,
        limit_s=times.frozen_after,
        longest_task_s=Conf.TIMEOUT + TASK_MARGIN_S,
    )
    vital = [Job("heartbeat", processes.BEAT_EVERY_S, heart.beat)]
    if pulse_fd is not None:
        os.set_blocking(pulse_fd, False)
        vital.append(Job("sign of life", SIGN_EVERY_S, lambda: _show_life(pulse_fd)))
    jobs = [
        *vital,
        # Not with the ticks: a run of a dead process is to be over 10 s after its last heartbeat.
        Job("orphans", processes.BEAT_EVERY_S, heart.take_care_of_orphans),
        Job("release leftovers", processes.BEAT_EVERY_S, leftovers.release),
        Job("pulse", times.pulse_every, lambda: _enqueue_pulse(watch)),
        Job("index texts", INDEX_EVERY_S, lambda: _count(lambda _now: index_texts())),
        *(Job(name, TICK_EVERY_S, tick) for name, tick in TICKS),
    ]
    cluster.start()
    watch.excuse()  # until now it could do nothing
    out.write("worker ready\n")
    out.flush()
    try:
        _run_until(lambda: stop.is_set or not cluster.sentinel.is_alive(), jobs, watch.check)
        if not stop.is_set:
            raise ClusterDiedError(f"the cluster's guard ended with exit code {cluster.sentinel.exitcode}")
        _finish_tasks(cluster, vital)
    finally:
        cluster.sentinel.kill()  # where it is left, with its children; the interpreter would wait for it to end
        _write_end(heart.process)


def _finish_tasks(cluster: Cluster, jobs: list[Job]) -> None:
    # In a thread of its own, as it waits for ever when the guard was killed while it held the event's lock.
    threading.Thread(target=cluster.stop_event.set, name="stop cluster", daemon=True).start()
    deadline = time.monotonic() + Conf.TIMEOUT + STOP_MARGIN_S
    _run_until(lambda: not cluster.sentinel.is_alive() or time.monotonic() > deadline, jobs)
    if cluster.sentinel.is_alive():
        raise ClusterFrozenError("the cluster did not end in time; it is killed")


def pulse(owner: str) -> None:
    """Task: show that the cluster of the worker `owner` (its process id) works. Its being finished is what counts.

    The cluster of another machine may have taken it from the common queue; it puts it back while that worker lives, and
    not at once, as it may well take it again.
    """
    if owner == _owner:
        return
    if processes.living(timezone.now(), Process.Kind.WORKER).filter(pk=owner).exists():
        time.sleep(PUT_BACK_AFTER_S)
        _enqueue(owner)


def _enqueue_pulse(watch: ClusterWatch) -> None:
    try:
        _enqueue(_owner)
    except DatabaseFailure:
        watch.excuse()  # without the database nobody finishes a task
        raise


def _enqueue(owner: str) -> None:
    async_task(pulse, owner, q_options={"save": False, "task_name": "pulse"})


def _show_life(pulse_fd: int) -> None:
    with suppress(OSError):  # the supervisor is gone, or has enough unread signs
        os.write(pulse_fd, b".")


def _run_until(is_over: Callable[[], bool], jobs: list[Job], check: Callable[[], None] = lambda: None) -> None:
    while not is_over():
        for job in jobs:
            job.run_when_due()
        check()
        time.sleep(LOOP_EVERY_S)


def _write_end(process: Process) -> None:
    try:
        processes.end(process.pk)
    except DatabaseFailure as failure:
        logger.warning("end of worker not written error=%s", type(failure).__name__)
    finally:
        connections.close_all()
