"""How often the stated 95 % intervals hold the truth, over distributions as latencies have them; of rates exactly."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import pytest

from apps.metrics.figures.independent import quantile_difference, rate_difference
from apps.metrics.figures.statistics import percentile

STATED, LEAST = 0.95, 0.94
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Distribution:
    """Something to draw from, whose distribution function is known."""

    draw: Callable[[random.Random], float]
    below: Callable[[float], float]

    def quantile(self, p: float) -> float:
        """The smallest value with at least p of all at or below it, by halving."""
        low, high = 0.0, 1e7
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (low, middle) if self.below(middle) >= p else (middle, high)
        return high


def _lognormal(median: float, sigma: float) -> Distribution:
    return Distribution(
        lambda rng: rng.lognormvariate(math.log(median), sigma),
        lambda x: _NORMAL.cdf(math.log(x / median) / sigma) if x > 0 else 0.0,
    )


def _mixed(one: Distribution, other: Distribution, share: float) -> Distribution:
    return Distribution(
        lambda rng: one.draw(rng) if rng.random() < share else other.draw(rng),
        lambda x: share * one.below(x) + (1 - share) * other.below(x),
    )


def _in_steps(of: Distribution, step: float) -> Distribution:
    """The same rounded up to whole steps, so that many are equal."""
    return Distribution(
        lambda rng: math.ceil(of.draw(rng) / step) * step,
        # A step that halving comes to from below by less than a float can tell is that step.
        lambda x: of.below(math.floor(x / step + 1e-9) * step),
    )


SHIFTED = Distribution(lambda rng: 200 + rng.expovariate(1 / 300), lambda x: 1 - math.exp(min(0.0, (200 - x) / 300)))
HEAVY = Distribution(lambda rng: 300 * rng.paretovariate(1.5), lambda x: 1 - (300 / x) ** 1.5 if x > 300 else 0.0)
DISTRIBUTIONS = {
    "lognormal": _lognormal(900, 0.6),
    "warm and cold together": _mixed(_lognormal(300, 0.2), _lognormal(2400, 0.15), 0.7),
    "two modes, nearly even": _mixed(_lognormal(300, 0.2), _lognormal(2400, 0.15), 0.55),
    "ties": _in_steps(_lognormal(400, 0.3), 100),
    "a few values": _in_steps(_lognormal(400, 0.3), 200),
    "shifted exponential": SHIFTED,
    "heavy tail": HEAVY,
}
OTHERS = DISTRIBUTIONS | {
    "ties": _in_steps(_lognormal(480, 0.3), 100),
    "a few values": _in_steps(_lognormal(420, 0.3), 200),
}
# A quantile, and how many runs the two groups have: from the fewest with an interval on.
SIZES = [(0.5, 6, 6), (0.5, 6, 60), (0.5, 13, 20), (0.5, 29, 29), (0.5, 60, 200), (0.9, 36, 60), (0.95, 72, 120)]


def coverage(p: float, sizes: tuple[int, int], name: str, count: int, seed: int) -> tuple[float, float]:
    """How often the interval of a quantile holds it, and how often that of a difference holds that."""
    rng = random.Random(f"{seed} {name} {p} {sizes}")
    one, other = DISTRIBUTIONS[name], OTHERS[name]
    truth = one.quantile(p)
    apart = truth - other.quantile(p)
    held = held_apart = 0
    for _ in range(count):
        first, second = sorted(one.draw(rng) for _ in range(sizes[0])), sorted(other.draw(rng) for _ in range(sizes[1]))
        alone, found = percentile(first, p), quantile_difference(first, second, p)
        assert alone is not None and found is not None
        # Halving and the sum of squares are exact to a millionth of a millisecond.
        held += alone.low - 1e-6 <= truth <= alone.high + 1e-6
        held_apart += found.low - 1e-6 <= apart <= found.high + 1e-6
    return held / count, held_apart / count


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_intervals_of_medians_and_of_their_differences_hold_in_a_sample(name: str) -> None:
    """1,000 pairs of groups; the allowance of 0.02 is three standard deviations of that few."""
    alone, apart = coverage(0.5, (13, 20), name, 1_000, seed=1)

    assert alone >= STATED - 0.02 and apart >= STATED - 0.02


def test_the_check_finds_an_interval_that_is_too_narrow() -> None:
    """A percentile bootstrap of few, drawn as often as is usual, holds the median less often than it says."""
    rng, of = random.Random(2), DISTRIBUTIONS["lognormal"]
    truth, held = of.quantile(0.5), 0
    for _ in range(400):
        values = [of.draw(rng) for _ in range(7)]
        medians = sorted(sorted(rng.choices(values, k=7))[3] for _ in range(200))
        held += medians[5] <= truth <= medians[194]
    assert held / 400 < LEAST


@pytest.mark.deep
@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize(("p", "first", "second"), SIZES)
def test_intervals_hold_what_they_promise(p: float, first: int, second: int, name: str) -> None:
    alone, apart = coverage(p, (first, second), name, 10_000, seed=20261130)

    sys.stdout.write(
        f"p{p * 100:g}, n = {first} and {second}, {name}: {alone:.4f} alone, {apart:.4f} of the difference\n"
    )
    assert alone >= LEAST and apart >= LEAST


def rate_coverage(rates: tuple[float, float], sizes: tuple[int, int]) -> float:
    """How often the interval of a difference of rates holds it, exactly: over every outcome with its chance."""
    (p, q), (n, m) = rates, sizes
    chances = [
        [math.comb(k, i) * rate**i * (1 - rate) ** (k - i) for i in range(k + 1)] for rate, k in ((p, n), (q, m))
    ]
    held = 0.0
    for i, chance in enumerate(chances[0]):
        for j, other in enumerate(chances[1]):
            found = rate_difference(i, n, j, m)
            assert found is not None
            if found.low - 1e-12 <= p - q <= found.high + 1e-12:
                held += chance * other
    return held


@pytest.mark.parametrize("sizes", [(20, 20), (12, 45)])
@pytest.mark.parametrize("rates", [(0.02, 0.02), (0.05, 0.2), (0.5, 0.3)])
def test_intervals_of_differences_of_rates_hold(rates: tuple[float, float], sizes: tuple[int, int]) -> None:
    assert rate_coverage(rates, sizes) >= LEAST


@pytest.mark.deep
@pytest.mark.parametrize("sizes", [(10, 10), (30, 30), (20, 120), (100, 100)])
def test_intervals_of_differences_of_rates_hold_for_all_rates(sizes: tuple[int, int]) -> None:
    grid = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.8]
    found = {(p, q): rate_coverage((p, q), sizes) for p in grid for q in grid}

    lowest, mean = min(found.values()), sum(found.values()) / len(found)
    sys.stdout.write(
        f"n = {sizes[0]} and {sizes[1]}: lowest {lowest:.4f}, mean {mean:.4f} of {len(found)} pairs of rates\n"
    )
    assert lowest >= LEAST
    # One that hardly ever fails beside one that nearly always does: the difference is told a little too exactly.
    assert rate_coverage((0.01, 0.99), sizes) >= 0.92
