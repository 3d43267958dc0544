"""Whatever of the worker is killed, and however: what is queued runs, every effect comes once, and no process is left.

One supervisor for all cases, on the database of the tests, with short limits; what the shipped ones are is in
docs/operations.md.
"""

from __future__ import annotations

import os
import signal
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django_q.models import OrmQ
from django_q.tasks import async_task

from loom.tests.killing import effect_count, pids_of, work
from loom.tests.running import Running, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")

SUPERVISE = """
import dataclasses, os, sys
import django
django.setup()
from loom.processes.start_all import worker_spec
from loom.processes.supervisor import Supervisor
spec = worker_spec(dict(os.environ))
options = ("--pulse-every", "0.5", "--frozen-after", "8", "--retry-after", "6")
with Supervisor(sys.stdout, longest_backoff_s=0.5) as supervisor:
    supervisor.start(dataclasses.replace(spec, argv=(*spec.argv, *options), pulse_limit_s=8.0))
    supervisor.watch()
"""


def stat_of(pid: int) -> tuple[int, int]:
    """The parent of a process and when it was started, in clock ticks; zeros where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0
    return int(fields[1]), int(fields[19])


def children_of(pid: int, pids: list[int]) -> list[int]:
    """Those of `pids` whose parent is `pid`, the oldest first."""
    found = [(stat_of(child)[1], child) for child in pids if stat_of(child)[0] == pid]
    return [child for _started, child in sorted(found)]


@dataclass(frozen=True)
class Processes:
    """The worker's processes by their parts; `tasks` are those that run tasks."""

    main: int
    guard: int
    tasks: tuple[int, ...]
    monitor: int
    pusher: int

    @property
    def all(self) -> set[int]:
        return {self.main, self.guard, *self.tasks, self.monitor, self.pusher}


class Worker:
    """A worker under a supervisor, looked at from outside."""

    def __init__(self, running: Running) -> None:
        self.running = running

    def look(self) -> Processes | None:
        """Its processes, once it is complete and nothing else of it runs."""
        pids = self.running.pids()
        match children_of(self.running.process.pid, pids):
            case [main]:
                pass
            case _:
                return None
        match children_of(main, pids):
            case [guard]:
                pass
            case _:
                return None
        match children_of(guard, pids):
            case [first, second, monitor, pusher]:
                found = Processes(main, guard, (first, second), monitor, pusher)
            case _:
                return None
        return found if {self.running.process.pid} | found.all == set(pids) else None

    def wait_until_complete(self, not_as: Processes | None = None) -> Processes:
        """Wait until it is complete, with other processes than `not_as`, and nothing beside it runs."""
        found: list[Processes] = []

        def is_complete() -> bool:
            found[:] = [now for now in [self.look()] if now is not None and now != not_as]
            return bool(found)

        wait_until(is_complete, "the worker is complete, and nothing beside it runs")
        return found[0]

    def wait_until_at_work(self) -> Processes:
        """Wait until it finishes tasks: then its processes have all begun."""
        key = str(uuid.uuid4())
        async_task(work, key)
        wait_until(lambda: effect_count(key) == 1, "the worker works")
        return self.wait_until_complete()

    def begin_anew(self) -> None:
        """Have it started again, so that the order of its processes tells their parts."""
        old = self.wait_until_complete()
        os.kill(old.main, signal.SIGTERM)
        wait_until(lambda: old.main not in self.running.pids(), "the old one ended")


@pytest.fixture(scope="module")
def supervised(django_db_setup: None) -> Iterator[Worker]:
    """A worker under a supervisor, which starts it again after each death."""
    name = str(connection.settings_dict["NAME"])
    is_sqlite = connection.vendor == "sqlite"
    url = f"sqlite:///{name}" if is_sqlite else urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    environment = {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "loom.settings"}
    with Running("-c", SUPERVISE, environment=environment) as running:
        yield Worker(running)


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


DEATHS: dict[str, Callable[[Processes, int], None]] = {
    "kill -9 of a process at a task": lambda worker, busy: kill(busy),
    # One of the idle ones waits with the queue's lock in hand, and nothing tells from outside which.
    "kill -9 of the idle processes": lambda worker, busy: kill(*(pid for pid in worker.tasks if pid != busy)),
    "kill -9 of the monitor": lambda worker, busy: kill(worker.monitor),
    "kill -9 of the pusher": lambda worker, busy: kill(worker.pusher),
    "kill -9 of the guard": lambda worker, busy: kill(worker.guard),
    "kill -9 of the main process": lambda worker, busy: kill(worker.main),
    "the main process hangs": lambda worker, busy: os.kill(worker.main, signal.SIGSTOP),
    "SIGTERM to the main process": lambda worker, busy: os.kill(worker.main, signal.SIGTERM),
    "SIGTERM to the group": lambda worker, busy: os.killpg(worker.main, signal.SIGTERM),
    "SIGINT to the group": lambda worker, busy: os.killpg(worker.main, signal.SIGINT),
}


def queued_keys() -> set[str]:
    """The tasks of ours that wait or were taken: a task leaves the queue when its result is stored."""
    return {str(task.task["args"][0]) for task in OrmQ.objects.all() if task.func().endswith("work")}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("death", DEATHS)
def test_what_is_queued_runs_once_and_nothing_is_left_after(supervised: Worker, death: str) -> None:
    before = supervised.wait_until_at_work()
    cut, *queued = keys = [f"{name} {uuid.uuid4()}" for name in ("cut", "first", "second", "third")]
    async_task(work, cut, 0.5)
    wait_until(lambda: pids_of(cut) != [], "the task began")

    DEATHS[death](before, pids_of(cut)[0])
    for key in queued:
        async_task(work, key)

    wait_until(lambda: all(effect_count(key) for key in keys), "every task ran")
    wait_until(lambda: not queued_keys(), "every task left the queue, and will not run again")
    after = supervised.wait_until_complete(not_as=before)
    assert [effect_count(key) for key in keys] == [1, 1, 1, 1]
    if after.main == before.main:
        supervised.begin_anew()
