"""Figures that hold: never without n, a percentile only from enough runs, always with its interval.

The interval of a percentile is that of order statistics at 95 %: for the p-quantile of n values it runs from the l-th
to the u-th smallest, with l and u from the binomial distribution B(n, p) so that each tail holds at most 2.5 %. It
assumes nothing of the distribution (W. J. Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2), and holds
for values with ties as well, as both ends belong to it. Both ends exist from n = 6 for p50, 36 for p90, 72 for p95 and
368 for p99. How often it holds what it promises is simulated (`test_coverage.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from apps.metrics.figures.buckets import Buckets

TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile with its 95 % interval, in the unit of the values."""

    value: float
    low: float
    high: float

    def divided(self, by: float) -> Percentile:
        """The same in a unit that is so many times as large."""
        return Percentile(self.value / by, self.low / by, self.high / by)


@dataclass(frozen=True, slots=True)
class Summary:
    """What may be said of some values: `n` always, the extremes from one value on, a percentile from enough of them."""

    n: int
    minimum: float | None
    maximum: float | None
    p50: Percentile | None
    p95: Percentile | None = None
    p90: Percentile | None = None

    def percentile(self, p: float) -> Percentile | None:
        """That of 0.5, 0.9 or 0.95."""
        return {0.5: self.p50, 0.9: self.p90, 0.95: self.p95}[p]

    def divided(self, by: float) -> Summary:
        """The same in a unit that is so many times as large."""
        if self.minimum is None or self.maximum is None:
            return self
        p50, p90, p95 = (found and found.divided(by) for found in (self.p50, self.p90, self.p95))
        return Summary(self.n, self.minimum / by, self.maximum / by, p50, p95, p90)


def _log_binomial(n: int, k: int, p: float) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(p) + (n - k) * math.log1p(-p)


@lru_cache(maxsize=4096)
def _lower_rank(n: int, p: float, tail: float = TAIL) -> int:
    """The largest l with P(B(n, p) <= l - 1) <= tail; 0 where there is none."""
    total, rank, odds = 0.0, 0, p / (1 - p)
    # What lies below this many standard deviations adds nothing that a rank would show.
    first = max(0, math.floor(n * p - 8 * math.sqrt(n * p * (1 - p)) - 1))
    term = math.exp(_log_binomial(n, first, p))
    for k in range(first, n + 1):
        total += term
        if total > tail:
            break
        rank = k + 1
        term *= (n - k) / rank * odds
    return rank


@lru_cache(maxsize=16)
def least_n(p: float) -> int:
    """From how many values on the p-quantile has an interval, both ends of it: P(none lies on one side) <= TAIL."""
    return math.ceil(math.log(TAIL) / math.log(max(p, 1 - p)))


def interval_ranks(n: int, p: float, tail: float = TAIL) -> tuple[int, int] | None:
    """The ranks, from 1, of the ends of the p-quantile's interval among n; None where n is too small for it."""
    lower = _lower_rank(n, p, tail)
    upper = n + 1 - _lower_rank(n, 1 - p, tail)
    return None if lower < 1 or upper > n else (lower, upper)


def percentile(ordered: Sequence[float], p: float) -> Percentile | None:
    """The p-quantile (nearest rank) of values in ascending order, or None where n is too small for its interval."""
    n = len(ordered)
    ranks = interval_ranks(n, p)
    if ranks is None:
        return None
    rank = max(1, math.ceil(p * n))
    return Percentile(ordered[rank - 1], *values_between(ordered, *ranks))


def values_between(ordered: Sequence[float], lower: int, upper: int) -> tuple[float, float]:
    """The values of two ranks, from 1, as the ends of an interval: of buckets the outer edges."""
    if isinstance(ordered, Buckets):
        return ordered.lower(lower - 1), ordered.upper(upper - 1)
    return ordered[lower - 1], ordered[upper - 1]


def summarise(values: Iterable[float]) -> Summary:
    """Sum up values of one kind (cold or warm, one source), in any order."""
    return summarise_ordered(sorted(values))


def summarise_ordered(ordered: Sequence[float]) -> Summary:
    """The same for values that are in ascending order already."""
    if not ordered:
        return Summary(0, None, None, None)
    p50, p90, p95 = (percentile(ordered, p) for p in (0.5, 0.9, 0.95))
    return Summary(len(ordered), ordered[0], ordered[-1], p50, p95, p90)
