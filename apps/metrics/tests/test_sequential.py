"""The sequential test: known values, and what it does to simulated weeks. Seeds stand here; docs/verification.md has
what the full sizes gave.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from apps.metrics.alerts.sequential import (
    ALPHA,
    LOOKS,
    PARTS,
    Observation,
    find_change,
    fisher_p,
    longer,
    next_look,
    rank_p,
)

A_DAY = 40
Noise = Callable[[random.Random], float]
# How TTFT scatters: by about a third, by half, and in two humps of cold and warm.
NOISES: dict[str, Noise] = {
    "narrow": lambda luck: math.exp(luck.gauss(0, 0.3)),
    "wide": lambda luck: math.exp(luck.gauss(0, 0.5)),
    "tailed": lambda luck: math.exp(luck.gauss(0, 0.3)) + (luck.expovariate(0.5) if luck.random() < 0.05 else 0),
}


def runs(luck: random.Random, noise: Noise, days: float, factor: float = 1.0, first: int = 0) -> list[Observation]:
    """Forty runs a day, a quarter of them cold and four times as slow, slower by night; in the order of time."""
    found = []
    for number in range(round(days * A_DAY)):
        quarter = (first + number * 4 // A_DAY) % 4
        is_cold = luck.random() < 0.25
        base = 800.0 * (4 if is_cold else 1) * (1.2 if quarter == 0 else 1)
        found.append(Observation(base * noise(luck) * factor, (is_cold, quarter)))
    return found


def is_alarm(luck: random.Random, noise: Noise, days: float, factor: float) -> bool:
    change = find_change(runs(luck, noise, 10), runs(luck, noise, days, factor, luck.randrange(4)), is_share=False)
    return change is not None and change.more > 0.1


def alarms(seed: int, noise: str, count: int, days: float, factor: float) -> float:
    luck = random.Random(seed)
    return sum(is_alarm(luck, NOISES[noise], days, factor) for _week in range(count)) / count


@pytest.mark.parametrize("noise", NOISES)
def test_of_two_hundred_unchanged_weeks_few_alarm(noise: str) -> None:
    assert alarms(20_261, noise, 200, 7, 1.0) <= 0.05


@pytest.mark.parametrize("noise", NOISES)
def test_a_third_slower_is_found_within_two_days(noise: str) -> None:
    assert alarms(20_262, noise, 200, 2, 1.3) >= 0.9


@pytest.mark.deep
@pytest.mark.parametrize("noise", NOISES)
def test_five_thousand_weeks(noise: str, capsys: pytest.CaptureFixture[str]) -> None:
    false, found = alarms(4711, noise, 5000, 7, 1.0), alarms(4712, noise, 5000, 2, 1.3)
    failures = rate_alarms(4713, 5000, 0.05, 0.05)
    with capsys.disabled():
        print(f"{noise}: false {false:.2%}, found {found:.2%}; of error rates false {failures:.2%}")  # noqa: T201
    assert false <= ALPHA
    assert found >= 0.9
    assert failures <= ALPHA


def rate_alarms(seed: int, count: int, before: float, after: float) -> float:
    luck = random.Random(seed)

    def week(days: int, rate: float) -> list[Observation]:
        return [Observation(float(luck.random() < rate)) for _run in range(days * A_DAY)]

    return (
        sum(find_change(week(10, before), week(7, after), is_share=True) is not None for _week in range(count)) / count
    )


def test_rates_alarm_seldom_by_chance_and_surely_when_they_rise() -> None:
    assert rate_alarms(7, 200, 0.05, 0.05) <= 0.05
    assert rate_alarms(8, 200, 0.05, 0.25) >= 0.95


def test_the_parts_of_alpha_add_up_and_there_is_one_for_each_look() -> None:
    assert math.isclose(sum(PARTS), 1)
    assert len(PARTS) == len(LOOKS)
    assert list(LOOKS) == sorted(LOOKS)


def test_looking_more_often_finds_nothing_that_looking_once_does_not() -> None:
    """What was seen after n runs is seen again after more: the first look that finds something stays the first."""
    luck = random.Random(5)
    before, after = runs(luck, NOISES["narrow"], 10), runs(luck, NOISES["narrow"], 4, 1.3)
    whole = find_change(before, after, is_share=False)
    assert whole is not None

    piecewise = [find_change(before, after[:count], is_share=False) for count in range(len(after) + 1)]

    assert set(filter(None, piecewise)) == {whole}
    assert next(count for count, change in enumerate(piecewise) if change) == whole.n in LOOKS


def test_the_rank_test_gives_known_values() -> None:
    """Of 1 2 3 4 5 against 6 7 8 9 10: rank sum 40, expected 27.5, variance 22.917, z = 2.611."""
    low, high = ([Observation(float(value)) for value in values] for values in (range(1, 6), range(6, 11)))
    assert rank_p(low, high) == pytest.approx(0.5 * math.erfc(2.6112 / math.sqrt(2)), abs=1e-5)
    assert rank_p(high, low) == pytest.approx(1 - rank_p(low, high))
    equal = [Observation(1.0)] * 5
    assert rank_p(equal, equal) == 1.0
    # 1 1 2 against 2 2 3: ties of two and three.
    tied = rank_p([Observation(1.0), Observation(1.0), Observation(2.0)],
                  [Observation(2.0), Observation(2.0), Observation(3.0)])  # fmt: skip
    assert tied == pytest.approx(0.5 * math.erfc(3.5 / math.sqrt(9 / 12 * (7 - 30 / 30)) / math.sqrt(2)), abs=1e-6)


def test_a_change_of_the_mix_is_no_change_within_strata() -> None:
    """More cold starts than before make a version no slower."""
    warm = [Observation(100.0 + number, "warm") for number in range(50)]
    cold = [Observation(900.0 + number, "cold") for number in range(50)]
    before, after = [*warm, *cold[:10]], [*warm[:10], *cold]

    assert find_change(before, after, is_share=False) is None
    unstratified = [[Observation(one.value) for one in side] for side in (before, after)]
    assert find_change(*unstratified, is_share=False) is not None


def test_fishers_test_gives_known_values() -> None:
    """The lady tasting tea: 3 of 4 against 1 of 4 is 17/70 one-sided."""
    one, three = ([Observation(float(number < count)) for number in range(4)] for count in (1, 3))
    assert fisher_p(one, three) == pytest.approx(17 / 70)
    assert fisher_p(one, one) > 0.5


def test_how_much_longer_is_the_median_quotient() -> None:
    before = [Observation(float(value)) for value in (100, 110, 120)]
    after = [Observation(one.value * 1.5) for one in before]

    assert longer(before, after) == pytest.approx(0.5)
    assert longer(before, [Observation(0.0)]) == 0.0


def test_with_too_few_runs_nothing_is_said_and_the_next_look_is_named() -> None:
    fast, slow = [Observation(1.0 + number / 100) for number in range(40)], [Observation(9.0)] * 19
    assert find_change(fast, slow, is_share=False) is None
    assert find_change(fast[:19], slow * 3, is_share=False) is None
    assert find_change(fast, [*slow, Observation(9.0)], is_share=False) is not None
    assert (next_look(0), next_look(20), next_look(1200)) == (20, 40, None)
