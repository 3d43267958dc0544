"""How fast AgentCore's control plane may be asked: one pace for each connection and region, shared by a whole process.

AWS counts requests per account and region, so every bulk operation of a process waits at the same pace; other
processes are noticed by AWS's throttling, which slows it down.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from apps.aws.connection import Connection

# Describing an agent takes one Get request (of 150 a second) and one List request (of 25): the List requests decide.
# Something is left for everybody else in the account.
DESCRIPTIONS_PER_S = 22.0
BURST = 4
_SLOWEST_SHARE = 1 / 16
_RECOVERY_SHARE = 1 / 50
_MIN_SLOWING_GAP_S = 1.0


class Pace:
    """A token bucket that spaces requests out; safe to use from many threads.

    `burst` requests may go at once, after that `rate_per_s`. Being throttled halves the rate, each success gives a
    fiftieth of it back.
    """

    def __init__(
        self,
        rate_per_s: float,
        *,
        burst: int,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._full_rate = rate_per_s
        self._rate = rate_per_s
        self._burst = burst
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_at = monotonic() - burst / rate_per_s
        self._slowed_at = -_MIN_SLOWING_GAP_S

    @property
    def rate_per_s(self) -> float:
        """Requests a second at the moment."""
        return self._rate

    def wait(self) -> None:
        """Return when the next request may go."""
        with self._lock:
            now = self._monotonic()
            # What was not used in a while does not add up beyond the burst; the first of it goes now.
            slot = max(self._next_at, now - (self._burst - 1) / self._rate)
            self._next_at = slot + 1 / self._rate
        if slot > now:
            self._sleep(slot - now)

    def slow_down(self, pause_s: float) -> None:
        """AWS throttled a request: hold the next ones back for `pause_s`; halve the rate, once for many at a time."""
        with self._lock:
            now = self._monotonic()
            self._next_at = max(self._next_at, now + pause_s)
            if now - self._slowed_at >= _MIN_SLOWING_GAP_S:
                self._rate = max(self._rate / 2, self._full_rate * _SLOWEST_SHARE)
                self._slowed_at = now

    def speed_up(self) -> None:
        """A request was answered: go a little faster again, up to the full rate."""
        with self._lock:
            self._rate = min(self._full_rate, self._rate + self._full_rate * _RECOVERY_SHARE)


_lock = threading.Lock()
_paces: dict[tuple[Connection, str], Pace] = {}


def description_pace(connection: Connection, region: str) -> Pace:
    """The process's pace for describing agents of `region`."""
    with _lock:
        return _paces.setdefault((connection, region), Pace(DESCRIPTIONS_PER_S, burst=BURST))
