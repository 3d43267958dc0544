"""From the lines of a session to what they say of one run. Pure: rows and lines go in, a finding comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.aws.log_streams import LogEvent
from apps.aws.markers import Start, find_start

# Lines reach CloudWatch seconds after they were written, on bad days minutes.
MAX_TRIES = 12
TRY_EVERY = timedelta(seconds=5)
LATER_TRIES = (timedelta(minutes=10), timedelta(hours=1))
ALL_TRIES = MAX_TRIES + len(LATER_TRIES)

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


def startup_latency_ms(
    invoked_at: datetime | None, agent_started_at: datetime | None, low_ms: float, high_ms: float | None
) -> float | None:
    """agent_started_at − invoked_at in milliseconds.

    None where it lies outside what causality allows (the clocks differ).
    """
    if invoked_at is None or agent_started_at is None:
        return None
    value = (agent_started_at - invoked_at) / timedelta(milliseconds=1)
    if value < low_ms or value == 0 or (high_ms is not None and value > high_ms):
        return None
    return value


def is_better(rank: int, startup_ms: float | None, than_rank: int | None, than_startup_ms: float | None) -> bool:
    """Whether a start that was found tells more than the one already known (`than_rank` is None where none is).

    One that says when the agent's code was entered beats a mere first line, a possible instant (`startup_ms` not None)
    an impossible one, and then the lower rank.
    """
    if than_rank is None:
        return True
    found = (rank == WEAK_RANK, startup_ms is None, rank, startup_ms or 0.0)
    return found < (than_rank == WEAK_RANK, than_startup_ms is None, than_rank, than_startup_ms or 0.0)


def next_try_at(tries: int, now: datetime) -> datetime | None:
    """When to look again after the try of this number (from 1); None after the last one."""
    if tries < MAX_TRIES:
        # A little less than the ticker's period, or every second tick would come too early.
        return now + TRY_EVERY - timedelta(milliseconds=500)
    later = tries - MAX_TRIES
    return now + LATER_TRIES[later] if later < len(LATER_TRIES) else None


def search_state(
    *, state: str, tries: int, error_code: str, agent_started_at: datetime | None, startup_ms: float | None
) -> str:
    """One word for where the search for a start stands.

    waiting, provisional, measured, clock_skew, not_found (also while it is looked for again later), failed, or none
    where no agent was asked.
    """
    if agent_started_at is not None:
        if startup_ms is None:
            return "clock_skew"
        return "provisional" if state == "waiting" else state
    if state == "waiting" and tries >= MAX_TRIES:
        return "failed" if error_code else "not_found"
    return "none" if state == "not_found" and not tries else state
