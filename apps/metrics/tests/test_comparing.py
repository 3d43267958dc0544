"""Intervals against published ones, and against what they promise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrics.figures.comparing import difference, share, share_difference


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_has_wilsons_interval(count: int, n: int, low: float, high: float) -> None:
    found = share(count, n)

    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_of_nothing_nothing_is_said() -> None:
    assert (share(0, 0), share_difference([]), difference([])) == (None, None, None)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_lies_in_its_interval_and_turned_round_in_the_other(counted: tuple[int, int]) -> None:
    count, n = counted
    found, turned = share(count, n), share(n - count, n)

    assert found is not None and turned is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert (round(found.low, 9), round(found.high, 9)) == (round(1 - turned.high, 9), round(1 - turned.low, 9))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_a_difference_lies_in_its_interval_and_changes_sides(pairs: list[tuple[bool, bool]]) -> None:
    found, turned = share_difference(pairs), share_difference([(second, first) for first, second in pairs])

    assert found is not None and turned is not None
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert round(found.value + turned.value, 9) == round(found.low + turned.high, 9) == 0
    assert (found.only_first, found.only_second) == (turned.only_second, turned.only_first)
    assert found.value == pytest.approx((found.only_first - found.only_second) / len(pairs))


@pytest.mark.parametrize(
    ("n", "both", "first", "second"), [(20, 0.6, 0.2, 0.1), (50, 0.8, 0.1, 0.0), (30, 0.3, 0.2, 0.2)]
)
def test_the_interval_of_a_difference_holds_it_as_often_as_it_promises(
    n: int, both: float, first: float, second: float
) -> None:
    """Over 2,000 sets of prompts with known chances; the published coverage of this interval is about 95 %."""
    chance = random.Random(7)
    kinds, weights = [(True, True), (True, False), (False, True), (False, False)], [both, first, second]
    weights.append(1 - sum(weights))
    held = 0
    for _ in range(2_000):
        found = share_difference(chance.choices(kinds, weights, k=n))
        assert found is not None
        held += found.low <= first - second <= found.high

    assert 0.93 <= held / 2_000 <= 0.99


def test_the_median_of_differences_needs_six_pairs_for_its_interval() -> None:
    few, enough = ([(float(10 * n), float(n)) for n in range(1, count + 1)] for count in (5, 6))
    of_few, of_enough = difference(few), difference(enough)

    assert of_few is not None and (of_few.n, of_few.median, of_few.minimum, of_few.maximum) == (5, None, 9.0, 45.0)
    assert of_enough is not None and of_enough.median is not None and of_enough.is_certain
    assert (of_enough.median.value, of_enough.median.low, of_enough.median.high) == (27.0, 9.0, 54.0)
