"""Reading what quarters of days and days add up to, where that is stored and up to date."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.metrics.figures.counting import outdated_periods
from apps.metrics.figures.readings import PARTS_OF
from apps.metrics.models import FigureSum

# A run is stored soon after it was requested: what is older than this is looked after by the worker alone.
COUNTED_FOR = timedelta(days=2)


def stored_sums(
    lengths: Collection[FigureSum.Length], start: datetime, end: datetime, gone: Sequence[datetime]
) -> list[FigureSum]:
    """The days and quarters that lie within a range as a whole, in order, without their columns; none twice. `gone` is
    what `gone_between` tells of the range.
    """
    if not lengths or end - start < timedelta(hours=min(lengths)):
        return []
    rows = FigureSum.objects.filter(
        agent=None, origin=settings.LOOM_AWS, length__in=lengths, start_at__gte=start, start_at__lt=end
    ).only("start_at", "length", "agent", "invocation_count", "deleted_count")
    chosen: list[FigureSum] = []
    for row in sorted(rows, key=lambda row: -row.length):
        is_within = any(one.start_at <= row.start_at < one.end_at for one in chosen if one.length > row.length)
        if row.end_at <= end and not is_within and _leaves_out(row, gone):
            chosen.append(row)
    chosen.sort(key=lambda row: row.start_at)
    since = timezone.now() - COUNTED_FOR
    outdated = outdated_periods([one for one in chosen if one.end_at > since], gone)
    return [one for one in chosen if one.pk not in outdated]


def with_columns(sums: Sequence[FigureSum], columns: Collection[str], agent_ids: Collection[int]) -> list[FigureSum]:
    """The same rows with these columns; or those of some agents of the same times."""
    if not sums:
        return []
    rows = FigureSum.objects.only("start_at", "length", "agent", *columns).order_by("start_at")
    if not agent_ids:
        return list(rows.filter(pk__in=[one.pk for one in sums]))
    times = {(one.length, one.start_at) for one in sums}
    rows = rows.filter(
        agent_id__in=agent_ids,
        origin=settings.LOOM_AWS,
        length__in={length for length, _ in times},
        start_at__in={start for _, start in times},
    )
    return [row for row in rows if (row.length, row.start_at) in times]


def entries(row: FigureSum, column: str, measure_start: str) -> Iterator[Any]:
    """What a column holds of the parts that are asked for."""
    stored = getattr(row, column)
    for part in PARTS_OF[measure_start]:
        yield from stored.get(part, ())


def _leaves_out(row: FigureSum, gone: Sequence[datetime]) -> bool:
    """Whether it leaves as many runs out as are deleted now."""
    return bisect_left(gone, row.end_at) - bisect_left(gone, row.start_at) == row.deleted_count
