"""From the lines of a session to what they say of one run. Pure: rows and lines go in, a finding comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.aws.logs.markers import Start, find_start, marked_starts
from apps.aws.logs.streams import LogEvent

TOLERANCE = timedelta(seconds=1)
# Rank 4 is only the first line of a stream; the others tell when the agent's code was entered.
WEAK_RANK = 4
_RESOLUTION = timedelta(microseconds=1)
# The SDK's line comes twice where an application's root logger writes it as well.
_SAME_LINE = timedelta(milliseconds=50)


@dataclass(frozen=True, slots=True)
class Window:
    """When a run can have started: after it was sent, before its first byte, and not within its neighbours."""

    invoked_at: datetime
    first_byte_at: datetime | None
    completed_at: datetime
    previous_completed_at: datetime | None
    next_invoked_at: datetime | None

    @property
    def latest_start_at(self) -> datetime:
        """The last instant at which causality allows the start."""
        return self.first_byte_at or self.completed_at


def find_start_of_run(events: Sequence[LogEvent], window: Window) -> Start | None:
    """The start of one run among the lines of its session.

    A start that causality allows comes first. Clocks differ by about a second, so one slightly outside is taken too (it
    tells that the clocks differ), but never a neighbour's: what started before the run before had ended is that run's,
    what started once the next run was sent is the next one's.
    """
    inside = _find_between(events, window.invoked_at + _RESOLUTION, window.latest_start_at)
    if inside is not None and inside.rank != WEAK_RANK:
        return inside
    earliest = window.invoked_at - TOLERANCE
    if window.previous_completed_at is not None:
        earliest = max(earliest, min(window.previous_completed_at, window.invoked_at))
    latest = window.latest_start_at + TOLERANCE
    if window.next_invoked_at is not None:
        latest = min(latest, window.next_invoked_at - _RESOLUTION)
    near = _find_between(events, earliest, latest, invoked_at=window.invoked_at)
    return near if near is not None and near.rank != WEAK_RANK else inside or near


def find_skewed_start(events: Sequence[LogEvent], windows: Sequence[Window], position: int) -> Start | None:
    """A start line of a run that lies so far outside of its window that only another clock explains it.

    `windows` are those of the session's runs in their order, `position` the run's place among them. As many lines as
    runs are theirs in this order; of any other number those count that fit no run, each for the run it is nearest to.
    """
    starts = _without_repeats(marked_starts(events))
    for ranks in ({1}, {2, 3}):
        of_rank = [start for start in starts if start.rank in ranks]
        if len(of_rank) == len(windows):
            return of_rank[position]
        strays = [start for start in of_rank if min(_distance(start, window) for window in windows) > TOLERANCE]
        own = [start for start in strays if _nearest(start, windows) == position]
        if own:
            return min(own, key=lambda start: _distance(start, windows[position]))
    return None


def _without_repeats(starts: Sequence[Start]) -> list[Start]:
    kept: list[Start] = []
    for start in starts:
        same = (one for one in kept if (one.rank, one.stream) == (start.rank, start.stream))
        if all(start.started_at - one.started_at > _SAME_LINE for one in same):
            kept.append(start)
    return kept


def _distance(start: Start, window: Window) -> timedelta:
    """How far a start lies outside of what causality allows; zero where it does not."""
    return max(window.invoked_at - start.started_at, start.started_at - window.latest_start_at, timedelta())


def _nearest(start: Start, windows: Sequence[Window]) -> int:
    return min(range(len(windows)), key=lambda index: _distance(start, windows[index]))


def _find_between(
    events: Sequence[LogEvent], earliest: datetime, latest: datetime, invoked_at: datetime | None = None
) -> Start | None:
    """The best start within [earliest, latest]; the first line of a stream counts from `invoked_at` on only."""
    sent_at = invoked_at or earliest
    tolerance = sent_at - earliest
    return find_start(events, invoked_at=sent_at, not_after=latest - tolerance, tolerance=tolerance)


def is_better(rank: int, startup_ms: float | None, than_rank: int | None, than_startup_ms: float | None) -> bool:
    """Whether a start that was found tells more than the one already known (`than_rank` is None where none is).

    One that says when the agent's code was entered beats a mere first line, a possible instant (`startup_ms` not None)
    an impossible one, and then the lower rank.
    """
    if than_rank is None:
        return True
    found = (rank == WEAK_RANK, startup_ms is None, rank, startup_ms or 0.0)
    return found < (than_rank == WEAK_RANK, than_startup_ms is None, than_rank, than_startup_ms or 0.0)
