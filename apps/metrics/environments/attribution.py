"""What goes with slow cold starts: each value of a factor against all other values of it, never without an interval.

Pure. A value is claimed to be slower or faster only where both groups have enough starts for a median and the 95 %
interval of the difference of medians leaves out zero. Each interval holds 95 times of 100 by itself; readers are told
how many are looked at together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median_low
from typing import Literal

from apps.metrics.figures.independent import Apart, Effect, effect, quantile_difference
from apps.metrics.figures.statistics import Summary, least_n, summarise_ordered

HOURS_OF_PART = 6
Claim = Literal["slower", "faster", "not told", "few", "alone"]
"""`not told`: the interval holds zero; `few`: one side has too few; `alone`: there is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class ColdStart:
    """A cold run: how long it took in milliseconds, and what may have mattered. Empty where it is not known."""

    value_ms: float
    sent_at: datetime
    agent_id: int
    agent_name: str
    artifact: str
    platform: str
    region: str
    version: str
    start_kind: str


@dataclass(frozen=True, slots=True)
class Level:
    """One value of a factor, and its starts against those of all other values."""

    name: str
    summary: Summary
    rest_n: int
    claim: Claim
    apart: Apart | None = None
    effect: Effect | None = None


@dataclass(frozen=True, slots=True)
class Factor:
    """A factor with its values, those with the most starts first. Where it `is_within`, the values are how much longer
    a start took than the median of its own agent and kind: what else agents differ in is left out of it.
    """

    key: str
    levels: Sequence[Level]
    unknown_count: int
    is_within: bool = False

    @property
    def comparison_count(self) -> int:
        return sum(level.apart is not None for level in self.levels)


def part_of_day(at: datetime) -> str:
    """Such as `06–12`, of UTC."""
    first = at.astimezone(UTC).hour // HOURS_OF_PART * HOURS_OF_PART
    return f"{first:02}–{first + HOURS_OF_PART:02}"


FACTORS: Mapping[str, tuple[Callable[[ColdStart], str], bool]] = {
    "artifact": (lambda start: start.artifact, False),
    "platform": (lambda start: start.platform, False),
    "kind": (lambda start: start.start_kind, False),
    "region": (lambda start: start.region, False),
    "agent": (lambda start: start.agent_name, False),
    "version": (lambda start: start.version, False),
    "time": (lambda start: part_of_day(start.sent_at), True),
}


def attribute(starts: Sequence[ColdStart], *, is_one_agent: bool) -> list[Factor]:
    """Every factor that tells something of these starts; a version is one of an agent's alone."""
    left_out = {"agent"} if is_one_agent else {"version"}
    found = []
    for key, (value_of, is_within) in FACTORS.items():
        if key not in left_out:
            valued = _within(starts) if is_within else [(one, one.value_ms) for one in starts]
            found.append(_factor(key, valued, value_of, is_within))
    return found


def _within(starts: Iterable[ColdStart]) -> list[tuple[ColdStart, float]]:
    """How much longer each took than the median of its agent and kind, of those that have enough for one."""
    groups: defaultdict[tuple[int, str], list[ColdStart]] = defaultdict(list)
    for one in starts:
        groups[one.agent_id, one.start_kind].append(one)
    found = []
    for group in groups.values():
        if len(group) >= least_n(0.5):
            middle = median_low(one.value_ms for one in group)
            found += [(one, one.value_ms - middle) for one in group]
    return found


def _factor(
    key: str, valued: Sequence[tuple[ColdStart, float]], value_of: Callable[[ColdStart], str], is_within: bool
) -> Factor:
    by_level: defaultdict[str, list[float]] = defaultdict(list)
    for one, value in valued:
        by_level[value_of(one)].append(value)
    unknown_count = len(by_level.pop("", []))
    ordered = sorted(by_level.items(), key=lambda item: (-len(item[1]), item[0]))
    if key == "time":
        ordered.sort()
    levels = [
        _level(name, values, [value for other, rest in by_level.items() if other != name for value in rest])
        for name, values in ordered
    ]
    return Factor(key, levels, unknown_count, is_within)


def _level(name: str, values: Iterable[float], rest: Iterable[float]) -> Level:
    own, others = sorted(values), sorted(rest)
    summary = summarise_ordered(own)
    if not others:
        return Level(name, summary, 0, "alone")
    apart = quantile_difference(own, others, 0.5)
    if apart is None:
        return Level(name, summary, len(others), "few")
    claim: Claim = "not told" if not apart.is_certain else "slower" if apart.value > 0 else "faster"
    return Level(name, summary, len(others), claim, apart, effect(own, others))
