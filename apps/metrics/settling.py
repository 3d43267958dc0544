"""Storing what past hours add up to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Min

from apps.metrics.hours import HOUR, floor, outdated_hours, stored_groups, tallies_of_rows
from apps.metrics.models import FigureHour, Measurement
from apps.metrics.services import MISSING_SOUGHT_FOR
from apps.sessions.models import Invocation

# The longest range that a page shows, and a little more.
KEPT_FOR = timedelta(days=93)
# A run is stored a moment after it was requested.
SETTLED_AFTER = timedelta(minutes=5)
HOURS_AT_ONCE = 100


def settle_hours(now: datetime, limit: int = HOURS_AT_ONCE) -> int:
    """Store up to `limit` hours that are over and in which nothing changes any more, the newest first; return how many.

    Hours that are out of date or too old to be shown are deleted.
    """
    oldest = floor(now - KEPT_FOR, HOUR)
    stored = FigureHour.objects.filter(origin=settings.LOOM_AWS)
    stored.filter(hour_at__lt=oldest).delete()
    first = Invocation.objects.filter(requested_at__gte=oldest).aggregate(first=Min("requested_at"))["first"]
    if first is None:
        return 0
    hour, last = floor(first, HOUR), floor(now - SETTLED_AFTER, HOUR) - HOUR
    stored.filter(hour_at__in=outdated_hours(hour, last + HOUR)).delete()
    known = set(stored.values_list("hour_at", flat=True)) | _unsettled_hours(now, oldest)
    settled = 0
    while last >= hour and settled < limit:
        if last not in known:
            _store(last)
            settled += 1
        last -= HOUR
    return settled


def _unsettled_hours(now: datetime, oldest: datetime) -> set[datetime]:
    """The hours of which something runs or is waited for."""
    rows = Invocation.objects.filter(requested_at__gte=oldest)
    running = rows.filter(status__in=Invocation.RUNNING)
    unmeasured = rows.filter(completed_at__gt=now - MISSING_SOUGHT_FOR, measurement=None)
    waiting = Measurement.objects.filter(state=Measurement.State.WAITING, invocation__requested_at__gte=oldest)
    instants = [
        *running.values_list("requested_at", flat=True),
        *unmeasured.values_list("requested_at", flat=True),
        *waiting.values_list("invocation__requested_at", flat=True),
    ]
    return {floor(at.astimezone(UTC), HOUR) for at in instants}


def _store(hour: datetime) -> None:
    with transaction.atomic():
        groups = stored_groups(tallies_of_rows([(hour, hour + HOUR)], HOUR))
        count = Invocation.objects.filter(requested_at__gte=hour, requested_at__lt=hour + HOUR).count()
        FigureHour.objects.get_or_create(
            origin=settings.LOOM_AWS, hour_at=hour, defaults={"invocation_count": count, "groups": groups}
        )
