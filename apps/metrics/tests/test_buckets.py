from __future__ import annotations

import random
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrics.figures.buckets import HIGHEST, Buckets
from apps.metrics.figures.independent import quantile_difference
from apps.metrics.figures.statistics import percentile

VALUES = st.lists(st.one_of(st.integers(0, 300), st.integers(0, HIGHEST)), min_size=1, max_size=300)


@given(VALUES)
def test_each_value_is_told_within_a_hundredth(values: list[int]) -> None:
    ordered, buckets = sorted(values), Buckets.of(values)

    assert (len(buckets), buckets[0], buckets[-1]) == (len(values), ordered[0], ordered[-1])
    assert sorted(buckets) == list(buckets)
    for place, value in enumerate(ordered):
        assert abs(buckets[place] - value) <= max(0.0101 * value, 0)
        assert buckets.lower(place) <= value <= buckets.upper(place)


@given(VALUES, VALUES)
def test_buckets_that_are_stored_and_put_together_are_those_of_all(some: list[int], others: list[int]) -> None:
    one, two = (Buckets.from_json(made.as_json(), made.packed()) for made in (Buckets.of(some), Buckets.of(others)))
    one.merge(two)
    whole = Buckets.of(some + others)

    assert list(one) == list(whole)
    assert (one.as_json(), one.packed()) == (whole.as_json(), whole.packed())


@pytest.mark.parametrize("p", [0.5, 0.9, 0.95])
def test_an_interval_of_buckets_holds_that_of_the_values(p: float) -> None:
    rng = random.Random(3)
    values = sorted(round(rng.lognormvariate(9, 0.5)) for _ in range(20_000))
    exact, told = percentile(values, p), percentile(Buckets.of(values), p)

    assert exact is not None and told is not None
    assert (
        told.low <= exact.low <= told.value * 1.0101 and told.value <= exact.high * 1.0101 and exact.high <= told.high
    )
    assert told.high - told.low <= exact.high - exact.low + 0.041 * exact.value


def test_what_is_below_a_value_lies_evenly_in_its_bucket() -> None:
    values = list(range(10_000, 20_000))
    buckets = Buckets.of(values)

    assert [buckets.below(value) for value in (9_000, 10_000, 30_000)] == [0.0, 0.0, 10_000.0]
    for value in range(10_000, 20_000, 777):
        assert buckets.below(value) == pytest.approx(bisect_left(values, value), abs=120)


def test_groups_that_differ_by_less_than_a_bucket_are_not_told_apart() -> None:
    rng = random.Random(5)
    values = [round(rng.lognormvariate(9, 0.3)) for _ in range(50_000)]
    same, shifted = Buckets.of(round(value * 1.001) for value in values), Buckets.of(value * 2 for value in values)

    near = quantile_difference(same, Buckets.of(values), 0.5)
    far = quantile_difference(shifted, Buckets.of(values), 0.5)
    assert near is not None and not near.is_certain
    assert far is not None and far.is_certain
