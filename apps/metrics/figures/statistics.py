"""Figures that hold: never without n, a percentile only from enough runs, always with its interval.

The interval of a percentile is that of order statistics at 95 %: for the p-quantile of n values it runs from the l-th
to the u-th smallest, with l and u from the binomial distribution B(n, p) so that each tail holds at most 2.5 %. It
assumes nothing of the distribution (W. J. Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2). Both
ends exist from n = 6 for p50, 36 for p90, 72 for p95 and 368 for p99.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile with its 95 % interval, in the unit of the values."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What may be said of some values: `n` always, the extremes from one value on, a percentile from enough of them."""

    n: int
    minimum: float | None
    maximum: float | None
    p50: Percentile | None
    p95: Percentile | None = None


def _log_binomial(n: int, k: int, p: float) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(p) + (n - k) * math.log1p(-p)


@lru_cache(maxsize=4096)
def _lower_rank(n: int, p: float) -> int:
    """The largest l with P(B(n, p) <= l - 1) <= TAIL; 0 where there is none."""
    total, rank = 0.0, 0
    # Below this many standard deviations the terms are zero to a float.
    first = max(0, math.floor(n * p - 12 * math.sqrt(n * p * (1 - p)) - 1))
    for k in range(first, n + 1):
        total += math.exp(_log_binomial(n, k, p))
        if total > TAIL:
            break
        rank = k + 1
    return rank


def percentile(ordered: Sequence[float], p: float) -> Percentile | None:
    """The p-quantile (nearest rank) of values in ascending order, or None where n is too small for its interval."""
    n = len(ordered)
    lower = _lower_rank(n, p)
    upper = n + 1 - _lower_rank(n, 1 - p)
    if lower < 1 or upper > n:
        return None
    rank = max(1, math.ceil(p * n))
    return Percentile(ordered[rank - 1], ordered[lower - 1], ordered[upper - 1])


def summarise(values: Iterable[float]) -> Summary:
    """Sum up values of one kind (cold or warm, one source), in any order."""
    return summarise_ordered(sorted(values))


def summarise_ordered(ordered: Sequence[float]) -> Summary:
    """The same for values that are in ascending order already."""
    if not ordered:
        return Summary(0, None, None, None)
    return Summary(len(ordered), ordered[0], ordered[-1], percentile(ordered, 0.5), percentile(ordered, 0.95))
