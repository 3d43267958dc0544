"""Storing what past hours and days add up to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Min, Q, QuerySet

from apps.agents.models import Agent
from apps.metrics.figures.counts import Counts
from apps.metrics.figures.periods import (
    DAY,
    HOUR,
    counts_of_rows,
    floor,
    gone_between,
    outdated_periods,
    tallies_of_rows,
)
from apps.metrics.figures.readings import HIDDEN, STORED_AS, Group
from apps.metrics.figures.tally import Tally
from apps.metrics.models import FigurePeriod, Measurement
from apps.metrics.startup import MISSING_SOUGHT_FOR
from apps.sessions.models import Invocation
from apps.sessions.pages.listing import ONLY, SHOWN

# The longest range that a page shows, and a little more.
KEPT_FOR = timedelta(days=93)
# A run is stored a moment after it was requested.
SETTLED_AFTER = timedelta(minutes=5)
HOURS_AT_ONCE = 100
PARTS = (HIDDEN, ONLY)  # what all runs are made of

Parts = dict[str, dict[Group, Tally]]
"""What conversations and what Measure start's runs add up to, by the keys of `STORED_AS`."""

CountParts = dict[str, dict[Group, Counts]]
"""What they count up to."""


def settle_figures(now: datetime, limit: int = HOURS_AT_ONCE) -> int:
    """Store up to `limit` hours that are over and in which nothing changes any more, the newest first; return how many.

    Days of which all hours are stored are stored as well. What is out of date or too old to be shown is deleted.
    """
    oldest = floor(now - KEPT_FOR, DAY)
    stored = FigurePeriod.objects.filter(origin=settings.LOOM_AWS)
    stored.filter(start_at__lt=oldest).delete()
    # A process of a release before stored it.
    stored.filter(Q(conversation_groups__isnull=True) | Q(counts__isnull=True)).delete()
    first = Invocation.objects.filter(requested_at__gte=oldest).aggregate(first=Min("requested_at"))["first"]
    if first is None:
        return 0
    _delete_outdated(stored)
    known = set(_starts(stored, FigurePeriod.Length.HOUR)) | _unsettled_hours(now, oldest)
    # Whole days, so that the first one can be stored as well.
    hour, last = floor(first, DAY), floor(now - SETTLED_AFTER, HOUR) - HOUR
    settled = 0
    while last >= hour and settled < limit:
        if last not in known:
            _store_hour(last)
            settled += 1
        last -= HOUR
    _store_days(stored)
    return settled


def _starts(stored: QuerySet[FigurePeriod], length: FigurePeriod.Length) -> QuerySet[FigurePeriod, datetime]:
    return stored.filter(length=length).values_list("start_at", flat=True)


def _delete_outdated(stored: QuerySet[FigurePeriod]) -> None:
    counted = stored.only("start_at", "length", "invocation_count").order_by("start_at")
    for length in FigurePeriod.Length:
        stored.filter(pk__in=outdated_periods(list(counted.filter(length=length)))).delete()


def _unsettled_hours(now: datetime, oldest: datetime) -> set[datetime]:
    """The hours of which something runs or is waited for."""
    running = Invocation.objects.filter(status__in=Invocation.UNFINISHED).order_by()
    unmeasured = Invocation.objects.filter(
        completed_at__gt=now - MISSING_SOUGHT_FOR, measurement=None, session__agent__kind=Agent.Kind.AGENTCORE
    ).order_by()
    waiting = Measurement.objects.filter(state=Measurement.State.WAITING, invocation__requested_at__gte=oldest)
    instants = [
        *running.values_list("requested_at", flat=True),
        *unmeasured.values_list("requested_at", flat=True),
        *waiting.order_by().values_list("invocation__requested_at", flat=True),
    ]
    return {floor(at.astimezone(UTC), HOUR) for at in instants}


def _store_hour(hour: datetime) -> None:
    with transaction.atomic():
        gap = (hour, hour + HOUR)
        parts = {part: {group: tally for _, group, tally in tallies_of_rows([gap], HOUR, part)} for part in PARTS}
        counts = {part: {group: found for _, group, found in counts_of_rows([gap], HOUR, part)} for part in PARTS}
        count = Invocation.objects.filter(requested_at__gte=hour, requested_at__lt=hour + HOUR).count()
        count -= len(gone_between(hour, hour + HOUR))
        _store(FigurePeriod.Length.HOUR, hour, count, parts, counts)


def _store_days(stored: QuerySet[FigurePeriod]) -> None:
    """Add the stored hours of each day up that has all of them."""
    hours_of: dict[datetime, int] = {}
    for start in _starts(stored, FigurePeriod.Length.HOUR):
        day = floor(start, DAY)
        hours_of[day] = hours_of.get(day, 0) + 1
    known = set(_starts(stored, FigurePeriod.Length.DAY))
    for day in [day for day, count in hours_of.items() if count == DAY // HOUR and day not in known]:
        with transaction.atomic():
            parts: Parts = {part: {} for part in PARTS}
            counts: CountParts = {part: {} for part in PARTS}
            count = 0
            columns = [STORED_AS[part][0] for part in PARTS]
            hours = stored.only("invocation_count", "counts", *columns).filter(
                length=FigurePeriod.Length.HOUR,
                start_at__gte=day,
                start_at__lt=day + DAY,
                conversation_groups__isnull=False,
                counts__isnull=False,
            )
            for hour in hours.order_by("start_at"):
                count += hour.invocation_count
                _add_hour(hour, parts, counts)
            _store(FigurePeriod.Length.DAY, day, count, parts, counts)


def _add_hour(hour: FigurePeriod, parts: Parts, counts: CountParts) -> None:
    for part in PARTS:
        for agent_id, qualifier, version, found in getattr(hour, STORED_AS[part][0]):
            parts[part].setdefault((agent_id, qualifier, version), Tally()).merge(Tally.from_json(found))
        for agent_id, qualifier, version, found in (hour.counts or {}).get(part, []):
            counts[part].setdefault((agent_id, qualifier, version), Counts()).merge(Counts.from_json(found))


def _store(length: FigurePeriod.Length, start: datetime, count: int, parts: Parts, counts: CountParts) -> None:
    every: dict[Group, Tally] = {}
    counted: dict[Group, Counts] = {}
    for part in PARTS:
        for group, tally in parts[part].items():
            every.setdefault(group, Tally()).merge(tally)
        for group, found in counts[part].items():
            counted.setdefault(group, Counts()).merge(found)
    columns: dict[str, Any] = {"counts": {}, "count_totals": {}}
    for part, tallies in {**parts, SHOWN: every}.items():
        groups, totals = STORED_AS[part]
        columns |= {groups: _stored_groups(tallies.items()), totals: _stored_totals(tallies.items())}
    for part, known in {**counts, SHOWN: counted}.items():
        columns["counts"][part] = [[*group, found.as_json()] for group, found in known.items()]
        columns["count_totals"][part] = _total_of(known.values())
    FigurePeriod.objects.get_or_create(
        origin=settings.LOOM_AWS,
        length=length,
        start_at=start,
        defaults={"invocation_count": count, **columns},
    )


def _total_of(counts: Iterable[Counts]) -> list[Any]:
    """The value of a part of `FigurePeriod.count_totals`; empty where there is no group."""
    total = Counts()
    for found in counts:
        total.merge(found)
    return [[None, total.as_json()]] if total.invocation_count else []


def forget_figures(requested_at: datetime) -> None:
    """Delete the stored figures of the hour and the day that an invocation was requested in."""
    for length, step in ((FigurePeriod.Length.HOUR, HOUR), (FigurePeriod.Length.DAY, DAY)):
        FigurePeriod.objects.filter(length=length, start_at=floor(requested_at, step)).delete()


def _stored_groups(tallies: Iterable[tuple[Group, Tally]]) -> list[Any]:
    """The value of `FigurePeriod.groups`."""
    return [[*group, tally.as_json()] for group, tally in tallies]


def _stored_totals(tallies: Iterable[tuple[Group, Tally]]) -> list[Any]:
    """The value of `FigurePeriod.totals`; empty where there is no group."""
    totals: dict[int | None, Tally] = {}
    for (agent_id, _, _), tally in tallies:
        for key in (agent_id, None):
            totals.setdefault(key, Tally()).merge(tally)
    return [[key, tally.as_json()] for key, tally in totals.items()]
