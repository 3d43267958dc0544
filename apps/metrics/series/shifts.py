"""How much longer the runs of one target take than those of another, tested at a few looks. Pure.

- **The test**: the rank sum within strata that alerts use for versions (`alerts.sequential.rank_p`), on both sides. A
  stratum is the stretch of pairs between two looks, so that what drifts over an hour is not taken for a difference.
- **The looks**: a bench may claim a difference where there is none 5 times of 100, all its looks at all its rungs
  taken together. Each rung has an equal part, and spends of it up to the share t of its pairs t² (the power family of
  K. Kim and D. L. DeMets, Biometrika 74 (1987) 149). The parts add up, so by Bonferroni's inequality the whole holds
  however the looks hang together. When they are made says the number of pairs alone, not what was seen.
- **The interval** holds every shift that the same test at the same look does not refuse (Hodges and Lehmann, Annals of
  Mathematical Statistics 34 (1963) 598), so it leaves out 0 exactly where a difference is claimed, and the intervals of
  all looks and rungs hold together 95 times of 100. Its middle is the median of all differences within strata.
- **What would have been found**: from the width of that interval, as for a normal estimate; a difference as large is
  found in nine of ten benches.

How often all of it holds is simulated (`test_bench_truth.py`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, median

from apps.metrics.alerts.sequential import Observation, rank_p
from apps.metrics.figures.independent import Apart

ALPHA = 0.05
POWER = 0.9
MOST_LOOKS = 4
LEAST_OF_LOOK = 8  # pairs between two looks; fewer could not be told from chance at any of them
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Taken:
    """What a run took, as which of a rung's pairs."""

    pair: int
    ms: float


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a rung found: after how many pairs, at which part of α, how far the second target is apart from
    the first. `detectable_ms` would have been found 90 times of 100, by what is left of α.
    """

    pairs: int
    alpha: float
    apart: Apart | None
    detectable_ms: float | None

    @property
    def is_found(self) -> bool:
        return self.apart is not None and self.apart.is_certain


def looks_of(pairs: int) -> tuple[int, ...]:
    """After how many pairs a rung is looked at."""
    count = max(1, min(MOST_LOOKS, pairs // LEAST_OF_LOOK))
    return tuple(pairs * number // count for number in range(1, count + 1))


def alpha_of(look: int, looks: Sequence[int], rungs: int, *, is_last: bool) -> float:
    """The part of α that a look (which of them, from 0) may spend; the last one what is left."""
    whole = ALPHA / rungs
    spent = _spent(looks[look - 1] / looks[-1]) if look else 0.0
    return whole * ((1.0 if is_last else _spent(looks[look] / looks[-1])) - spent)


def _spent(share: float) -> float:
    return share * share


def look_at(
    first: Sequence[Taken], second: Sequence[Taken], *, pairs: int, looks: Sequence[int], alpha: float, left: float
) -> Look:
    """Look at the runs of the first `pairs` pairs, at `alpha`; `left` is the part of the last look."""
    strata = _strata(first, second, pairs, looks)
    one_sided = alpha / 2
    apart = _interval(strata, one_sided)
    return Look(pairs, alpha, apart, None if apart is None else _detectable(apart, one_sided, left / 2))


def is_different(
    first: Sequence[Taken], second: Sequence[Taken], *, pairs: int, looks: Sequence[int], alpha: float
) -> bool:
    """Whether such a look would find a difference: the same, without the interval where there is none."""
    strata = _strata(first, second, pairs, looks)
    if min(_p(strata, 0.0, False), _p(strata, 0.0, True)) > alpha / 2:
        return False
    apart = _interval(strata, alpha / 2)
    return apart is not None and apart.is_certain


_Strata = list[tuple[list[float], list[float]]]


def _strata(first: Sequence[Taken], second: Sequence[Taken], pairs: int, looks: Sequence[int]) -> _Strata:
    found: _Strata = [([], []) for _ in looks]
    for side, taken in enumerate((first, second)):
        for one in taken:
            if one.pair < pairs:
                found[min(bisect_right(looks, one.pair), len(looks) - 1)][side].append(one.ms)
    return [both for both in found if both[0] and both[1]]


def _p(strata: _Strata, shift: float, is_less: bool) -> float:
    """One-sided p of more (or less) than `shift`."""
    firsts, seconds = (
        [Observation(value - side * shift, at) for at, both in enumerate(strata) for value in both[side]]
        for side in (0, 1)
    )
    return rank_p(seconds, firsts) if is_less else rank_p(firsts, seconds)


def _interval(strata: _Strata, one_sided: float) -> Apart | None:
    """The shifts that the test does not refuse on either side; None where it could refuse none, however large."""
    steps = sorted(later - earlier for firsts, seconds in strata for later in seconds for earlier in firsts)
    if not steps:
        return None
    # Between two neighbours of `steps` the test is the same: gap i lies above the i-th, the last above all of them.
    gaps = [(one + other) / 2 for one, other in pairwise(steps)]
    gaps = [steps[0] - 1, *gaps, steps[-1] + 1]
    low = _first(len(gaps), lambda at: _p(strata, gaps[at], False) > one_sided)
    high = _first(len(gaps), lambda at: _p(strata, gaps[at], True) <= one_sided)
    if not 0 < low < len(gaps) or high >= len(gaps):
        return None
    ends = steps[low - 1], steps[max(high - 1, low - 1)]
    return Apart(min(max(median(steps), ends[0]), ends[1]), *ends)


def _first(count: int, holds: Callable[[int], bool]) -> int:
    """The first of `count` numbers from which on it holds; `count` where it never does."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _detectable(apart: Apart, one_sided: float, last_one_sided: float) -> float:
    error = (apart.high - apart.low) / 2 / _NORMAL.inv_cdf(1 - one_sided)
    return error * (_NORMAL.inv_cdf(1 - last_one_sided) + _NORMAL.inv_cdf(POWER))
