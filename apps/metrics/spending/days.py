"""What runs cost by the day: days that are over are added up once, the newest first; today is read from its runs.

A run counts on the day (of UTC) on which it ended. A year of a million runs is a few thousand rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Min, Q, QuerySet, Sum
from django.utils import timezone

from apps.metrics.models import CostDay, CostsSettled
from apps.sessions.models import Invocation

DAY = timedelta(days=1)
# A day is over when the ends of its runs are written, also those that a database kept waiting.
OVER_AFTER = timedelta(hours=1)
DAYS_AT_ONCE = 3
MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Spent:
    """What some runs have cost: those whose cost nobody knows are counted, and enter no sum."""

    day: date
    agent_id: int
    owner_id: int | None
    source: str
    run_count: int
    unknown_count: int
    estimate_count: int
    cost_micros: int
    input_tokens: int
    output_tokens: int


def settle_costs(now: datetime) -> int:
    """Add up the next days that are over, newest first, as many as a tick does; return how many."""
    done = 0
    last = (now - OVER_AFTER).astimezone(UTC).date() - DAY
    for day in _open_days(last):
        if done == DAYS_AT_ONCE:
            break
        _settle(day, last)
        done += 1
    return done


def _open_days(last: date) -> Iterator[date]:
    """The days without their sums up to `last`: first those since the last time, then those of before."""
    settled = CostsSettled.objects.first()
    until = settled.until if settled else last
    if not settled:
        yield last
    day = until + DAY
    while day <= last:
        yield day
        day += DAY
    first = Invocation.objects.filter(status__in=Invocation.FINISHED).aggregate(first=Min("completed_at"))["first"]
    day = (settled.since if settled else last) - DAY
    while first is not None and day >= first.astimezone(UTC).date():
        yield day
        day -= DAY


def _settle(day: date, last: date) -> None:
    with transaction.atomic():
        row, is_new = CostsSettled.objects.select_for_update().get_or_create(
            pk=1, defaults={"since": day, "until": day}
        )
        CostDay.objects.filter(day=day).delete()
        CostDay.objects.bulk_create(CostDay(**_columns(spent)) for spent in read_day(day))
        if not is_new:
            CostsSettled.objects.filter(pk=1).update(since=min(row.since, day), until=max(row.until, day))


def _columns(spent: Spent) -> dict[str, Any]:
    return {name: getattr(spent, name) for name in Spent.__slots__}


def read_day(day: date, runs: QuerySet[Invocation] | None = None) -> list[Spent]:
    """What the runs that ended on a day cost, from their rows."""
    begin = datetime.combine(day, time(), UTC)
    among = Invocation.objects.all() if runs is None else runs
    rows = (
        among.filter(status__in=Invocation.FINISHED, completed_at__gte=begin, completed_at__lt=begin + DAY)
        .exclude(invoked_at=None)  # never sent, it cost nothing that could be known
        .order_by()
        .values_list("session__agent", "session__owner", "source")
        .annotate(
            count=Count("pk"),
            unknown=Count("pk", filter=Q(cost_usd=None)),
            estimates=Count("pk", filter=Q(cost_source="estimate", cost_usd__isnull=False)),
            usd=Sum("cost_usd"),
            put=Sum("input_token_count"),
            got=Sum("output_token_count"),
        )
    )  # fmt: skip
    return [
        Spent(day, agent, owner, source or "", count, unknown, estimates, int((usd or 0) * MICROS), put or 0, got or 0)
        for agent, owner, source, count, unknown, estimates, usd, put, got in rows
    ]


def spent_between(first: date, last: date) -> tuple[list[Spent], date | None]:
    """What was spent on the days from `first` to `last`; and the earliest day that is added up, where some are not yet.

    Days that are not settled are read from their runs where that is today or yesterday; older ones are missing.
    """
    settled = CostsSettled.objects.first()
    stored = CostDay.objects.filter(day__gte=first, day__lte=last).order_by()
    found = [Spent(**row) for row in stored.values(*_NAMES)]
    today = timezone.now().astimezone(UTC).date()
    fresh = today - DAY if settled is None else max(settled.until + DAY, today - DAY)
    while fresh <= min(last, today):
        if fresh >= first:
            found += read_day(fresh)
        fresh += DAY
    since = today - DAY if settled is None else settled.since
    is_missing = (
        first < since
        and Invocation.objects.filter(
            status__in=Invocation.FINISHED, completed_at__lt=datetime.combine(since, time(), UTC)
        ).exists()
    )
    return found, since if is_missing else None


_NAMES = ("day", "agent_id", "owner_id", "source", "run_count", "unknown_count", "estimate_count", "cost_micros",
          "input_tokens", "output_tokens")  # fmt: skip


def total_of(rows: Iterable[Spent]) -> tuple[int, int, int, int]:
    """Millionths of a dollar, runs, runs of unknown cost, runs whose cost is an estimate."""
    micros = runs = unknown = estimates = 0
    for row in rows:
        micros += row.cost_micros
        runs += row.run_count
        unknown += row.unknown_count
        estimates += row.estimate_count
    return micros, runs, unknown, estimates
