"""When runs are made: a field for each hour of a day, in the zone that the page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.metrics.figures.pages.ranges import TimeRange

SHADES = 5
MOST_DATES = timedelta(days=8)  # a longer range has a row for each day of the week


@dataclass(frozen=True, slots=True)
class Field:
    """An hour: how dark it is, from 0 for none, and what it holds in words."""

    shade: int
    has_failed: bool
    text: str
    count: int
    failed_count: int


@dataclass(frozen=True, slots=True)
class Day:
    """The hours of a date, or of a day of the week."""

    label: str
    fields: list[Field]


@dataclass(frozen=True, slots=True)
class Heat:
    """All hours, and the runs that make one as dark as can be."""

    days: list[Day]
    most: int
    zone: str
    by_weekday: bool

    @property
    def hours(self) -> list[int]:
        return list(range(24))


def known_zone(name: str) -> str:
    """The name where it is that of a zone, else nothing."""
    try:
        return ZoneInfo(name).key if name and len(name) < 64 else ""
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ""


def heat_of(by_hour: Mapping[datetime, tuple[int, int]], period: TimeRange, zone: str) -> Heat:
    """Count the runs of a range, and those that failed, by the hour of the day in a zone; that of UTC without one."""
    place = ZoneInfo(zone or "UTC")
    by_weekday = period.end - period.start > MOST_DATES
    found: dict[tuple[object, int], list[int]] = {}
    for at, (count, failed) in by_hour.items():
        local = at.astimezone(place)
        day = local.weekday() if by_weekday else local.date()
        sums = found.setdefault((day, local.hour), [0, 0])
        sums[0] += count
        sums[1] += failed
    most = max((count for count, _failed in found.values()), default=0)
    if by_weekday:
        rows: list[tuple[object, str]] = [(day, str(WEEKDAYS[day])) for day in range(7)]
    else:
        first, last = period.start.astimezone(place).date(), period.end.astimezone(place).date()
        dates = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        rows = [(day, date_format(day, "D j M")) for day in dates]
    days = [
        Day(label, [_field(found.get((key, hour)), label, hour, most) for hour in range(24)]) for key, label in rows
    ]
    return Heat(days, most, place.key, by_weekday)


def _field(sums: list[int] | None, label: str, hour: int, most: int) -> Field:
    count, failed = sums or (0, 0)
    told = ngettext("%(count)s run", "%(count)s runs", count) % {"count": f"{count:,}"}
    text = _("%(day)s %(hour)s:00: %(runs)s") % {"day": label, "hour": f"{hour:02}", "runs": told}
    if failed:
        text = _("%(text)s, %(count)s failed") % {"text": text, "count": f"{failed:,}"}
    shade = 0 if not count else 1 + (count * SHADES - 1) // most
    return Field(min(shade, SHADES), failed > 0, text, count, failed)
