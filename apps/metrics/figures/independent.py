"""Two groups of runs that have nothing to do with each other: how far apart they are, never without an interval.

- **The difference of two quantiles**: each has its interval of order statistics (`statistics`), which assumes nothing
  of the distribution; the two are put together by the square-and-add rule (R. M. Price and D. G. Bonett,
  Distribution-free confidence intervals for difference and ratio of medians, J. Stat. Comput. Simul. 72 (2002) 119; as
  MOVER: G. Y. Zou and A. Donner, Statistics in Medicine 27 (2008) 1693). Nothing is drawn by chance, so the same runs
  give the same interval, and a group of six has one where a percentile bootstrap would be too narrow. It costs nothing
  beside sorting, and the groups are sorted already, however large. Where many values are equal that interval is too
  narrow. There it runs from the lower end of one minus the upper end of the other to the opposite, of intervals that
  hold 97.5 times of 100 each, and so both at once 95 times, whatever the distribution.
- **The difference of two rates**: R. G. Newcombe's hybrid score interval with continuity correction (Statistics in
  Medicine 17 (1998) 873, method 11). The one without it falls below what it promises where failures are rare.
  Beside one that always fails one that never does is told a little too exactly: 92.7 times of 100.
- **The size of an effect**: Cliff's delta (N. Cliff, Psychological Bulletin 114 (1993) 494), which is 2 A - 1 with A of
  A. Vargha and H. D. Delaney (J. Educ. Behav. Stat. 25 (2000) 101), the chance that a run of one takes longer than a
  run of the other. The words for it are those of J. Romano and others (Florida Association of Institutional Research,
  2006).

How often the intervals hold what they promise is simulated (`test_coverage.py`).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from apps.metrics.figures.buckets import Buckets
from apps.metrics.figures.comparing import Z
from apps.metrics.figures.statistics import interval_ranks, least_n, percentile, values_between

# Of a larger group so many evenly spaced ones of its ordered values are looked at: A is off by less than 1/2000.
MOST_COMPARED = 2000
# Of two intervals that hold independently, each with this much on either side, both hold 95 times of 100.
JOINT_TAIL = (1 - math.sqrt(0.95)) / 2
DISTINCT_SHARE = 0.8
NEGLIGIBLE, SMALL, MEDIUM = 0.147, 0.33, 0.474

Size = Literal["negligible", "small", "medium", "large"]


@dataclass(frozen=True, slots=True)
class Apart:
    """How much more one group has than another, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def is_certain(self) -> bool:
        """Whether the interval leaves out that there is no difference."""
        return self.low > 0 or self.high < 0

    def divided(self, by: float) -> Apart:
        """The same in a unit that is so many times as large."""
        return Apart(self.value / by, self.low / by, self.high / by)


@dataclass(frozen=True, slots=True)
class Effect:
    """`longer` is the chance that a run of one group takes longer than one of the other; equal ones count half."""

    longer: float

    @property
    def delta(self) -> float:
        """Cliff's delta: 1 where every run takes longer, -1 where every one is shorter, 0 where both are as often."""
        return 2 * self.longer - 1

    @property
    def size(self) -> Size:
        amount = abs(self.delta)
        if amount < NEGLIGIBLE:
            return "negligible"
        return "small" if amount < SMALL else "medium" if amount < MEDIUM else "large"


def quantile_difference(ordered: Sequence[float], reference: Sequence[float], p: float) -> Apart | None:
    """The p-quantile of values in ascending order minus that of the reference's; None where either has too few."""
    one, other = percentile(ordered, p), percentile(reference, p)
    if one is None or other is None:
        return None
    if _is_coarse(ordered, p) or _is_coarse(reference, p):
        (low, high), (reference_low, reference_high) = (_joint_ends(values, p) for values in (ordered, reference))
        return Apart(one.value - other.value, low - reference_high, high - reference_low)
    return _square_and_add((one.value, one.low, one.high), (other.value, other.low, other.high))


def _is_coarse(ordered: Sequence[float], p: float) -> bool:
    """Whether many of the values from one end of a quantile's interval to the other are equal, as those of buckets."""
    if isinstance(ordered, Buckets):
        return True
    ranks = interval_ranks(len(ordered), p)
    if ranks is None:
        return False
    within = ordered[ranks[0] - 1 : ranks[1]]
    return len(set(within)) < DISTINCT_SHARE * len(within)


def _joint_ends(ordered: Sequence[float], p: float) -> tuple[float, float]:
    """The ends of the interval of a quantile that holds together with that of another group; of all values, where
    these are too few for it.
    """
    lower, upper = interval_ranks(len(ordered), p, JOINT_TAIL) or (1, len(ordered))
    return values_between(ordered, lower, upper)


def rate_difference(count: int, n: int, reference_count: int, reference_n: int) -> Apart | None:
    """The share `count` of `n` minus that of the reference; None where either is a share of nothing."""
    if n == 0 or reference_n == 0:
        return None
    found = _square_and_add(_corrected_share(count, n), _corrected_share(reference_count, reference_n))
    return Apart(found.value, max(found.low, -1.0), min(found.high, 1.0))


def effect(ordered: Sequence[float], reference: Sequence[float]) -> Effect | None:
    """How often a value is above one of the reference; both in ascending order. None below the floor of a median."""
    if min(len(ordered), len(reference)) < least_n(0.5):
        return None
    some, others = _spaced(ordered), _spaced(reference)
    twice = sum(bisect_left(others, value) + bisect_right(others, value) for value in some)
    return Effect(twice / (2 * len(some) * len(others)))


def _spaced(ordered: Sequence[float]) -> Sequence[float]:
    """The values, or of many those in the middle of equal parts."""
    n = len(ordered)
    if n <= MOST_COMPARED:
        return list(ordered)
    if isinstance(ordered, Buckets):
        return ordered.spaced(MOST_COMPARED)
    return [ordered[(2 * part + 1) * n // (2 * MOST_COMPARED)] for part in range(MOST_COMPARED)]


def _square_and_add(one: tuple[float, float, float], other: tuple[float, float, float]) -> Apart:
    """One minus the other, each given as its value and the ends of its interval."""
    (value, low, high), (reference, reference_low, reference_high) = one, other
    below = math.hypot(value - low, reference_high - reference)
    above = math.hypot(high - value, reference - reference_low)
    return Apart(value - reference, value - reference - below, value - reference + above)


def _corrected_share(count: int, n: int) -> tuple[float, float, float]:
    """A share with the ends of Wilson's interval, corrected for continuity (Newcombe 1998, 857, method 4)."""
    rate, rest, z2 = count / n, 1 - count / n, Z * Z
    low_root = math.sqrt(max(z2 - 2 - 1 / n + 4 * rate * (n * rest + 1), 0.0))
    high_root = math.sqrt(max(z2 + 2 - 1 / n + 4 * rate * (n * rest - 1), 0.0))
    low = 0.0 if count == 0 else (2 * n * rate + z2 - 1 - Z * low_root) / (2 * (n + z2))
    high = 1.0 if count == n else (2 * n * rate + z2 + 1 + Z * high_root) / (2 * (n + z2))
    return rate, max(low, 0.0), min(high, 1.0)
