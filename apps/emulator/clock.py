"""The emulator's two clocks: the wall clock of this machine, and the clock that ages environments."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Wall clock for instants; for ages a monotonic clock, which tests can put forward."""

    def __init__(self) -> None:
        self._advanced_s = 0.0

    def now(self) -> float:
        """Return the wall clock, seconds since the epoch."""
        return time.time()

    def age(self) -> float:
        """Return monotonic seconds plus what was added by `advance`."""
        return time.monotonic() + self._advanced_s

    def advance(self, seconds: float) -> None:
        """Let idle timeouts, lifetimes and pending deployments see that many seconds pass at once."""
        self._advanced_s += seconds


def iso_instant(seconds: float | None) -> str | None:
    """Write an instant as ISO 8601 UTC with microseconds, None as None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
