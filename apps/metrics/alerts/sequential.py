"""Whether a version is slower, or fails more, than the one before it: a sequential test with few looks.

A test that is made anew after every run finds a difference sooner or later where there is none. So there are fixed
looks, after 20, 40, 75, … runs of the new version, and each may spend its part of `ALPHA` (alpha spending: Lan and
DeMets, Biometrika 70 (1983) 659). The parts add up to `ALPHA`, so by Bonferroni's inequality no more than that of
unchanged versions is ever called changed, however the looks hang together. What a look sees is decided by the runs
alone: that rules are evaluated every ten minutes, by two workers, or again after a kill changes nothing.

- Of latencies: the rank sum of the new version's runs, within strata, added up as P. van Elteren does (Bulletin of the
  International Statistical Institute 37 (1960) 351), with ties corrected. Strata are cold and warm runs and quarters of
  the day, so that a release in the morning is not compared with the nights before it. Nothing is assumed of the
  distribution, but that runs of one stratum are exchangeable.
- Of shares: R. A. Fisher's exact test.

Both ask whether there is more than before; what is less is no alarm.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import groupby

ALPHA = 0.04
LOOKS = (20, 40, 75, 150, 300, 600, 1200)
PARTS = (0.1, 0.2, 0.3, 0.15, 0.1, 0.1, 0.05)
LEAST_BEFORE = 20
MOST_BEFORE = 400


@dataclass(frozen=True, slots=True)
class Observation:
    """A value and what it may be compared within."""

    value: float
    stratum: Hashable = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a look found: of how many runs, how unlikely that is by chance, and how much more there is (0.3: 30 %)."""

    n: int
    p: float
    bound: float
    more: float


def find_change(before: Sequence[Observation], after: Sequence[Observation], *, is_share: bool) -> Change | None:
    """What the first look that finds a change found. `after` is in the order in which the runs ended.

    None where no look that could be made finds one.
    """
    if len(before) < LEAST_BEFORE:
        return None
    for count, part in zip(LOOKS, PARTS, strict=True):
        if count > len(after):
            return None
        seen = after[:count]
        p = fisher_p(before, seen) if is_share else rank_p(before, seen)
        if p <= ALPHA * part:
            more = more_often(before, seen) if is_share else longer(before, seen)
            return Change(count, p, ALPHA * part, more)
    return None


def next_look(count: int) -> int | None:
    """After how many runs the next look is made; None after the last."""
    return next((look for look in LOOKS if look > count), None)


def rank_p(before: Sequence[Observation], after: Sequence[Observation]) -> float:
    """One-sided p of van Elteren's test; 1 where no stratum has runs of both."""
    total = variance = 0.0
    for olds, news in _strata(before, after):
        size = len(olds) + len(news)
        ranks, ties = _rank_sum(olds, news)
        weight = 1 / (size + 1)
        total += weight * (ranks - len(news) * (size + 1) / 2)
        spread = len(olds) * len(news) / 12 * ((size + 1) - ties / (size * (size - 1)))
        variance += weight * weight * spread
    return 0.5 * math.erfc(total / math.sqrt(2 * variance)) if variance > 0 else 1.0


def fisher_p(before: Sequence[Observation], after: Sequence[Observation]) -> float:
    """One-sided p of Fisher's exact test: as many of the new ones or more, given how many there are together."""
    m, n = len(before), len(after)
    had, has = sum(one.value > 0 for one in before), sum(one.value > 0 for one in after)
    every = had + has
    whole = _log_choose(m + n, n)
    return min(
        1.0,
        sum(
            math.exp(_log_choose(every, k) + _log_choose(m + n - every, n - k) - whole)
            for k in range(has, min(n, every) + 1)
            if n - k <= m + n - every
        ),
    )


def longer(before: Sequence[Observation], after: Sequence[Observation]) -> float:
    """By which share the new values are longer: Hodges and Lehmann's median of all quotients within strata, less 1."""
    logs = [
        math.log(new) - math.log(old)
        for olds, news in _strata(before, after)
        for new in news
        for old in olds
        if new > 0 and old > 0
    ]
    if not logs:
        return 0.0
    logs.sort()
    return math.exp(logs[len(logs) // 2]) - 1


def more_often(before: Sequence[Observation], after: Sequence[Observation]) -> float:
    """By which share something comes more often; half a case is added to each, so that none before is a number too."""
    had, has = sum(one.value > 0 for one in before), sum(one.value > 0 for one in after)
    return ((has + 0.5) / (len(after) + 1)) / ((had + 0.5) / (len(before) + 1)) - 1


def _strata(before: Sequence[Observation], after: Sequence[Observation]) -> list[tuple[list[float], list[float]]]:
    found: dict[Hashable, tuple[list[float], list[float]]] = {}
    for side, observations in enumerate((before, after)):
        for one in observations:
            found.setdefault(one.stratum, ([], []))[side].append(one.value)
    return [both for both in found.values() if both[0] and both[1]]


def _rank_sum(olds: Sequence[float], news: Sequence[float]) -> tuple[float, float]:
    """The sum of the ranks of the new values among all, equal ones sharing theirs, and what ties take off."""
    merged = sorted([(value, 0) for value in olds] + [(value, 1) for value in news])
    at, ranks, ties = 0, 0.0, 0.0
    for _value, group in groupby(merged, key=lambda pair: pair[0]):
        equal = list(group)
        ranks += sum(is_new for _same, is_new in equal) * (at + (len(equal) + 1) / 2)
        ties += len(equal) ** 3 - len(equal)
        at += len(equal)
    return ranks, ties


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
