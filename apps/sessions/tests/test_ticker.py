from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sessions.viewing.ticker import CROWDED, FRAME_S, RENDER_REST, SHARED_FRAME_S, SLICE_S, Ticker, rest_s


class Timer:
    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when, self.call, self.is_cancelled = when, call, False

    def cancel(self) -> None:
        self.is_cancelled = True


class VirtualLoop:
    """The clock and the timers of an event loop, on which time passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(when, call))
        return self.timers[-1]

    def waiting(self) -> list[Timer]:
        return [timer for timer in self.timers if not timer.is_cancelled]

    def run_until(self, until: float) -> None:
        while due := sorted((timer for timer in self.waiting() if timer.when <= until), key=lambda timer: timer.when):
            self.timers.remove(due[0])
            self.now = max(self.now, due[0].when)
            due[0].call()
        self.now = max(self.now, until)


# After so many seconds something is due in so many.
DUES = st.lists(st.tuples(st.floats(0, 0.05), st.floats(0, 0.2)), max_size=60)


@given(DUES)
def test_everything_is_called_once_in_its_slice_never_early_and_by_one_timer(dues: list[tuple[float, float]]) -> None:
    loop = VirtualLoop()
    any_loop: Any = loop
    ticker = Ticker(any_loop)
    late: dict[int, float] = {}
    for number, (after_s, due_in_s) in enumerate(dues):
        loop.run_until(loop.now + after_s)
        due_at = loop.now + due_in_s

        def step(number: int = number, due_at: float = due_at) -> None:
            assert number not in late
            late[number] = loop.now - due_at

        ticker.at(due_at, step)
        assert len(loop.waiting()) == 1
    loop.run_until(loop.now + 1)

    assert len(late) == len(dues) and loop.waiting() == []
    assert all(-1e-9 <= by <= SLICE_S + 1e-9 for by in late.values())


def test_what_asks_again_in_its_own_step_is_called_in_a_later_slice() -> None:
    loop = VirtualLoop()
    any_loop: Any = loop
    ticker = Ticker(any_loop)
    called_at: list[float] = []

    def step() -> None:
        called_at.append(loop.now)
        if len(called_at) < 3:
            ticker.at(loop.now + FRAME_S, step)

    ticker.at(0.001, step)
    loop.run_until(1)

    assert len(called_at) == 3
    assert all(later - earlier >= FRAME_S for earlier, later in pairwise(called_at))


@pytest.mark.parametrize(
    ("viewers", "answers", "took_s", "size", "expected"),
    [
        (1, 1, 0.0, 100, FRAME_S),
        (2, 1, 0.0, 100, SHARED_FRAME_S),
        (1, 60, 0.0, 100, FRAME_S * 1.2),
        (2, 1000, 0.0, 100, SHARED_FRAME_S * CROWDED),
        (1, 1, 0.1, 100, 0.1 * RENDER_REST),
        (1, 1, 0.0, 256_000, 1.0),
    ],
)
def test_a_frame_is_followed_by_a_rest_that_suits_what_it_cost(
    viewers: int, answers: int, took_s: float, size: int, expected: float
) -> None:
    rest = rest_s(viewers, answers, took_s, size)

    assert rest == pytest.approx(expected)
