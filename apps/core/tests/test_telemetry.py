from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from apps.core.models import Process
from apps.core.running import processes, telemetry
from apps.core.running.telemetry import SECONDS, Counter, Gauge, Histogram


@pytest.fixture(autouse=True)
def _own_families() -> Iterator[None]:
    before = dict(telemetry.families)
    yield
    telemetry.families.clear()
    telemetry.families.update(before)


def test_a_counter_counts_each_combination_of_labels() -> None:
    counter = Counter("test_things", "Things", ("kind", "status"))
    counter.add("one", "good")
    counter.add("one", "good", by=2)
    counter.add("two", "bad")

    assert counter.samples() == [[["one", "good"], 3], [["two", "bad"], 1]]


def test_one_without_labels_is_told_before_anything_happened() -> None:
    assert Counter("test_events", "Events").samples() == [[[], 0]]


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (SECONDS[0], 0), (0.0051, 1), (SECONDS[-1], len(SECONDS) - 1), (SECONDS[-1] + 1, len(SECONDS))],
)
def test_a_bucket_holds_what_took_at_most_as_long_as_it_says(seconds: float, bucket: int) -> None:
    histogram = Histogram("test_seconds", "Time")
    histogram.observe(seconds)

    ((_, counts, total),) = histogram.samples()
    assert counts == [int(place == bucket) for place in range(len(SECONDS) + 1)]
    assert total == seconds


def test_a_gauge_is_looked_at_when_it_is_told() -> None:
    found = [1.0]
    gauge = Gauge("test_level", "Level", lambda: found[0])
    found[0] = 2.0

    assert gauge.samples() == [[[], 2.0]]


def test_a_name_is_counted_once() -> None:
    Counter("test_twice", "Once")
    with pytest.raises(ValueError, match="test_twice"):
        Gauge("test_twice", "Twice", lambda: 0)


def test_threads_lose_no_count() -> None:
    counter, histogram = Counter("test_raced", "Raced"), Histogram("test_raced_seconds", "Raced")

    def count() -> None:
        for _ in range(2_000):
            counter.add()
            histogram.observe(1.0)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counter.samples() == [[[], 8_000]]
    assert sum(histogram.samples()[0][1]) == 8_000


@pytest.mark.django_db
def test_a_heartbeat_carries_what_was_counted() -> None:
    Counter("test_told", "Told").add(by=3)
    process = processes.register(Process.Kind.WEB)

    assert processes.beat(process.pk)

    process.refresh_from_db()
    assert process.telemetry is not None
    assert process.telemetry["test_told"] == [[[], 3]]
    assert process.telemetry["process_resident_memory_bytes"][0][1] > 1_000_000
    assert json.loads(json.dumps(telemetry.snapshot()))["test_told"] == [[[], 3]]
