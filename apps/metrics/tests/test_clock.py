"""The interval of a start against a planted truth: runs are drawn, with their delays, their clock and its drift."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrics.starts.clock import DRIFT, LEAST_RUNS, Interval, Sighting, narrowed

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Drawn:
    """A run as it was seen, and how long its agent really took to start."""

    seen: Sighting
    true_ms: float


def draw_environment(rng: random.Random, run_count: int) -> list[Drawn]:
    """The runs of one environment: the first one cold, minutes apart; its clock off by up to a minute and drifting.

    What a line says is cut to its resolution, and written up to some milliseconds after the event.
    """
    ahead_ms = rng.choice([rng.gauss(0, 15), rng.gauss(0, 400), rng.uniform(-60_000, 60_000)])
    drift = rng.uniform(-DRIFT, DRIFT)
    runs, at_ms = [], 0.0
    for number in range(run_count):
        at_ms += rng.expovariate(1 / 120_000)
        true_ms = rng.lognormvariate(7.3, 0.4) if number == 0 else 5 + rng.expovariate(1 / 40)
        first_byte_ms = true_ms + 2 + rng.expovariate(1 / rng.choice([30, 700]))
        rank = rng.choice([1, 2, 3])
        start_ms = at_ms + true_ms
        logged_ms = start_ms + ahead_ms + drift * start_ms
        if rank != 1:
            # The SDK subtracts a rounded duration from a time that is cut to milliseconds.
            duration_ms = rng.uniform(0, 400)
            written_ms = logged_ms + duration_ms + min(rng.expovariate(1 / 0.2), 2.0)
            logged_ms = written_ms // 1 - round(duration_ms)
        sent_at = NOON + timedelta(milliseconds=at_ms)
        seen = Sighting(
            sent_at, sent_at + timedelta(milliseconds=first_byte_ms), NOON + timedelta(milliseconds=logged_ms), rank
        )
        runs.append(Drawn(seen, true_ms))
    return runs


def test_the_truth_lies_inside_and_the_interval_gets_narrower() -> None:
    """Of 500 environments with 5 to 30 runs each: inside at least 99 times of 100, with plain causality kept apart."""
    rng = random.Random(20_261_120)
    inside = outside = 0
    shares = []
    for _ in range(500):
        runs = draw_environment(rng, rng.randint(5, 30))
        for run in runs:
            found = narrowed(run.seen, [one.seen for one in runs])
            if found is None:
                continue
            longest_ms = (run.seen.first_byte_at - run.seen.sent_at) / timedelta(milliseconds=1)
            assert 0 <= found.low_ms <= found.high_ms <= longest_ms
            shares.append((found.high_ms - found.low_ms) / longest_ms)
            is_inside = found.low_ms <= run.true_ms <= found.high_ms
            inside, outside = inside + is_inside, outside + (not is_inside)
    assert inside / (inside + outside) >= 0.99
    # Nearly every one of about 8,700 runs is told more of than that it lay between its request and its first byte.
    assert inside + outside > 8_000
    assert sorted(shares)[len(shares) // 2] < 0.7


@given(st.integers(0, 2**32), st.integers(LEAST_RUNS, 12))
def test_more_runs_never_widen_an_interval(seed: int, run_count: int) -> None:
    seen = [run.seen for run in draw_environment(random.Random(seed), run_count + 3)]
    fewer, more = narrowed(seen[0], seen[:run_count]), narrowed(seen[0], seen)
    if fewer is not None:
        assert more is not None
        assert fewer.low_ms <= more.low_ms <= more.high_ms <= fewer.high_ms


def sighting(number: int, startup_ms: float, first_byte_ms: float, ahead_ms: float = 0.0, rank: int = 1) -> Sighting:
    sent_at = NOON + timedelta(seconds=number)
    millisecond = timedelta(milliseconds=1)
    return Sighting(
        sent_at, sent_at + first_byte_ms * millisecond, sent_at + (startup_ms + ahead_ms) * millisecond, rank
    )


def test_the_bounds_of_runs_that_are_written_down() -> None:
    """Its clock is 500 ms ahead; the second run leaves it 20 ms to do so, either way."""
    runs = [sighting(0, 1_500, 1_900, 500), *(sighting(number, 40, 60, 500) for number in range(1, 5))]
    found = narrowed(runs[0], runs)

    assert found is not None
    slack = 1 + DRIFT * 1_000
    assert (found.ahead_low_ms, found.ahead_high_ms) == pytest.approx((480 - slack, 540 + slack))
    assert (found.low_ms, found.high_ms) == pytest.approx((1_460 - 1 - slack, 1_520 + 1 + slack))
    assert found.run_count == 5


@pytest.mark.parametrize(
    "runs",
    [
        [sighting(number, 40, 60) for number in range(LEAST_RUNS - 1)],  # too few
        [sighting(number, 40, 60, 0 if number < 3 else 900) for number in range(6)],  # the clock was set
        [sighting(number, 30, 31) for number in range(6)],  # they tell no more than each alone
    ],
)
def test_where_the_runs_do_not_tell_it_nothing_is_said(runs: list[Sighting]) -> None:
    found = [narrowed(run, runs) for run in runs]
    assert [one for one in found if isinstance(one, Interval) and one.low_ms <= 0] == []
    assert found[0] is None or found[0].low_ms > 0
