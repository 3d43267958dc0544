"""Differences of two groups: against published intervals, and in what must hold of any."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrics.figures.independent import (
    MOST_COMPARED,
    Apart,
    Effect,
    effect,
    quantile_difference,
    rate_difference,
)
from apps.metrics.figures.statistics import least_n, percentile

VALUES = st.lists(st.floats(0, 1e6), min_size=6, max_size=80).map(sorted)


@pytest.mark.parametrize(
    ("counted", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17 (1998) 873, table II, method 11.
    [((56, 70, 48, 80), 0.0428, 0.3422), ((9, 10, 3, 10), 0.1013, 0.8387)],
)
def test_the_difference_of_two_rates_has_newcombes_interval(
    counted: tuple[int, int, int, int], low: float, high: float
) -> None:
    found = rate_difference(*counted)

    assert found is not None and found.is_certain
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_of_two_medians_the_intervals_are_put_together_by_their_squares() -> None:
    """Of 1 … 10 the median is 5 in [2, 9]; of 101 … 110 it is 105 in [102, 109]."""
    found = quantile_difference(range(101, 111), range(1, 11), 0.5)

    assert found == Apart(100.0, 100 - (3**2 + 4**2) ** 0.5, 100 + (4**2 + 3**2) ** 0.5)


@pytest.mark.parametrize("p", [0.5, 0.9, 0.95])
def test_below_the_floor_no_difference_is_told(p: float) -> None:
    least = least_n(p)
    enough, few = list(range(least)), list(range(least - 1))

    assert quantile_difference(enough, enough, p) is not None
    assert quantile_difference(few, enough, p) is None and quantile_difference(enough, few, p) is None
    assert rate_difference(0, 0, 1, 2) is None and rate_difference(1, 2, 0, 0) is None


@given(VALUES, VALUES)
def test_a_difference_changes_its_sign_with_the_sides_and_lies_in_its_interval(
    one: list[float], other: list[float]
) -> None:
    found, turned = quantile_difference(one, other, 0.5), quantile_difference(other, one, 0.5)

    assert found is not None and turned is not None
    assert found.low <= found.value <= found.high
    assert (turned.value, turned.low, turned.high) == pytest.approx((-found.value, -found.high, -found.low))


@given(VALUES, VALUES)
def test_an_effect_counts_the_pairs(one: list[float], other: list[float]) -> None:
    found, turned = effect(one, other), effect(other, one)
    pairs = [(a > b) + (a == b) / 2 for a in one for b in other]

    assert found is not None and turned is not None
    assert found.longer == pytest.approx(sum(pairs) / len(pairs))
    assert found.delta == pytest.approx(-turned.delta)


def test_of_large_groups_so_many_are_looked_at_that_the_effect_is_the_same() -> None:
    rng = random.Random(3)
    one, other = (sorted(rng.lognormvariate(7, 0.5) + shift for _ in range(9001)) for shift in (0, 200))
    in_full, found = Effect(_chance(one, other)), effect(one, other)

    assert found is not None and len(one) > MOST_COMPARED
    assert abs(found.longer - in_full.longer) < 0.0005


def _chance(one: list[float], other: list[float]) -> float:
    """How often a value is above one of the other group, by the sum of ranks; without ties."""
    ranks = {value: rank for rank, value in enumerate(sorted(one + other), 1)}
    return (sum(ranks[value] for value in one) - len(one) * (len(one) + 1) / 2) / (len(one) * len(other))


@pytest.mark.parametrize(
    ("longer", "size"),
    [(0.5, "negligible"), (0.57, "negligible"), (0.6, "small"), (0.3, "medium"), (0.26, "large"), (1.0, "large")],
)
def test_an_effect_has_a_word(longer: float, size: str) -> None:
    assert Effect(longer).size == size


def test_an_effect_needs_six_of_each() -> None:
    assert effect(list(range(5)), list(range(40))) is None
    found = effect([2.0] * 6, [1.0] * 6)
    assert found is not None and found.delta == 1 and percentile([1.0] * 6, 0.5) is not None
