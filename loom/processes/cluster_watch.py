"""Tells a cluster that is frozen from one that is idle or busy.

A killed process can take a lock of the cluster's queues with it: everything then waits for ever and looks healthy
(django-q2 #23). So the cluster reports to the worker's main process through a pipe: a child that takes up a task, that
it is done with it, and each result that was stored. Stored results prove that the whole chain works; an idle cluster
gets a task now and then for that alone. While every child is at a task nothing can be proven, however healthy it is,
and that time does not count: unless one of them is at it for longer than a task may take.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress

from django_q.signals import post_execute, post_execute_in_worker, pre_execute

from apps.core.running.processes import is_process_alive


class ClusterFrozenError(Exception):
    """The cluster finished no task for too long although it could have."""


class ClusterWatch:
    """The judgement over one cluster of `child_count` task processes; durations are in seconds.

    `read` returns new reports, if any: lines of `+pid` (took up a task), `-pid` (is done with it) and `.` (a result was
    stored).
    """

    def __init__(
        self,
        read: Callable[[], bytes],
        *,
        child_count: int,
        limit_s: float,
        longest_task_s: float,
        clock: Callable[[], float] = time.monotonic,
        is_alive: Callable[[int], bool] = is_process_alive,
    ) -> None:
        self._read = read
        self._child_count = child_count
        self._limit_s = limit_s
        self._longest_task_s = longest_task_s
        self._clock = clock
        self._is_alive = is_alive
        self._partial = b""
        self._busy_since: dict[int, float] = {}
        self._proven_at = clock()

    def _take_reports(self) -> None:
        *lines, self._partial = (self._partial + self._read()).split(b"\n")
        for line in lines:
            if line == b".":
                self.excuse()
            elif line.startswith(b"+"):
                self._busy_since[int(line[1:])] = self._clock()
            elif line.startswith(b"-"):
                self._busy_since.pop(int(line[1:]), None)

    def excuse(self) -> None:
        """Begin to count anew: the cluster works, or what it works with is away and nothing can be expected."""
        self._proven_at = self._clock()

    def check(self) -> None:
        """Read what was reported; raise ClusterFrozenError when the cluster is frozen. To be called several times a
        second, as it must notice that all are busy.
        """
        self._take_reports()
        now = self._clock()
        self._busy_since = {pid: since for pid, since in self._busy_since.items() if self._is_alive(pid)}
        at_work = [since for since in self._busy_since.values() if now - since <= self._longest_task_s]
        if len(at_work) >= self._child_count:
            self._proven_at = now
        elif now - self._proven_at > self._limit_s:
            raise ClusterFrozenError(f"the cluster has finished no task for {self._limit_s:g} s")


class Reports:
    """The pipe from the cluster's processes, made before they are forked."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        # Nobody waits for the other: a report that does not fit follows thousands that nobody has read.
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        pre_execute.connect(self._begin, weak=False)
        post_execute_in_worker.connect(self._end, weak=False)
        post_execute.connect(self._store, weak=False)

    def read(self) -> bytes:
        """Return what has come since the last call."""
        with suppress(BlockingIOError):
            return os.read(self._reader, 65536)
        return b""

    def _begin(self, sender: object, **_task: object) -> None:
        self._report(f"+{os.getpid()}\n")

    def _end(self, sender: object, **_task: object) -> None:
        self._report(f"-{os.getpid()}\n")

    def _store(self, sender: object, **_task: object) -> None:
        self._report(".\n")

    def _report(self, line: str) -> None:
        with suppress(OSError):
            os.write(self._writer, line.encode())
