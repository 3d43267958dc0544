"""From the lines of a session to what they say of one run. Pure: rows and lines go in, a finding comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.aws.log_streams import LogEvent
from apps.aws.markers import Start, find_start

TOLERANCE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """When a run can have started: after it was sent, before its first byte, and not within its neighbours."""

    invoked_at: datetime
    first_byte_at: datetime | None
    completed_at: datetime
    previous_completed_at: datetime | None
    next_invoked_at: datetime | None


def find_start_of_run(events: Sequence[LogEvent], window: Window) -> Start | None:
    """The start of one run among the lines of its session.

    Clocks differ by about a second, so lines slightly outside are taken too, but never a neighbour's: a line written
    before the run before had ended is that run's, a start after the next run was sent is the next one's.
    """
    floor = window.previous_completed_at
    own = [event for event in events if floor is None or event.at >= floor]
    latest = window.first_byte_at or window.completed_at
    if window.next_invoked_at is not None:
        latest = min(latest, window.next_invoked_at - TOLERANCE)
    return find_start(own, invoked_at=window.invoked_at, not_after=latest, tolerance=TOLERANCE)


def startup_latency_ms(
    invoked_at: datetime | None, agent_started_at: datetime | None, low_ms: float, high_ms: float | None
) -> float | None:
    """agent_started_at − invoked_at in milliseconds.

    None where it lies outside what causality allows (the clocks differ).
    """
    if invoked_at is None or agent_started_at is None:
        return None
    value = (agent_started_at - invoked_at).total_seconds() * 1000
    if value < low_ms or value == 0 or (high_ms is not None and value > high_ms):
        return None
    return value
