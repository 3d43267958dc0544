"""The worker: a cluster of processes that run queued tasks, around it a ticker, a heartbeat and a pulse.

Three things that django-q2's own command does not have. The main process, otherwise idle, calls `TICKS` every 5 s: the
scheduler is up to 30 s late. The signal handler only sets a flag: setting an event in a handler can deadlock. And the
supervisor gets a byte for every finished task: a killed idle process can freeze the cluster while it looks healthy.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from types import FrameType
from uuid import UUID

from django.db import Error as DatabaseFailure
from django.db import close_old_connections, connections
from django.utils import timezone
from django_q.cluster import Cluster
from django_q.signals import post_execute
from django_q.tasks import async_task

from apps.core import notices, processes
from apps.core.models import Process
from apps.metrics.settling import settle_hours
from apps.metrics.tasks import enqueue_due_sweep
from apps.sessions import housekeeping
from loom.output import Output
from loom.parent_death import tie_forked_children

logger = logging.getLogger(__name__)

TICK_EVERY_S = 5.0
PULSE_EVERY_S = 20.0
PULSE_LIFE_S = 60.0
LOOP_EVERY_S = 0.1
LONGEST_PAUSE_S = 2 * processes.BEAT_EVERY_S

_cluster_name = ""


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


def _count(function: Callable[[datetime], int]) -> None:
    function(timezone.now())


# Called one after the other by the main process every `TICK_EVERY_S`. A tick is short: it enqueues what takes longer.
TICKS: list[tuple[str, Callable[[], None]]] = [
    ("prune processes", at_most_every(3600, lambda: processes.prune(timezone.now()))),
    ("prune notices", at_most_every(60, lambda: notices.prune(timezone.now()))),
    ("compact recordings", lambda: _count(housekeeping.compact_recordings)),
    ("remove expired content", at_most_every(60, lambda: _count(housekeeping.remove_expired_content))),
    ("sweep measurements", enqueue_due_sweep),
    ("settle figures", at_most_every(60, lambda: _count(settle_hours))),
]


@dataclass
class Job:
    """Something that the main process does every so many seconds."""

    name: str
    every_s: float
    run: Callable[[], None]
    due_at: float = field(default_factory=time.monotonic)

    def run_when_due(self) -> None:
        """Run it if its time has come. Whatever it raises is logged: the loop and the other jobs go on."""
        if time.monotonic() < self.due_at:
            return
        self.due_at = time.monotonic() + self.every_s
        close_old_connections()
        try:
            self.run()
        except Exception:
            logger.exception("worker job failed name=%s", self.name)
        finally:
            close_old_connections()


class SteadyHeartbeat:
    """The worker's own heartbeat, which also tells whether the silence of others means anything.

    While the database is out of reach nobody's heart can beat. Who judged right after it came back would find every
    process silent, and end runs that go on.
    """

    def __init__(self, process_id: UUID, clock: Callable[[], float] = time.monotonic) -> None:
        self._process_id = process_id
        self._clock = clock
        self._last_s = self._steady_since_s = clock()

    def beat(self) -> None:
        """Say that this process is alive."""
        processes.beat(self._process_id)
        now_s = self._clock()
        if now_s - self._last_s > LONGEST_PAUSE_S:
            self._steady_since_s = now_s
        self._last_s = now_s

    def interrupt_orphans(self) -> None:
        """End the runs of silent processes, once this one has beaten for as long as they have to be silent."""
        if self._clock() - self._steady_since_s >= processes.SILENT_AFTER.total_seconds():
            housekeeping.interrupt_orphans(timezone.now())


class StopSignal:
    """Remembers that the process was asked to stop, and does no more in the handler: a lock could deadlock there."""

    def __init__(self) -> None:
        self.is_set = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._set)

    def _set(self, _number: int, _frame: FrameType | None) -> None:
        self.is_set = True


def run_worker(*, out: Output, pulse_fd: int | None = None, pulse_every_s: float = PULSE_EVERY_S) -> None:
    """Run queued tasks and ticks until SIGTERM, SIGINT or SIGHUP; then let the tasks that run finish.

    `pulse_fd` is a pipe that gets a byte for every finished task, and at least one every `pulse_every_s` while the
    cluster works. Signal the main process only: a signal to the whole group kills running tasks.
    Raises ClusterDiedError, and django.db.Error where the database cannot be reached at the start.
    """
    if not logger.isEnabledFor(logging.DEBUG):
        logging.getLogger("django-q").setLevel(logging.WARNING)  # it writes three lines for every task
    process = processes.register(Process.Kind.WORKER)
    heartbeat = SteadyHeartbeat(process.pk)
    connections.close_all()  # a connection shared with a forked child breaks for both
    tie_forked_children()
    cluster = Cluster()
    stop = StopSignal()  # after the cluster, whose own handlers it replaces
    jobs = [
        Job("heartbeat", processes.BEAT_EVERY_S, heartbeat.beat),
        # Not with the ticks: a run of a dead process is to be over 10 s after its last heartbeat.
        Job("interrupt orphans", processes.BEAT_EVERY_S, heartbeat.interrupt_orphans),
        *(Job(name, TICK_EVERY_S, tick) for name, tick in TICKS),
    ]
    if pulse_fd is not None:
        _connect_pulse(pulse_fd)
        jobs.append(Job("pulse", pulse_every_s, _enqueue_pulse))
    cluster.start()
    out.write("worker ready\n")
    out.flush()
    try:
        _run_until(lambda: stop.is_set or not cluster.sentinel.is_alive(), jobs)
        if not stop.is_set:
            raise ClusterDiedError(f"the cluster's guard ended with exit code {cluster.sentinel.exitcode}")
        # In a thread of its own, as it waits for ever when the guard was killed while it held the event's lock.
        threading.Thread(target=cluster.stop_event.set, name="stop cluster", daemon=True).start()
        _run_until(lambda: not cluster.sentinel.is_alive(), jobs[:1])
    finally:
        _write_end(process)


def pulse(owner: str, expires_at: float) -> None:
    """Task: show that the cluster `owner` works. Its being finished is what counts.

    The cluster of another machine may have taken it from the common queue and puts it back, until `expires_at` (Unix
    seconds).
    """
    if owner != _cluster_name and time.time() < expires_at:
        _enqueue(owner, expires_at)


def _enqueue_pulse() -> None:
    _enqueue(_cluster_name, time.time() + PULSE_LIFE_S)


def _enqueue(owner: str, expires_at: float) -> None:
    async_task(pulse, owner, expires_at, q_options={"save": False, "task_name": "pulse"})


def _connect_pulse(pulse_fd: int) -> None:
    global _cluster_name
    _cluster_name = str(uuid.uuid4())
    os.set_blocking(pulse_fd, False)

    def show(sender: object, **_task: object) -> None:
        # Sent by the process that stores results, the last of the chain: this task went through all of them.
        try:
            os.write(pulse_fd, b".")
        except OSError:
            logger.debug("nobody reads the pulse")  # the supervisor is gone, or has enough unread proof

    post_execute.connect(show, weak=False)


def _run_until(is_over: Callable[[], bool], jobs: list[Job]) -> None:
    while not is_over():
        for job in jobs:
            job.run_when_due()
        time.sleep(LOOP_EVERY_S)


def _write_end(process: Process) -> None:
    try:
        processes.end(process.pk)
    except DatabaseFailure as failure:
        logger.warning("end of worker not written error=%s", type(failure).__name__)
    finally:
        connections.close_all()
