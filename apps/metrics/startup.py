"""What is known of a start, in numbers and words. Pure: nothing here knows a row or a line of a log."""

from __future__ import annotations

from datetime import datetime, timedelta

# Lines reach CloudWatch seconds after they were written, on bad days minutes.
MAX_TRIES = 12
TRY_EVERY = timedelta(seconds=5)
LATER_TRIES = (timedelta(minutes=10), timedelta(hours=1))
BEST_RANK, WEAK_RANK = 1, 4
ALL_TRIES = MAX_TRIES + len(LATER_TRIES)

MISSING_SOUGHT_FOR = timedelta(minutes=10)


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


def is_certain(marker_rank: int | None, startup_ms: float | None) -> bool:
    """Whether nothing better can be found: the strongest line, within what causality allows."""
    return marker_rank == BEST_RANK and startup_ms is not None


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
