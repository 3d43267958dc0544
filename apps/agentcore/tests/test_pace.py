from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.agentcore.importing.pace import DESCRIPTIONS_PER_S, Pace, description_pace
from apps.aws.connection import Connection


class Clock:
    """A clock that only sleeping and `now +=` move."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def pace_on(clock: Clock, rate: float = 10, burst: int = 4) -> Pace:
    return Pace(rate, burst=burst, monotonic=clock.monotonic, sleep=clock.sleep)


def gaps(pace: Pace, clock: Clock, count: int) -> list[float]:
    seen = []
    for _ in range(count):
        before = clock.now
        pace.wait()
        seen.append(round(clock.now - before, 6))
    return seen


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    clock = Clock()

    assert gaps(pace_on(clock), clock, 7) == [0, 0, 0, 0, 0.1, 0.1, 0.1]


def test_idle_time_adds_up_to_no_more_than_a_burst() -> None:
    clock = Clock()
    pace = pace_on(clock)
    clock.now += 3600

    assert gaps(pace, clock, 6) == [0, 0, 0, 0, 0.1, 0.1]


def test_throttling_pauses_and_halves_the_rate_once_for_many_and_success_brings_it_back() -> None:
    clock = Clock()
    pace = pace_on(clock)
    for _ in range(16):
        pace.slow_down(2.0)

    assert pace.rate_per_s == 5
    assert gaps(pace, clock, 2) == [2.0, 0.2]
    for _ in range(25):
        pace.speed_up()
    assert pace.rate_per_s == pytest.approx(10)
    pace.speed_up()
    assert pace.rate_per_s == 10


def test_throttling_never_stops_the_pace() -> None:
    clock = Clock()
    pace = pace_on(clock, rate=16)
    for _ in range(20):
        clock.now += 1
        pace.slow_down(0)

    assert pace.rate_per_s == 1


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=200), st.integers(1, 8))
def test_no_second_ever_holds_more_than_rate_and_burst(pauses: list[float], burst: int) -> None:
    clock = Clock()
    pace = pace_on(clock, burst=burst)
    granted = []
    for pause in pauses:
        clock.now += pause
        pace.wait()
        granted.append(clock.now)

    for start in granted:
        assert sum(start <= at < start + 1 - 1e-6 for at in granted) <= 10 + burst


def test_everybody_in_a_process_shares_the_pace_of_a_region() -> None:
    connection = Connection(origin="emulator", region="us-east-1", endpoint_url="http://127.0.0.1:1")

    assert description_pace(connection, "eu-west-1") is description_pace(connection, "eu-west-1")
    assert description_pace(connection, "eu-west-1") is not description_pace(connection, "us-east-1")
    assert description_pace(connection, "eu-west-1").rate_per_s == DESCRIPTIONS_PER_S < 25
