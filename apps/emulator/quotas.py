"""Request rates per account and region, as AWS publishes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from apps.emulator.aws_wire import throttling_error

DATA_PLANE_PER_S = 1000.0
NEW_SESSIONS_PER_S = 25.0
CONTROL_LIST_PER_S = 25.0
CONTROL_GET_PER_S = 150.0
CONTROL_MUTATION_PER_S = 50.0
MAX_ACTIVE_SESSIONS = {"us-east-1": 5000, "us-west-2": 5000}
MAX_ACTIVE_SESSIONS_ELSEWHERE = 2500

FILTER_PER_S = {"us-east-1": 25.0} | dict.fromkeys(
    ("ap-northeast-3", "ap-southeast-3", "ca-west-1", "eu-central-1", "il-central-1"), 5.0
)
FILTER_PER_S_ELSEWHERE = 10.0
OTHER_LOGS_PER_S = 25.0
METRIC_DATA_PER_S = 50.0


@dataclass
class _Bucket:
    rate: float
    level: float
    filled_at: float

    def take(self, now: float) -> bool:
        # One second's worth may come in a burst.
        self.level = min(self.rate, self.level + (now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.level < 1:
            return False
        self.level -= 1
        return True


class Quotas:
    """A bucket for every (region, kind of request)."""

    def __init__(self, is_enforced: bool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.is_enforced = is_enforced
        self._monotonic = monotonic
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def spend(self, region: str, kind: str, rate: float, *, status: int = 429) -> None:
        """Count one request; raises the AwsError ThrottlingException with `status` above `rate` requests per second."""
        if not self.is_enforced:
            return
        now = self._monotonic()
        bucket = self._buckets.setdefault((region, kind), _Bucket(rate, rate, now))
        if not bucket.take(now):
            raise throttling_error(status)

    def spend_filter(self, region: str) -> None:
        self.spend(region, "FilterLogEvents", FILTER_PER_S.get(region, FILTER_PER_S_ELSEWHERE), status=400)

    def max_active_sessions(self, region: str) -> int:
        return MAX_ACTIVE_SESSIONS.get(region, MAX_ACTIVE_SESSIONS_ELSEWHERE)
