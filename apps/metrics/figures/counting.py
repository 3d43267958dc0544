"""Whether what is stored of some time counts the runs that there are."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from apps.metrics.models import FigurePeriod, FigureSum
from apps.sessions.models import Invocation, Session

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Gap = tuple[datetime, datetime]
"""From when to before when."""

PeriodT = TypeVar("PeriodT", FigurePeriod, FigureSum)


def floor(at: datetime, step: timedelta) -> datetime:
    """The beginning of the step that an instant lies in; steps count from 1970 in UTC."""
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def gone_between(start: datetime, end: datetime) -> list[datetime]:
    """When the runs of sessions that were deleted were requested, in order; of such there are few, for an hour."""
    deleted = Session.objects.filter(deleted_at__isnull=False).order_by()
    runs = Invocation.objects.filter(session__in=deleted.values("pk"), requested_at__gte=start, requested_at__lt=end)
    return sorted(runs.order_by().values_list("requested_at", flat=True))


def outdated_periods(periods: Sequence[PeriodT], gone: Sequence[datetime] | None = None) -> set[int]:
    """The keys of the periods, given in order, that count other invocations than there are; `gone` as `gone_between`
    tells it of all of them.

    A session was deleted or came back, or a row came late. Counting the invocations of a long time is quick, so what
    differs is halved until the periods are found.
    """
    outdated: set[int] = set()
    waiting = list(unbroken(periods))
    if gone is None:
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


def unbroken(periods: Sequence[PeriodT]) -> Iterator[list[PeriodT]]:
    """Periods in order, in pieces without a gap."""
    piece: list[PeriodT] = []
    for period in periods:
        if piece and piece[-1].end_at != period.start_at:
            yield piece
            piece = []
        piece.append(period)
    if piece:
        yield piece
