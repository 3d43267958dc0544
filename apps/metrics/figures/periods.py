"""Reading the figures of a range of time: stored days, quarters and hours where there are any, runs for the rest.

A stored period is used only while it is up to date; where none is, the same is added up from the rows. So the figures
are right at any moment, and a hundred thousand invocations cost as much as some hundred rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.db.models import Q

from apps.agents.selectors import in_use
from apps.metrics.figures.counting import DAY as DAY
from apps.metrics.figures.counting import HOUR as HOUR
from apps.metrics.figures.counting import Gap, PeriodT, gone_between, outdated_periods, unbroken
from apps.metrics.figures.counting import floor as floor
from apps.metrics.figures.counts import COLUMNS as COUNT_COLUMNS
from apps.metrics.figures.counts import Counts
from apps.metrics.figures.readings import (
    PURPOSES,
    STORED_AS,
    AgentSteps,
    CountReading,
    Group,
    GroupCount,
    HourReading,
    Reading,
    Seen,
    Selection,
    Taker,
)
from apps.metrics.figures.sums import entries, stored_sums, with_columns
from apps.metrics.figures.tally import COLUMNS, Tally
from apps.metrics.models import FigurePeriod, FigureSum
from apps.sessions.models import Invocation


def read(selection: Selection, step: timedelta, metric: str = "", *, by_agent: bool = True) -> Reading:
    """Add up a selection; `step` is a divisor or a multiple of an hour, `metric` is for a chart of that one alone.

    Where nobody asks what each agent's runs add up to, a selection of all is read without that (`by_agent`).
    """
    reading = Reading(selection, metric, by_agent=by_agent or not selection.is_whole)
    _fill([reading], selection, step, of=_VALUES if by_agent else _VALUES_OF_ALL)
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


def read_hours(selection: Selection) -> dict[datetime, tuple[int, int]]:
    """How many runs of a selection each hour has, and how many of them failed."""
    reading = HourReading(selection)
    _fill([reading], selection, HOUR, of=_HOURS)
    return reading.by_hour


def read_agent_steps(selection: Selection, step: timedelta) -> dict[int, dict[datetime, Tally]]:
    """What the runs of each agent of a whole selection add up to, by step."""
    steps = AgentSteps()
    _fill([steps], selection, step)
    return steps.tallies()


def groups_of(selection: Selection, step: timedelta) -> dict[Group, Seen]:
    """The groups that have runs in the range of a selection; of its agent alone, where it names one."""
    count = GroupCount()
    _fill([count], selection, step, of=_COUNTS, in_groups=True)
    return {
        group: seen for group, seen in count.groups.items() if selection.agent_id in (None, group[0]) and seen.count
    }


@dataclass(frozen=True, slots=True)
class _Kind:
    """What of the runs is added up: in which columns of a period it stands, and how rows are added; and in which column
    of a sum, beside `agents` where those are asked for.
    """

    stored_as: Mapping[str, tuple[str, str]]
    columns: tuple[str, ...]
    make: Callable[[], Tally | Counts]
    summed_as: str
    by_part: bool = False  # the columns hold the parts of `STORED_AS` by their keys
    with_agents: bool = False
    in_any_step: bool = False  # a sum holds it by the hour, however long it is


_VALUES_OF_ALL = _Kind(STORED_AS, COLUMNS, Tally, "tallies")
_VALUES = replace(_VALUES_OF_ALL, with_agents=True)
_COUNTED_AS = dict.fromkeys(STORED_AS, ("counts", "count_totals"))
_COUNTS = _Kind(_COUNTED_AS, COUNT_COLUMNS, Counts, "counts", by_part=True)
_HOURS = replace(_COUNTS, summed_as="hours", in_any_step=True)


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
    if over.agent_id is not None:
        agent_ids = (over.agent_id,)
    is_whole = over.is_whole and not agent_ids and not in_groups
    gone = gone_between(over.start, over.end) if over.end - over.start >= HOUR else []
    gaps = _fill_from_sums(takers, over, step, agent_ids, of, gone, is_whole=is_whole)
    # Hours for what days and quarters leave.
    wanted = of.stored_as[over.measure_start][1 if is_whole else 0]
    if step % HOUR == timedelta(0):
        periods = _stored(gaps, wanted, gone)
        for period in periods:
            stored = getattr(period, wanted)
            stored = stored[over.measure_start] if of.by_part else stored
            _tell(takers, floor(period.start_at, step), stored, is_whole=is_whole)
        gaps = [rest for gap in gaps for rest in _rest(gap, periods)]
    for at, group, found in _rows(of, gaps, step, agent_ids, over.measure_start):
        for taker in takers:
            taker.take(at, group, found)


def _fill_from_sums(
    takers: Sequence[Taker],
    over: Selection,
    step: timedelta,
    agent_ids: Collection[int],
    of: _Kind,
    gone: Sequence[datetime],
    *,
    is_whole: bool,
) -> list[Gap]:
    """Tell what the stored days and quarters add up to, of the agents that are asked for; return what they leave."""
    lengths = [one for one in FigureSum.Length if of.in_any_step or step % timedelta(hours=one) == timedelta(0)]
    sums = stored_sums(lengths, over.start, over.end, gone)
    if agent_ids:
        columns = [of.summed_as]
    else:
        columns = [of.summed_as, *(["agents"] if of.with_agents else [])] if is_whole else ["seen"]
    for row in with_columns(sums, columns, agent_ids):
        at = row.start_at if of.in_any_step else floor(row.start_at, step)
        for column in columns:
            for entry in entries(row, column, over.measure_start):
                _tell_sum(takers, at, column, entry, row.agent_id)
    return list(_rest((over.start, over.end), sums))


def _tell_sum(takers: Sequence[Taker], at: datetime, column: str, entry: list[Any], agent_id: int | None) -> None:
    """Tell an entry of a column: that of an agent's group, of an agent among all, or of all."""
    for taker in takers:
        if column == "agents":
            taker.take_total(at, entry[0], entry[1])
        elif column == "seen":
            taker.take(at, (entry[0], entry[1], entry[2]), entry[3])
        elif agent_id is None:
            taker.take_total(at, None, entry[2])
        else:
            taker.take(at, (agent_id, entry[0], entry[1]), entry[2])


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


def _stored(gaps: Iterable[Gap], wanted: str, gone: Sequence[datetime]) -> list[FigurePeriod]:
    """The stored hours that lie within some gaps as a whole and are up to date, in order, with one column."""
    within = [Q(start_at__gte=start, start_at__lte=end - HOUR) for start, end in gaps if end - start >= HOUR]
    if not within:
        return []
    stored = FigurePeriod.objects.only("start_at", "length", "invocation_count", wanted).filter(
        reduce(or_, within),
        origin=settings.LOOM_AWS,
        length=FigurePeriod.Length.HOUR,
        **{f"{wanted}__isnull": False},
    )
    periods = list(stored.order_by("start_at"))
    outdated = outdated_periods(periods, gone)
    return [period for period in periods if period.pk not in outdated]


def _rest(gap: Gap, periods: Sequence[PeriodT]) -> Iterator[Gap]:
    """What of a gap no period (in order) covers."""
    at, end = gap
    for piece in unbroken([period for period in periods if at <= period.start_at and period.end_at <= end]):
        if at < piece[0].start_at:
            yield at, piece[0].start_at
        at = piece[-1].end_at
    if at < end:
        yield at, end
