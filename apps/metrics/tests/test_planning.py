"""The order of a plan: every run once, the same order again, and no more out at a time than may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrics.series.planning import Order, Step, due, failed_in_a_row, steps

SIZES = st.integers(1, 5)


@given(SIZES, SIZES, SIZES, st.sampled_from(Order), st.integers(0, 2**31 - 1))
def test_every_run_is_planned_once_and_again_in_the_same_order(
    targets: int, prompts: int, repeats: int, order: Order, seed: int
) -> None:
    found = steps(targets=targets, prompts=prompts, repeats=repeats, order=order, seed=seed)

    assert [step.place for step in found] == list(range(1, targets * prompts * repeats + 1))
    combinations = {(step.target, step.prompt, step.repeat) for step in found}
    assert combinations == {(t, p, r) for t in range(targets) for p in range(prompts) for r in range(repeats)}
    assert found == steps(targets=targets, prompts=prompts, repeats=repeats, order=order, seed=seed)


@pytest.mark.parametrize(
    ("order", "seed", "expected"),
    [
        (Order.SEQUENTIAL, 0, "00 01 10 11"),
        (Order.INTERLEAVED, 0, "00 10 01 11"),
        # Written down: a stored seed means this order for ever, on every Python.
        (Order.RANDOM, 1, "10 11 01 00"),
        (Order.RANDOM, 7, "01 00 10 11"),
    ],
)
def test_the_order_is_what_its_name_says(order: Order, seed: int, expected: str) -> None:
    found = steps(targets=2, prompts=2, order=order, seed=seed)

    assert " ".join(f"{step.target}{step.prompt}" for step in found) == expected


@given(SIZES, st.integers(1, 4), st.data())
def test_no_more_are_out_than_may_be_and_all_of_them_come(repeats: int, at_once: int, data: st.DataObject) -> None:
    planned = steps(targets=2, repeats=repeats)
    begun: dict[int, bool] = {}
    while not all(begun.get(step.place) for step in planned):
        begun |= {step.place: False for step in due(planned, begun, at_once=at_once)}
        out = [place for place, is_over in begun.items() if not is_over]
        assert 0 < len(out) <= at_once
        begun[data.draw(st.sampled_from(out))] = True

    assert due(planned, begun, at_once=at_once) == []


def test_what_has_no_room_waits() -> None:
    planned = steps(repeats=3)

    assert due(planned, {}) == [Step(1, 0, 0, 0)]
    assert due(planned, {1: False}) == []
    assert due(planned, {1: False, 2: False}, at_once=1) == []


def test_only_the_newest_failures_count() -> None:
    assert not failed_in_a_row([], 2)
    assert not failed_in_a_row([False, False, True], 2)
    assert not failed_in_a_row([False], 2)
    assert failed_in_a_row([True, False, False], 2)
