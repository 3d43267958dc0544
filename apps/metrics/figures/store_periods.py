"""Storing what past hours and days add up to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Min, Q, QuerySet

from apps.agents.models import Agent
from apps.metrics.figures.counting import DAY, HOUR, floor, gone_between, outdated_periods
from apps.metrics.figures.counts import Counts
from apps.metrics.figures.periods import counts_of_rows, tallies_of_rows
from apps.metrics.figures.readings import STORED_AS, Group
from apps.metrics.figures.store_sums import PARTS, forget_sums, store_sums
from apps.metrics.figures.tally import Tally
from apps.metrics.models import FigurePeriod, FigureSum, Measurement
from apps.metrics.startup import MISSING_SOUGHT_FOR
from apps.sessions.models import Invocation
from apps.sessions.pages.listing import SHOWN

# The longest range that a page shows, and a little more.
KEPT_FOR = timedelta(days=93)
# A run is stored a moment after it was requested.
SETTLED_AFTER = timedelta(minutes=5)
HOURS_AT_ONCE = 100
Parts = dict[str, dict[Group, Tally]]
"""What conversations and what Measure start's runs add up to, by the keys of `STORED_AS`."""

CountParts = dict[str, dict[Group, Counts]]
"""What they count up to."""


def settle_figures(now: datetime, limit: int = HOURS_AT_ONCE) -> int:
    """Store up to `limit` hours that are over and in which nothing changes any more, the newest first, and some of the
    days and quarters of which all hours are stored; return how many. What is out of date or too old is deleted.
    """
    oldest = floor(now - KEPT_FOR, DAY)
    stored = FigurePeriod.objects.filter(origin=settings.LOOM_AWS)
    stored.filter(start_at__lt=oldest).delete()
    FigureSum.objects.filter(origin=settings.LOOM_AWS, start_at__lt=oldest).delete()
    # A process of a release before stored it.
    former = Q(conversation_groups__isnull=True) | Q(counts__isnull=True) | Q(length=FigurePeriod.Length.DAY)
    stored.filter(former).delete()
    first = Invocation.objects.filter(requested_at__gte=oldest).aggregate(first=Min("requested_at"))["first"]
    if first is None:
        return 0
    _delete_outdated(stored)
    known = set(stored.values_list("start_at", flat=True)) | _unsettled_hours(now, oldest)
    # Whole days, so that the first one can be stored as well.
    hour, last = floor(first, DAY), floor(now - SETTLED_AFTER, HOUR) - HOUR
    settled = 0
    while last >= hour and settled < limit:
        if last not in known:
            _store_hour(last)
            settled += 1
        last -= HOUR
    return settled + store_sums()


def _delete_outdated(stored: QuerySet[FigurePeriod]) -> None:
    """Of the hours, and the days and quarters that they are of."""
    counted = list(stored.only("start_at", "length", "invocation_count").order_by("start_at"))
    outdated = outdated_periods(counted)
    for period in counted:
        if period.pk in outdated:
            forget_figures(period.start_at)


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
        _store(hour, count, parts, counts)


def _store(start: datetime, count: int, parts: Parts, counts: CountParts) -> None:
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
        length=FigurePeriod.Length.HOUR,
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
    """Delete the stored figures of the hour that an invocation was requested in, and of its quarter and day."""
    FigurePeriod.objects.filter(length=FigurePeriod.Length.HOUR, start_at=floor(requested_at, HOUR)).delete()
    forget_sums(requested_at)


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
