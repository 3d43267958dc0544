"""What an alert can be about, and what some runs say of it. Pure: runs come as tuples, figures go out.

A percentile is one of order statistics with its interval, a share one with Wilson's, as everywhere in `figures`: a rule
is silent where there are too few runs for that. There is no mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from django.utils.translation import gettext_lazy as _

from apps.metrics.figures.comparing import share
from apps.metrics.figures.statistics import percentile
from apps.metrics.figures.tally import SOURCE_OF_RANK, TEMPERATURE
from apps.metrics.startup import startup_latency_ms

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as Words

Unit = Literal["ms", "share", "count", "usd"]
FAILED = frozenset({"failed", "interrupted"})
TIMEOUT_STATUSES = frozenset({408, 504})
# From so many values on a percentile has an interval of 95 %: see `figures.statistics`.
LEAST_FOR = {0.5: 6, 0.9: 36}


class Run(NamedTuple):
    """What is read of a run that has ended; `COLUMNS` in this order."""

    agent_id: int
    version: str
    status: str
    error_code: str
    http_status: int | None
    requested_at: datetime
    invoked_at: datetime | None
    first_token_at: datetime | None
    completed_at: datetime
    start_kind: str | None
    started_at: datetime | None
    marker_rank: int | None
    low_ms: float | None
    high_ms: float | None
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None


COLUMNS = (
    "session__agent_id", "version", "status", "error_code", "http_status", "requested_at", "invoked_at",
    "first_token_at", "completed_at", "measurement__start_kind", "measurement__agent_started_at",
    "measurement__marker_rank", "measurement__low_ms", "measurement__high_ms", "cost_usd", "input_token_count",
    "output_token_count",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Metric:
    """One of them. `quantile` is that of a percentile; a share counts the runs whose value is 1."""

    key: str
    label: Words
    unit: Unit
    quantile: float | None = None

    @property
    def is_sum(self) -> bool:
        return self.quantile is None and self.unit != "share"

    @property
    def can_change(self) -> bool:
        """Whether one version can be compared with another by it: a sum grows with the number of runs."""
        return not self.is_sum

    @property
    def least_n(self) -> int:
        """How many values it takes for anything to be said."""
        return 0 if self.is_sum else LEAST_FOR.get(self.quantile or 0, 1)


METRICS = {
    metric.key: metric
    for metric in (
        Metric("ttft_p50", _("Time to first token, median"), "ms", 0.5),
        Metric("ttft_p90", _("Time to first token, p90"), "ms", 0.9),
        Metric("startup_p50", _("Startup latency, median"), "ms", 0.5),
        Metric("startup_p90", _("Startup latency, p90"), "ms", 0.9),
        Metric("total_p50", _("Total latency, median"), "ms", 0.5),
        Metric("total_p90", _("Total latency, p90"), "ms", 0.9),
        Metric("error_rate", _("Error rate"), "share"),
        Metric("timeout_rate", _("Rate of timeouts"), "share"),
        Metric("broken_rate", _("Rate of broken streams"), "share"),
        Metric("cold_share", _("Share of cold starts"), "share"),
        Metric("run_count", _("Number of runs"), "count"),
        Metric("token_count", _("Tokens"), "count"),
        Metric("cost_usd", _("Cost"), "usd"),
    )
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What some runs say: a value with its 95 % interval, where there is one, and of how many runs."""

    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


def value_of(metric: Metric, run: Run) -> float | None:
    """What one run adds to a metric; None where it is not counted."""
    key = metric.key
    if key.startswith("ttft"):
        return _ms(run.invoked_at, run.first_token_at)
    if key.startswith("total"):
        return _ms(run.invoked_at, run.completed_at) if run.status == "completed" else None
    if key.startswith("startup"):
        is_known = run.marker_rank in SOURCE_OF_RANK
        return startup_latency_ms(run.invoked_at, run.started_at, run.low_ms or 0, run.high_ms) if is_known else None
    if key == "run_count":
        return 1.0
    if key == "token_count":
        counts = [count for count in (run.input_tokens, run.output_tokens) if count is not None]
        return float(sum(counts)) if counts else None
    if key == "cost_usd":
        return None if run.cost_usd is None else float(run.cost_usd)
    if key == "cold_share":
        temperature = TEMPERATURE.get(run.start_kind or "")
        return None if temperature is None else float(temperature == "cold")
    if run.status == "stopped":  # a person's decision is no failure
        return None
    if key == "error_rate":
        return float(run.status in FAILED)
    if key == "timeout_rate":
        return float(run.status in FAILED and is_timeout(run))
    return float(run.status == "interrupted" or (run.status == "failed" and run.first_token_at is not None))


def is_timeout(run: Run) -> bool:
    """Whether nothing came in time, in the words of those who waited: Loom, botocore, AWS."""
    return run.http_status in TIMEOUT_STATUSES or run.error_code.lower().endswith(("timeouterror", "timeoutexception"))


def sample_of(metric: Metric, values: Iterable[float]) -> Sample:
    """What these values say together."""
    if metric.quantile is not None:
        ordered = sorted(values)
        found = percentile(ordered, metric.quantile)
        return Sample(len(ordered)) if found is None else Sample(len(ordered), found.value, found.low, found.high)
    listed = list(values)
    if metric.is_sum:
        return Sample(len(listed), sum(listed))
    found_share = share(sum(value > 0 for value in listed), len(listed))
    if found_share is None:
        return Sample(0)
    return Sample(found_share.n, found_share.value, found_share.low, found_share.high)


def _ms(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds() * 1000
