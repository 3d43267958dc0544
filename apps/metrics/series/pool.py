"""How many environments stand ready before anybody asks: what sessions that began all at once tell of the warm pool.

Two readings that know nothing of each other. *The logs*: an environment whose log stream began before the request was
waiting for it. *The latency*: the sorted times have a knee, where those that took a waiting environment end and those
for which one was made begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from apps.metrics.models import Measurement, StartSeries
from apps.metrics.series.selectors import runs_left
from apps.sessions.models import Invocation

KNEE_RATIO = 1.5  # how much longer the next one takes, at least
LEAST_ABOVE = 6  # starts above the knee, so that one slow start makes none

By = Literal["logs", "latency", ""]


@dataclass(frozen=True, slots=True)
class Pool:
    """What a series at once has found. `size` is None while nothing can be said; where every start was one of the pool
    it is the least that it holds. `spread_ms` is how long after the first prompt the last one was sent.
    """

    sent_count: int
    told_count: int
    pooled_count: int
    knee: int | None
    below_ms: float | None
    above_ms: float | None
    spread_ms: float | None

    @property
    def by(self) -> By:
        if self.sent_count and self.told_count == self.sent_count:
            return "logs"
        return "" if self.knee is None else "latency"

    @property
    def size(self) -> int | None:
        return {"logs": self.pooled_count, "latency": self.knee, "": None}[self.by]

    @property
    def is_least(self) -> bool:
        """Whether the pool may hold more: nothing had to be made."""
        return self.by == "logs" and self.pooled_count == self.sent_count


def knee_of(ordered: Sequence[float]) -> int | None:
    """After how many of the values in ascending order they jump most, and by half at least; None where they do not."""
    jumps = [
        (ordered[at] / ordered[at - 1], at)
        for at in range(1, len(ordered) - LEAST_ABOVE + 1)
        if ordered[at - 1] > 0 and ordered[at] / ordered[at - 1] >= KNEE_RATIO
    ]
    return max(jumps)[1] if jumps else None


def pool_of(series: StartSeries) -> Pool | None:
    """What a series tells of the pool; None for one that begins its sessions one after the other."""
    if not series.is_at_once:
        return None
    names = ("invoked_at", "first_token_at", "completed_at", "status",
             "measurement__start_kind", "measurement__log_stream")  # fmt: skip
    found = runs_left().filter(series=series).values(*(f"invocation__{name}" for name in names))
    rows = [{name: row[f"invocation__{name}"] for name in names} for row in found]
    sent = [row for row in rows if _is_answered(row)]
    told = [row for row in sent if row["measurement__log_stream"]]
    ordered = _latencies(sent)
    knee = knee_of(ordered)
    instants = sorted(row["invoked_at"] for row in sent)
    return Pool(
        sent_count=len(sent),
        told_count=len(told),
        pooled_count=sum(row["measurement__start_kind"] == Measurement.StartKind.POOLED for row in told),
        knee=knee,
        below_ms=None if knee is None else ordered[knee - 1],
        above_ms=None if knee is None else ordered[knee],
        spread_ms=(instants[-1] - instants[0]) / timedelta(milliseconds=1) if instants else None,
    )


def _is_answered(row: dict[str, Any]) -> bool:
    """A run that an environment was started for, and that is over."""
    return row["status"] == Invocation.Status.COMPLETED and row["invoked_at"] is not None


def _latencies(rows: Sequence[dict[str, Any]]) -> list[float]:
    """Times to the first token, in order; total latencies where an answer comes as one piece."""
    column = "first_token_at" if all(row["first_token_at"] for row in rows) else "completed_at"
    return sorted((row[column] - row["invoked_at"]) / timedelta(milliseconds=1) for row in rows if row[column])
