"""Storing what quarters of days and days add up to, of all runs and agent by agent, from their stored hours."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from apps.metrics.figures.counting import HOUR, floor, gone_between
from apps.metrics.figures.counts import Counts
from apps.metrics.figures.readings import HIDDEN, STORED_AS, Group
from apps.metrics.figures.tally import MOST_VALUES, Tally
from apps.metrics.models import FigurePeriod, FigureSum
from apps.sessions.pages.listing import ONLY

PARTS = (HIDDEN, ONLY)
SUMS_AT_ONCE = 40  # a tick of the worker; the newest first


@dataclass(slots=True)
class _Found:
    """What a group adds up to: its values, its counts, and how many runs each hour has and how many of them failed."""

    hours: list[list[int]]
    tally: Tally = field(default_factory=Tally)
    counts: Counts = field(default_factory=Counts)

    def merge(self, other: _Found) -> None:
        self.tally.merge(other.tally)
        self.counts.merge(other.counts)
        for mine, theirs in zip(self.hours, other.hours, strict=True):
            mine[0] += theirs[0]
            mine[1] += theirs[1]


Found = Mapping[str, Mapping[Group, _Found]]
"""What conversations and what Measure start's runs add up to, by group."""


def store_sums(limit: int = SUMS_AT_ONCE) -> int:
    """Store up to `limit` days and quarters of which all hours are stored; return how many."""
    hours = FigurePeriod.objects.filter(
        origin=settings.LOOM_AWS,
        length=FigurePeriod.Length.HOUR,
        conversation_groups__isnull=False,
        counts__isnull=False,
    )
    starts = list(hours.values_list("start_at", flat=True))
    stored = 0
    for length in FigureSum.Length:
        whole = _whole(starts, length)
        own = FigureSum.objects.filter(origin=settings.LOOM_AWS, length=length)
        own.exclude(start_at__in=whole).delete()
        known = set(own.filter(agent=None).values_list("start_at", flat=True))
        for start in sorted(whole - known, reverse=True)[: limit - stored]:
            with transaction.atomic():
                _store(length, start)
            stored += 1
    return stored


def forget_sums(at: datetime) -> None:
    """Delete what is stored of the quarter and the day that an instant lies in."""
    for length in FigureSum.Length:
        FigureSum.objects.filter(length=length, start_at=floor(at, timedelta(hours=length))).delete()


def _whole(starts: Iterable[datetime], length: FigureSum.Length) -> set[datetime]:
    hours_of = Counter(floor(start, timedelta(hours=length)) for start in starts)
    return {start for start, count in hours_of.items() if count == length}


def _store(length: FigureSum.Length, start: datetime) -> None:
    end = start + timedelta(hours=length)
    columns = [STORED_AS[part][0] for part in PARTS]
    hours = FigurePeriod.objects.only("start_at", "invocation_count", "counts", *columns).filter(
        origin=settings.LOOM_AWS, length=FigurePeriod.Length.HOUR, start_at__gte=start, start_at__lt=end
    )
    found: dict[str, dict[Group, _Found]] = {part: {} for part in PARTS}
    count = 0
    for hour in hours.order_by("start_at"):
        count += hour.invocation_count
        _add_hour(hour, (hour.start_at - start) // HOUR, length, found)
    same = {"origin": settings.LOOM_AWS, "length": length, "start_at": start, "invocation_count": count}
    same["deleted_count"] = len(gone_between(start, end))
    rows = [FigureSum(**same, **_columns_of_all(length, found))]
    rows += [FigureSum(**same, agent_id=agent, **_columns(own)) for agent, own in _by_agent(found).items()]
    FigureSum.objects.bulk_create(rows, ignore_conflicts=True)


def _add_hour(hour: FigurePeriod, number: int, length: int, found: Mapping[str, dict[Group, _Found]]) -> None:
    for part in PARTS:

        def of(group: Group, part: str = part) -> _Found:
            return found[part].setdefault(group, _Found([[0, 0] for _ in range(length)]))

        for agent_id, qualifier, version, tally in getattr(hour, STORED_AS[part][0]):
            of((agent_id, qualifier, version)).tally.merge(Tally.from_json(tally))
        for agent_id, qualifier, version, stored in (hour.counts or {}).get(part, []):
            counts, one = Counts.from_json(stored), of((agent_id, qualifier, version))
            one.counts.merge(counts)
            one.hours[number] = [counts.invocation_count, counts.failed_count]


def _by_agent(found: Found) -> dict[int, Found]:
    agents: defaultdict[int, dict[str, dict[Group, _Found]]] = defaultdict(lambda: {part: {} for part in PARTS})
    for part, groups in found.items():
        for group, one in groups.items():
            agents[group[0]][part][group] = one
    return dict(agents)


def _columns(found: Found) -> dict[str, Any]:
    def listed(column: str) -> dict[str, list[Any]]:
        return {
            part: [[group[1], group[2], _stored(one, column)] for group, one in groups.items()]
            for part, groups in found.items()
        }

    return {column: listed(column) for column in ("tallies", "counts", "hours")}


def _columns_of_all(length: int, found: Found) -> dict[str, Any]:
    everything: dict[str, dict[Group, _Found]] = {part: {} for part in PARTS}
    agents: dict[str, list[Any]] = {part: [] for part in PARTS}
    for part, groups in found.items():
        totals: defaultdict[int, Tally] = defaultdict(Tally)
        for group, one in groups.items():
            everything[part].setdefault((0, "", ""), _Found([[0, 0] for _ in range(length)])).merge(one)
            totals[group[0]].merge(one.tally)
        agents[part] = [[agent, tally.as_json(MOST_VALUES)] for agent, tally in totals.items()]
    seen = {
        part: [[*group, one.counts.invocation_count] for group, one in groups.items()]
        for part, groups in found.items()
    }  # fmt: skip
    return {**_columns(everything), "agents": agents, "seen": seen}


def _stored(found: _Found, column: str) -> Any:
    if column == "tallies":
        return found.tally.as_json(MOST_VALUES)
    return found.counts.as_json() if column == "counts" else found.hours
