"""What is told of Loom as a whole: numbers of its rows, looked up by whichever process is asked.

Each reading is a few statements over an index, whatever the number of runs. Several scrapers ask the database no more
often than one: what was looked up is told for `GOOD_FOR_S`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import Error as DatabaseError
from django.db import connection
from django.db.models import Count, Min
from django.utils import timezone
from django_q.models import OrmQ

from apps.core.models import Process
from apps.core.running.processes import SILENT_AFTER
from apps.core.running.sqlite_space import space
from apps.core.running.telemetry import Labels
from apps.metrics.starts.sweep import due_measurements
from apps.sessions.indexing import index_state
from apps.sessions.models import Invocation

logger = logging.getLogger(__name__)

GOOD_FOR_S = 5.0
SHOWN_STATES = (*Invocation.UNFINISHED,)


@dataclass(frozen=True, slots=True)
class Reading:
    """A gauge over rows. `read` gives a value for each combination of labels."""

    name: str
    documentation: str
    labels: Labels
    read: Callable[[datetime], Iterable[tuple[Labels, float]]]


@dataclass(frozen=True, slots=True)
class Told:
    """What a reading gave; None where it failed."""

    reading: Reading
    values: list[tuple[Labels, float]] | None


def _unfinished(now: datetime) -> Iterable[tuple[Labels, float]]:
    found = Invocation.objects.filter(status__in=SHOWN_STATES).order_by().values_list("status").annotate(Count("pk"))
    counts = {str(status): 0 for status in SHOWN_STATES} | dict(found)
    return [((status,), count) for status, count in sorted(counts.items())]


def _oldest_queued(now: datetime) -> Iterable[tuple[Labels, float]]:
    oldest = Invocation.objects.filter(status=Invocation.Status.QUEUED).aggregate(oldest=Min("queued_at"))["oldest"]
    return [((), 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()))]


def _due_count(now: datetime) -> Iterable[tuple[Labels, float]]:
    return [((), due_measurements(now)[:10_000].count())]


def _sweep_lateness(now: datetime) -> Iterable[tuple[Labels, float]]:
    oldest = due_measurements(now).order_by().aggregate(oldest=Min("next_at"))["oldest"]
    return [((), 0.0 if oldest is None else (now - oldest).total_seconds())]


def _search_backlog(now: datetime) -> Iterable[tuple[Labels, float]]:
    return [((), index_state().waiting)]


def _tasks(now: datetime) -> Iterable[tuple[Labels, float]]:
    return [((), OrmQ.objects.count())]


def _processes(now: datetime) -> Iterable[tuple[Labels, float]]:
    living = Process.objects.filter(ended_at=None, beat_at__gte=now - SILENT_AFTER)
    found = dict(living.order_by().values_list("kind").annotate(Count("pk")))
    return [((str(kind),), found.get(kind, 0)) for kind in Process.Kind.values]


def _database_bytes(now: datetime) -> Iterable[tuple[Labels, float]]:
    """Only SQLite's file is Loom's alone; PostgreSQL has exporters of its own."""
    taken = space()
    if taken is None:
        return []
    return [(("free",), taken.free_bytes), (("used",), taken.total_bytes - taken.free_bytes)]


def _database_answer(now: datetime) -> Iterable[tuple[Labels, float]]:
    began = time.monotonic()
    Process.objects.values_list("pk").first()
    return [((connection.vendor,), time.monotonic() - began)]


READINGS: list[Reading] = [
    Reading("loom_processes", "Processes that live", ("kind",), _processes),
    Reading("loom_runs_unfinished", "Runs that wait or go on", ("status",), _unfinished),
    Reading("loom_queue_oldest_seconds", "For how long the oldest run has been queued", (), _oldest_queued),
    Reading("loom_log_readings_due", "Runs whose logs are due to be read, counted to 10,000", (), _due_count),
    Reading("loom_log_reading_lateness_seconds", "How late the oldest of them is", (), _sweep_lateness),
    Reading("loom_search_backlog", "Runs that wait to be found by their words, counted to 10,000", (), _search_backlog),
    Reading("loom_tasks", "Background tasks that wait or go on", (), _tasks),
    Reading("loom_database_bytes", "What the file of SQLite takes", ("part",), _database_bytes),
    Reading("loom_database_answer_seconds", "How long a small question took", ("engine",), _database_answer),
]  # fmt: skip


class Readings:
    """The readings and what they last gave."""

    def __init__(self, readings: Iterable[Reading], good_for_s: float = GOOD_FOR_S) -> None:
        self._readings = readings
        self._good_for_s = good_for_s
        self._lock = threading.Lock()
        self._told: list[Told] = []
        self._until_s = float("-inf")

    def tell(self) -> list[Told]:
        """What they give now, or gave a moment ago. One that fails is told without a value, and costs no other one."""
        with self._lock:
            if time.monotonic() >= self._until_s:
                now = timezone.now()
                self._told = [Told(reading, _read(reading, now)) for reading in self._readings]
                self._until_s = time.monotonic() + self._good_for_s
            return self._told


def _read(reading: Reading, now: datetime) -> list[tuple[Labels, float]] | None:
    try:
        return list(reading.read(now))
    except DatabaseError as error:
        logger.warning("metric not read name=%s error=%s", reading.name, type(error).__name__)
        return None


readings = Readings(READINGS)
