"""What of an agent's week is kept beside the columns that it is sorted by, and how it is read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from apps.metrics.figures.statistics import Percentile, Summary
from apps.metrics.models import AgentWeek

DAYS = 7
LENGTH = timedelta(days=DAYS)
TEMPERATURES = ("cold", "warm")


@dataclass(frozen=True, slots=True)
class Day:
    """A day of an agent: how many runs ended and failed, and time to first token, cold and warm apart."""

    finished: int
    failed: int
    cold: Summary
    warm: Summary


@dataclass(frozen=True, slots=True)
class Week:
    """An agent's week as it is shown; `days` are seven, today the last. Those of `unknown_costs` enter no sum."""

    run_count: int
    finished: int
    failed: int
    error_rate: float | None
    ttft_cold: Summary
    ttft_warm: Summary
    startup: Summary
    startup_source: str
    cost_micros: int | None
    unknown_costs: int
    estimated_costs: int
    days: tuple[Day, ...]


def stored(summary: Summary) -> list[float]:
    """A summary as few numbers: n, then the extremes, then the median with its interval, as far as there are any."""
    if summary.minimum is None or summary.maximum is None:
        return []
    median = summary.p50
    found = [summary.n, summary.minimum, summary.maximum]
    return [*found, median.value, median.low, median.high] if median else found


def read_summary(numbers: list[float]) -> Summary:
    """The summary again."""
    if not numbers:
        return Summary(0, None, None, None)
    n, minimum, maximum, *median = numbers
    return Summary(int(n), minimum, maximum, Percentile(*median) if median else None)


def read_week(row: AgentWeek) -> Week:
    """What is kept of a week."""
    details: Mapping[str, Any] = row.details
    return Week(
        row.run_count,
        details["finished"],
        details["failed"],
        row.error_rate,
        read_summary(details["cold"]),
        read_summary(details["warm"]),
        read_summary(details["startup"]),
        details["startup_source"],
        row.cost_micros,
        details["unknown_costs"],
        details["estimated_costs"],
        tuple(
            Day(finished, failed, read_summary(cold), read_summary(warm))
            for finished, failed, cold, warm in details["days"]
        ),
    )
