"""Reading the figures of a span of time: stored hours where there are any, rows for the rest.

A stored hour is used only while it is up to date; where none is, the same is added up from the rows. So the figures are
right at any moment, and a hundred thousand invocations cost as much as some hundred rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import groupby
from operator import or_
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.db.models.functions import TruncHour

from apps.metrics.models import FigureHour
from apps.metrics.tally import COLUMNS, Tally
from apps.sessions.models import Invocation

HOUR = timedelta(hours=1)

Group = tuple[int, str, str]
"""Agent's key, qualifier, version."""

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which invocations: requested in [start, end), of one agent, endpoint and version, or of all."""

    start: datetime
    end: datetime
    agent_id: int | None = None
    qualifier: str = ""
    version: str = ""

    def holds(self, group: Group) -> bool:
        agent_id, qualifier, version = group
        return self.agent_id in (None, agent_id) and self.qualifier in ("", qualifier) and self.version in ("", version)


@dataclass(slots=True)
class Reading:
    """The tally of a selection: of all of it, by agent, and by step of time.

    `versions` are those of the selected agent, also the ones that are not selected.
    """

    overall: Tally = field(default_factory=Tally)
    by_agent: dict[int, Tally] = field(default_factory=dict)
    by_step: dict[datetime, Tally] = field(default_factory=dict)
    versions: set[str] = field(default_factory=set)

    def take(self, selection: Selection, at: datetime, group: Group, found: Tally | list[Any]) -> None:
        """Add the tally of a group, as it is or as it is stored, where the selection holds it."""
        agent_id, _, version = group
        if selection.agent_id == agent_id:
            self.versions.add(version)
        if not selection.holds(group):
            return
        tally = found if isinstance(found, Tally) else Tally.from_json(found)
        self.overall.merge(tally)
        self.by_agent.setdefault(agent_id, Tally()).merge(tally)
        self.by_step.setdefault(at, Tally()).merge(tally)


def floor(at: datetime, step: timedelta) -> datetime:
    """The beginning of the step that an instant lies in; steps count from 1970 in UTC."""
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def read(selection: Selection, step: timedelta) -> Reading:
    """Add up a selection; `step` is a divisor or a multiple of an hour."""
    reading = Reading()
    hours = _stored_hours(selection.start, selection.end) if step >= HOUR else []
    for hour in hours:
        at = floor(hour.hour_at, step)
        for agent_id, qualifier, version, stored in hour.groups:
            reading.take(selection, at, (agent_id, qualifier, version), stored)
    for at, group, tally in tallies_of_rows(_gaps(selection, hours), step, selection.agent_id):
        reading.take(selection, at, group, tally)
    return reading


def tallies_of_rows(
    spans: Iterable[Span], step: timedelta, agent_id: int | None = None
) -> Iterator[tuple[datetime, Group, Tally]]:
    """What the invocations of this mode requested in some spans add up to, by step and group."""
    wanted = [Q(requested_at__gte=start, requested_at__lt=end) for start, end in spans]
    if not wanted:
        return
    rows = Invocation.objects.filter(reduce(or_, wanted), session__agent__origin=settings.LOOM_AWS)
    if agent_id is not None:
        rows = rows.filter(session__agent_id=agent_id)
    found: dict[tuple[datetime, Group], Tally] = {}
    names = ("requested_at", "session__agent_id", "session__qualifier", "version", *COLUMNS)
    for requested_at, *rest in rows.values_list(*names).iterator(chunk_size=2000):
        group = (rest[0], rest[1], rest[2])
        found.setdefault((floor(requested_at, step), group), Tally()).add(tuple(rest[3:]))
    for (at, group), tally in found.items():
        yield at, group, tally


def _stored_hours(start: datetime, end: datetime) -> list[FigureHour]:
    """The stored hours that lie within a span as a whole and are up to date, in order."""
    first = floor(start + HOUR - timedelta(microseconds=1), HOUR)
    stored = FigureHour.objects.filter(origin=settings.LOOM_AWS, hour_at__gte=first, hour_at__lte=end - HOUR)
    hours = list(stored.order_by("hour_at"))
    if not hours:
        return []
    spans = list(_spans(hours))
    outdated: set[datetime] = set()
    for span_start, span_end, count in spans:
        present = Invocation.objects.filter(requested_at__gte=span_start, requested_at__lt=span_end)
        # Counting all is quick; which hour it is that differs is looked for only where one does.
        if present.count() != count:
            outdated |= outdated_hours(span_start, span_end)
    return [hour for hour in hours if hour.hour_at not in outdated]


def outdated_hours(start: datetime, end: datetime) -> set[datetime]:
    """The stored hours that count other invocations than there are: a session was deleted, or a row came late."""
    rows = Invocation.objects.filter(requested_at__gte=start, requested_at__lt=end).order_by()
    present = dict(rows.annotate(hour=TruncHour("requested_at", tzinfo=UTC)).values_list("hour").annotate(Count("pk")))
    stored = FigureHour.objects.filter(origin=settings.LOOM_AWS, hour_at__gte=start, hour_at__lt=end)
    return {hour for hour, count in stored.values_list("hour_at", "invocation_count") if present.get(hour, 0) != count}


def _spans(hours: list[FigureHour]) -> Iterator[tuple[datetime, datetime, int]]:
    """Hours in order as spans without a gap: from, to, and the invocations that they count."""
    # Hours that follow each other keep their distance from their place in the list.
    for _, group in groupby(enumerate(hours), lambda item: item[1].hour_at - item[0] * HOUR):
        members = [hour for _, hour in group]
        yield members[0].hour_at, members[-1].hour_at + HOUR, sum(hour.invocation_count for hour in members)


def _gaps(selection: Selection, hours: list[FigureHour]) -> list[Span]:
    """What of a selection's span no stored hour covers."""
    gaps: list[Span] = []
    at = selection.start
    for span_start, span_end, _ in _spans(hours):
        gaps.append((at, span_start))
        at = span_end
    gaps.append((at, selection.end))
    return [(start, end) for start, end in gaps if start < end]


def stored_groups(tallies: Iterable[tuple[datetime, Group, Tally]]) -> list[Any]:
    """The value of `FigureHour.groups`."""
    return [[*group, tally.as_json()] for _, group, tally in tallies]
