"""Shares and differences that hold: never without their n and their 95 % interval.

- A share: the interval of Wilson's score (E. B. Wilson, JASA 22 (1927) 209), right for small n and at 0 and 1.
- The difference of two shares over the same prompts: R. G. Newcombe's hybrid score interval for paired data (Statistics
  in Medicine 17 (1998) 2635, method 10).
- The difference of two measures over the same prompts: the median of the differences, with the interval of order
  statistics of `statistics` (of the sign test: Conover, Practical Nonparametric Statistics, section 3.4). It assumes
  nothing of the distribution, and exists from n = 6.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from apps.metrics.figures.statistics import Percentile, percentile

Z = 1.959963984540054  # the 97.5 % point of the normal distribution


@dataclass(frozen=True, slots=True)
class Share:
    """So many of n, with the 95 % interval of the share."""

    count: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.count / self.n


@dataclass(frozen=True, slots=True)
class ShareDifference:
    """The first share minus the second, over the same n things, with its 95 % interval."""

    n: int
    value: float
    low: float
    high: float
    only_first: int
    only_second: int

    @property
    def is_certain(self) -> bool:
        """Whether the interval leaves out that there is no difference."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Difference:
    """The first minus the second of n pairs: the median, None where n is too small for its interval."""

    n: int
    median: Percentile | None
    minimum: float
    maximum: float

    @property
    def is_certain(self) -> bool:
        return self.median is not None and (self.median.low > 0 or self.median.high < 0)


def share(count: int, n: int) -> Share | None:
    """A share with Wilson's interval; None of nothing."""
    if n == 0:
        return None
    rate, z2 = count / n, Z * Z
    middle = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    # Exactly 0 and 1 where they are, which floats miss by a little.
    return Share(count, n, 0.0 if count == 0 else middle - half, 1.0 if count == n else middle + half)


def share_difference(pairs: Iterable[tuple[bool, bool]]) -> ShareDifference | None:
    """Of things that two were tried on: the share that went well with the first, minus that with the second."""
    found = list(pairs)
    n = len(found)
    first, second = share(sum(a for a, _ in found), n), share(sum(b for _, b in found), n)
    if first is None or second is None:
        return None
    both, neither = sum(a and b for a, b in found), sum(not a and not b for a, b in found)
    only_first, only_second = first.count - both, second.count - both
    spread = math.sqrt(first.count * (n - first.count) * second.count * (n - second.count))
    crossed = both * neither - only_first * only_second
    if crossed > 0:
        crossed = max(crossed - n / 2, 0)  # type: ignore[assignment]
    phi = crossed / spread if spread else 0.0
    below = _root(first.value - first.low, second.high - second.value, phi)
    above = _root(first.high - first.value, second.value - second.low, phi)
    value = first.value - second.value
    return ShareDifference(n, value, max(value - below, -1.0), min(value + above, 1.0), only_first, only_second)


def _root(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(one * one - 2 * phi * one * other + other * other, 0.0))


def difference(pairs: Sequence[tuple[float, float]]) -> Difference | None:
    """Of things that two were measured on: how much more the first took than the second."""
    ordered = sorted(first - second for first, second in pairs)
    if not ordered:
        return None
    return Difference(len(ordered), percentile(ordered, 0.5), ordered[0], ordered[-1])
