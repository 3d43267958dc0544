"""Reading the figures of a range of time: stored days and hours where there are any, invocations for the rest.

A stored period is used only while it is up to date; where none is, the same is added up from the rows. So the figures
are right at any moment, and a hundred thousand invocations cost as much as some hundred rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.db.models import Q

from apps.agents.selectors import in_use
from apps.metrics.figures.tally import COLUMNS, Gathering, Tally, counts_and_values
from apps.metrics.models import FigurePeriod
from apps.sessions.models import Invocation, Session
from apps.sessions.pages.listing import ONLY, SHOWN

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Group = tuple[int, str, str]
"""Agent's key, qualifier, version."""

Gap = tuple[datetime, datetime]
"""From when to before when."""

HIDDEN = ""
STORED_AS = {
    SHOWN: ("groups", "totals"),
    HIDDEN: ("conversation_groups", "conversation_totals"),
    ONLY: ("measured_groups", "measured_totals"),
}
"""In which columns of a stored period the groups and the totals stand, by what becomes of Measure start's runs."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which invocations: requested in [start, end), of one agent, endpoint and version, or of all; with those of
    Measure start, without them, or those alone (a key of `STORED_AS`).
    """

    start: datetime
    end: datetime
    agent_id: int | None = None
    qualifier: str = ""
    version: str = ""
    measure_start: str = SHOWN

    @property
    def is_whole(self) -> bool:
        """Whether it holds every group, so that their totals will do."""
        return self.agent_id is None and not self.qualifier and not self.version

    def holds(self, group: Group) -> bool:
        agent_id, qualifier, version = group
        return self.agent_id in (None, agent_id) and self.qualifier in ("", qualifier) and self.version in ("", version)


class Reading:
    """The tally of a selection: of all of it, by agent, and by step of time; complete after `finish`.

    By step there are only the values of `metric`, where one is given. `versions` are those of the selected agent, also
    the ones that are not selected.
    """

    def __init__(self, selection: Selection, metric: str = "") -> None:
        self.overall = Tally()
        self.by_agent: dict[int, Tally] = {}
        self.by_step: dict[datetime, Tally] = {}
        self.versions: set[str] = set()
        self._selection = selection
        self._metric = metric
        self._all = Gathering()
        self._agents: defaultdict[int, Gathering] = defaultdict(Gathering)
        self._steps: defaultdict[datetime, Gathering] = defaultdict(Gathering)

    def take(self, at: datetime, group: Group, found: Tally | list[Any]) -> None:
        """Add the tally of a group, as it is or as it is stored, where the selection holds it."""
        agent_id, _, version = group
        if self._selection.agent_id == agent_id:
            self.versions.add(version)
        if not self._selection.holds(group):
            return
        counts, raw_values = counts_and_values(found)
        self._agents[agent_id].add(counts, raw_values)
        self._steps[at].add(counts, raw_values, self._metric)
        if self._selection.agent_id is None:
            self._all.add(counts, raw_values)

    def take_total(self, at: datetime, agent_id: int | None, stored: list[Any]) -> None:
        """Add what is stored of all groups of an agent, or of all agents (None); of both, to a whole selection."""
        counts, raw_values = counts_and_values(stored)
        if agent_id is not None:
            self._agents[agent_id].add(counts, raw_values)
            return
        self._all.add(counts, raw_values)
        self._steps[at].add(counts, raw_values, self._metric)

    def finish(self) -> None:
        """Put together what was taken."""
        self.by_agent = {agent_id: gathering.tally() for agent_id, gathering in self._agents.items()}
        self.by_step = {at: gathering.tally() for at, gathering in self._steps.items()}
        chosen = self._selection.agent_id
        self.overall = self._all.tally() if chosen is None else self.by_agent.get(chosen, self.overall)


def floor(at: datetime, step: timedelta) -> datetime:
    """The beginning of the step that an instant lies in; steps count from 1970 in UTC."""
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def read(selection: Selection, step: timedelta, metric: str = "") -> Reading:
    """Add up a selection; `step` is a divisor or a multiple of an hour, `metric` is for a chart of that one alone."""
    reading = Reading(selection, metric)
    gaps = [(selection.start, selection.end)]
    # Days first; hours for what they leave.
    lengths = [(DAY, FigurePeriod.Length.DAY), (HOUR, FigurePeriod.Length.HOUR)]
    groups, totals = STORED_AS[selection.measure_start]
    wanted = totals if selection.is_whole else groups
    for length, kind in [(length, kind) for length, kind in lengths if step % length == timedelta(0)]:
        periods = [
            period for start, end in gaps if end - start >= length for period in _stored(kind, start, end, wanted)
        ]
        for period in periods:
            at = floor(period.start_at, step)
            if selection.is_whole:
                for agent_id, stored in getattr(period, totals):
                    reading.take_total(at, agent_id, stored)
            else:
                for agent_id, qualifier, version, stored in getattr(period, groups):
                    reading.take(at, (agent_id, qualifier, version), stored)
        gaps = [rest for gap in gaps for rest in _rest(gap, periods)]
    for at, group, tally in tallies_of_rows(gaps, step, selection.agent_id, selection.measure_start):
        reading.take(at, group, tally)
    reading.finish()
    return reading


def tallies_of_rows(
    gaps: Iterable[Gap], step: timedelta, agent_id: int | None = None, measure_start: str = SHOWN
) -> Iterator[tuple[datetime, Group, Tally]]:
    """What the invocations of this mode requested in some gaps add up to, by step and group."""
    wanted = [Q(requested_at__gte=start, requested_at__lt=end) for start, end in gaps]
    if not wanted:
        return
    rows = Invocation.objects.filter(reduce(or_, wanted), in_use("session__agent__"), session__deleted_at=None)
    rows = rows.order_by()
    if agent_id is not None:
        rows = rows.filter(session__agent_id=agent_id)
    if measure_start != SHOWN:
        purpose = Session.Purpose.MEASURE_START if measure_start == ONLY else Session.Purpose.CONVERSATION
        rows = rows.filter(session__purpose=purpose)
    found: dict[tuple[datetime, Group], Tally] = {}
    names = ("requested_at", "session__agent_id", "session__qualifier", "version", *COLUMNS)
    for requested_at, *rest in rows.values_list(*names).iterator(chunk_size=2000):
        group = (rest[0], rest[1], rest[2])
        found.setdefault((floor(requested_at, step), group), Tally()).add(tuple(rest[3:]))
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


def stored_groups(tallies: Iterable[tuple[Group, Tally]]) -> list[Any]:
    """The value of `FigurePeriod.groups`."""
    return [[*group, tally.as_json()] for group, tally in tallies]


def stored_totals(tallies: Iterable[tuple[Group, Tally]]) -> list[Any]:
    """The value of `FigurePeriod.totals`; empty where there is no group."""
    totals: dict[int | None, Tally] = {}
    for (agent_id, _, _), tally in tallies:
        for key in (agent_id, None):
            totals.setdefault(key, Tally()).merge(tally)
    return [[key, tally.as_json()] for key, tally in totals.items()]
