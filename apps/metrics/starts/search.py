"""From the lines of a session to what they say of one run. Pure: rows and lines go in, a finding comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.aws.logs.markers import Start, find_start
from apps.aws.logs.streams import LogEvent

TOLERANCE = timedelta(seconds=1)
# Rank 4 is only the first line of a stream; the others tell when the agent's code was entered.
WEAK_RANK = 4
_RESOLUTION = timedelta(microseconds=1)


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
