"""Reading the figures of a range of time: stored days and hours where there are any, invocations for the rest.

A stored period is used only while it is up to date; where none is, the same is added up from the rows. So the figures
are right at any moment, and a hundred thousand invocations cost as much as some hundred rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.db.models import Q

from apps.agents.selectors import in_use
from apps.metrics.figures.counts import COLUMNS as COUNT_COLUMNS
from apps.metrics.figures.counts import Counts
from apps.metrics.figures.readings import (
    PURPOSES,
    STORED_AS,
    CountReading,
    Group,
    GroupCount,
    Reading,
    Seen,
    Selection,
    Taker,
)
from apps.metrics.figures.tally import COLUMNS, Tally
from apps.metrics.models import FigurePeriod
from apps.sessions.models import Invocation, Session

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Gap = tuple[datetime, datetime]
"""From when to before when."""


def floor(at: datetime, step: timedelta) -> datetime:
    """The beginning of the step that an instant lies in; steps count from 1970 in UTC."""
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def read(selection: Selection, step: timedelta, metric: str = "") -> Reading:
    """Add up a selection; `step` is a divisor or a multiple of an hour, `metric` is for a chart of that one alone."""
    reading = Reading(selection, metric)
    _fill([reading], selection, step)
    reading.finish()
    return reading


def read_beside(selections: Sequence[Selection], step: timedelta) -> list[Reading]:
    """Add up several selections of an agent each; those of the same range are read together."""
    readings = [Reading(selection) for selection in selections]
    ranges: defaultdict[Selection, list[Reading]] = defaultdict(list)
    for selection, reading in zip(selections, readings, strict=True):
        ranges[replace(selection, agent_id=None, qualifier="", version="")].append(reading)
    agent_ids = {selection.agent_id for selection in selections if selection.agent_id is not None}
    for over, together in ranges.items():
        _fill(together, over, step, agent_ids)
    for reading in readings:
        reading.finish()
    return readings


def read_counts(selection: Selection, step: timedelta) -> CountReading:
    """Count a selection by step, and by group and step where it is narrowed; no values are read."""
    reading = CountReading(selection)
    _fill([reading], selection, step, of=_COUNTS)
    return reading


def groups_of(selection: Selection, step: timedelta) -> dict[Group, Seen]:
    """The groups that have runs in the range of a selection; of its agent alone, where it names one."""
    count = GroupCount()
    _fill([count], selection, step, of=_COUNTS, in_groups=True)
    return {
        group: seen for group, seen in count.groups.items() if selection.agent_id in (None, group[0]) and seen.count
    }


@dataclass(frozen=True, slots=True)
class _Kind:
    """What of the runs is added up: in which columns of a period it stands, and how rows are added."""

    stored_as: Mapping[str, tuple[str, str]]
    columns: tuple[str, ...]
    make: Callable[[], Tally | Counts]
    by_part: bool = False  # the columns hold the parts of `STORED_AS` by their keys


_VALUES = _Kind(STORED_AS, COLUMNS, Tally)
_COUNTS = _Kind(dict.fromkeys(STORED_AS, ("counts", "count_totals")), COUNT_COLUMNS, Counts, by_part=True)


def _fill(
    takers: Sequence[Taker],
    over: Selection,
    step: timedelta,
    agent_ids: Collection[int] = (),
    *,
    of: _Kind = _VALUES,
    in_groups: bool = False,
) -> None:
    """Tell some takers all of a range; group by group unless `over` holds every group of it, for one taker alone."""
    gaps = [(over.start, over.end)]
    if over.agent_id is not None:
        agent_ids = (over.agent_id,)
    is_whole = over.is_whole and not agent_ids and not in_groups
    # Days first; hours for what they leave.
    lengths = [(DAY, FigurePeriod.Length.DAY), (HOUR, FigurePeriod.Length.HOUR)]
    wanted = of.stored_as[over.measure_start][1 if is_whole else 0]
    for length, kind in [(length, kind) for length, kind in lengths if step % length == timedelta(0)]:
        periods = [
            period for start, end in gaps if end - start >= length for period in _stored(kind, start, end, wanted)
        ]
        for period in periods:
            stored = getattr(period, wanted)
            stored = stored[over.measure_start] if of.by_part else stored
            _tell(takers, floor(period.start_at, step), stored, is_whole=is_whole)
        gaps = [rest for gap in gaps for rest in _rest(gap, periods)]
    for at, group, found in _rows(of, gaps, step, agent_ids, over.measure_start):
        for taker in takers:
            taker.take(at, group, found)


def _tell(takers: Sequence[Taker], at: datetime, stored: list[Any], *, is_whole: bool) -> None:
    """Tell what is stored of a period: totals, or groups."""
    for taker in takers:
        if is_whole:
            for agent_id, found in stored:
                taker.take_total(at, agent_id, found)
        else:
            for agent_id, qualifier, version, found in stored:
                taker.take(at, (agent_id, qualifier, version), found)


def tallies_of_rows(
    gaps: Iterable[Gap], step: timedelta, measure_start: str
) -> Iterator[tuple[datetime, Group, Tally]]:
    """What the invocations of this mode requested in some gaps add up to, by step and group."""
    yield from _rows(_VALUES, gaps, step, (), measure_start)  # type: ignore[misc]


def counts_of_rows(
    gaps: Iterable[Gap], step: timedelta, measure_start: str
) -> Iterator[tuple[datetime, Group, Counts]]:
    """What they count up to."""
    yield from _rows(_COUNTS, gaps, step, (), measure_start)  # type: ignore[misc]


def _rows(
    of: _Kind, gaps: Iterable[Gap], step: timedelta, agent_ids: Collection[int], measure_start: str
) -> Iterator[tuple[datetime, Group, Tally | Counts]]:
    """Rows added up by step and group; of these agents alone, where there are any. Those of prompt sets are never among
    them, as they are not what somebody asked.
    """
    wanted = [Q(requested_at__gte=start, requested_at__lt=end) for start, end in gaps]
    if not wanted:
        return
    rows = Invocation.objects.filter(reduce(or_, wanted), in_use("session__agent__"), session__deleted_at=None)
    rows = rows.order_by()
    if agent_ids:
        rows = rows.filter(session__agent_id__in=agent_ids)
    rows = rows.filter(session__purpose__in=PURPOSES[measure_start])
    found: dict[tuple[datetime, Group], Tally | Counts] = {}
    names = ("requested_at", "session__agent_id", "session__qualifier", "version", *of.columns)
    for requested_at, *rest in rows.values_list(*names).iterator(chunk_size=2000):
        place = (floor(requested_at, step), (rest[0], rest[1], rest[2]))
        if place not in found:
            found[place] = of.make()
        found[place].add(tuple(rest[3:]))
    for (at, group), tally in found.items():
        yield at, group, tally


def _stored(kind: FigurePeriod.Length, start: datetime, end: datetime, wanted: str) -> list[FigurePeriod]:
    """The stored days or hours that lie within a range as a whole and are up to date, in order, with one column."""
    stored = FigurePeriod.objects.only("start_at", "length", "invocation_count", wanted)
    stored = stored.filter(origin=settings.LOOM_AWS, length=kind, start_at__gte=start, **{f"{wanted}__isnull": False})
    periods = list(stored.filter(start_at__lte=end - timedelta(hours=kind)).order_by("start_at"))
    outdated = outdated_periods(periods)
    return [period for period in periods if period.pk not in outdated]


def gone_between(start: datetime, end: datetime) -> list[datetime]:
    """When the runs of sessions that were deleted were requested, in order; of such there are few, for an hour."""
    deleted = Session.objects.filter(deleted_at__isnull=False).order_by()
    runs = Invocation.objects.filter(session__in=deleted.values("pk"), requested_at__gte=start, requested_at__lt=end)
    return sorted(runs.order_by().values_list("requested_at", flat=True))


def outdated_periods(periods: Sequence[FigurePeriod]) -> set[int]:
    """The keys of the periods, given in order, that count other invocations than there are.

    A session was deleted or came back, or a row came late. Counting the invocations of a long time is quick, so what
    differs is halved until the periods are found.
    """
    outdated: set[int] = set()
    waiting = list(_runs(periods))
    gone = gone_between(periods[0].start_at, periods[-1].end_at) if periods else []
    while waiting:
        members = waiting.pop()
        present = Invocation.objects.filter(requested_at__gte=members[0].start_at, requested_at__lt=members[-1].end_at)
        first, last = bisect_left(gone, members[0].start_at), bisect_left(gone, members[-1].end_at)
        if present.count() - (last - first) == sum(period.invocation_count for period in members):
            continue
        if len(members) == 1:
            outdated.add(members[0].pk)
        else:
            half = len(members) // 2
            waiting += [members[:half], members[half:]]
    return outdated


def _runs(periods: Sequence[FigurePeriod]) -> Iterator[list[FigurePeriod]]:
    """Periods in order, in pieces without a gap."""
    piece: list[FigurePeriod] = []
    for period in periods:
        if piece and piece[-1].end_at != period.start_at:
            yield piece
            piece = []
        piece.append(period)
    if piece:
        yield piece


def _rest(gap: Gap, periods: Sequence[FigurePeriod]) -> Iterator[Gap]:
    """What of a gap no period (in order) covers."""
    at, end = gap
    for piece in _runs([period for period in periods if at <= period.start_at and period.end_at <= end]):
        if at < piece[0].start_at:
            yield at, piece[0].start_at
        at = piece[-1].end_at
    if at < end:
        yield at, end
