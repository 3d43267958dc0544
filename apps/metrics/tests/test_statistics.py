from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrics.figures.statistics import Percentile, percentile, summarise


@pytest.mark.parametrize(("p", "least"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368)])
def test_a_percentile_needs_enough_runs(p: float, least: int) -> None:
    assert percentile([float(i) for i in range(least - 1)], p) is None
    assert percentile([float(i) for i in range(least)], p) is not None


def test_the_interval_of_the_median_is_that_of_order_statistics() -> None:
    """n = 10: ranks 2 and 9 (Conover, table A3 for p = 0.5)."""
    assert percentile([float(i) for i in range(1, 11)], 0.5) == Percentile(5.0, 2.0, 9.0)


def test_the_interval_holds_the_true_median_in_95_of_100_samples() -> None:
    rng = random.Random(4)
    hits = 0
    for _ in range(1000):
        found = percentile(sorted(rng.expovariate(1) for _ in range(25)), 0.5)
        assert found is not None
        hits += found.low <= 0.6931 <= found.high
    assert hits >= 935


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=400))
def test_a_summary_lies_within_its_values(values: list[float]) -> None:
    summary = summarise(values)

    assert (summary.n, summary.minimum, summary.maximum) == (len(values), min(values), max(values))
    if summary.p50 is None:
        assert len(values) < 6
    else:
        assert summary.p50.value == statistics.median_low(values)
        assert min(values) <= summary.p50.low <= summary.p50.value <= summary.p50.high <= max(values)


def test_many_runs_are_summed_up_without_huge_numbers() -> None:
    found = percentile([float(i) for i in range(100_000)], 0.5)

    assert found is not None
    # 1.96 standard deviations of B(100 000, 0.5) are 310 ranks.
    assert (found.value, round((found.high - found.low) / 2, -1)) == (49_999.0, 310.0)


def test_nothing_is_said_of_no_runs() -> None:
    assert summarise([]).n == 0
    assert summarise([]).p50 is None
