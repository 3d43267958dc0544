"""What a process counts of itself: plain numbers in its memory, written down with each of its heartbeats.

Any process can then tell of all of them: see `apps.metrics.exporting`. Whoever counts loads no library of metrics for
that, and pays a dictionary's price. Names and units are those of Prometheus
(https://prometheus.io/docs/practices/naming/): seconds and bytes, `_total` is added to counters where they are told.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from apps.core.running.memory import resident_bytes

# From a page's time to an agent's: a bucket holds what took at most so many seconds.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)

Labels = tuple[str, ...]
Sample = list[Any]
"""`[labels, value]`; of a histogram `[labels, [how many in each bucket, and beyond the last], their sum]`."""
Snapshot = dict[str, list[Sample]]


class Family:
    """The numbers of one name, one for each combination of labels; their values are few and known beforehand."""

    type: Literal["counter", "gauge", "histogram"]

    def __init__(self, name: str, documentation: str, labels: Labels = ()) -> None:
        if name in families:
            raise ValueError(f"{name!r} is counted already")
        self.name, self.documentation, self.labels = name, documentation, labels
        self._lock = threading.Lock()
        families[name] = self

    def samples(self) -> list[Sample]:
        """What was counted so far, as JSON."""
        raise NotImplementedError


families: dict[str, Family] = {}


class Counter(Family):
    """How often something happened since the process began."""

    type = "counter"

    def __init__(self, name: str, documentation: str, labels: Labels = ()) -> None:
        super().__init__(name, documentation, labels)
        self._values: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, *labels: str, by: float = 1) -> None:
        """Count; from any thread."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0) + by

    def samples(self) -> list[Sample]:
        with self._lock:
            return [[list(labels), value] for labels, value in self._values.items()]


class Gauge(Family):
    """A number that is looked at whenever it is told."""

    type = "gauge"

    def __init__(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        super().__init__(name, documentation)
        self._read = read

    def samples(self) -> list[Sample]:
        return [[[], self._read()]]


class Clock(Gauge):
    """The same for a number that only grows while the process lives."""

    type = "counter"  # type: ignore[assignment]


class Histogram(Family):
    """How long something took, in buckets of `SECONDS`."""

    type = "histogram"

    def __init__(self, name: str, documentation: str, labels: Labels = ()) -> None:
        super().__init__(name, documentation, labels)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, seconds: float, *labels: str) -> None:
        """Count one that took so long; from any thread."""
        with self._lock:
            counts = self._counts.setdefault(labels, [0] * (len(SECONDS) + 1))
            counts[bisect_left(SECONDS, seconds)] += 1
            self._sums[labels] = self._sums.get(labels, 0.0) + seconds

    def samples(self) -> list[Sample]:
        with self._lock:
            return [[list(labels), list(counts), self._sums[labels]] for labels, counts in self._counts.items()]


class LatestLag:
    """How late the event loop woke its process up for the last heartbeat."""

    def __init__(self) -> None:
        self.seconds = 0.0


def snapshot() -> Snapshot:
    """All that this process has counted so far."""
    return {name: family.samples() for name, family in sorted(families.items())}


def _open_files() -> float:
    try:
        return len(list(Path("/proc/self/fd").iterdir()))
    except OSError:  # no Linux
        return 0


lag = LatestLag()
Gauge("loom_event_loop_lag_seconds", "How late the event loop woke for the last heartbeat", lambda: lag.seconds)
Gauge("process_resident_memory_bytes", "Memory that the process holds", resident_bytes)
Gauge("process_open_fds", "Open files and connections", _open_files)


Clock("process_cpu_seconds", "Processor time that the process has used", time.process_time)
