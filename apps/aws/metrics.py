"""What CloudWatch counted of a runtime: AWS's own metrics, from every caller and not only from Loom.

Names, units and meaning are those of AgentCore's documentation ("Observability: runtime metrics"): namespace
`AWS/Bedrock-AgentCore`, dimension `Resource` with the runtime's ARN, one value a minute. `Latency` runs from the
request to the last byte of the answer, in milliseconds; there is no metric for a cold start. Values arrive some
minutes late.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from apps.aws.arn import RuntimeArn
from apps.aws.clients import client
from apps.aws.connection import Connection
from apps.aws.errors import AccessDeniedError, UnavailableError, translated

NAMESPACE = "AWS/Bedrock-AgentCore"
DIMENSION = "Resource"

# Member of a MetricPoint, metric, statistic. Sums and extremes of periods add up to those of the whole range;
# percentiles do not, which is why none is asked for.
_STATISTICS = (
    ("invocation_count", "Invocations", "Sum"),
    ("system_error_count", "SystemErrors", "Sum"),
    ("user_error_count", "UserErrors", "Sum"),
    ("throttle_count", "Throttles", "Sum"),
    ("latency_count", "Latency", "SampleCount"),
    ("latency_sum_ms", "Latency", "Sum"),
    ("latency_min_ms", "Latency", "Minimum"),
    ("latency_max_ms", "Latency", "Maximum"),
)


@dataclass(frozen=True, slots=True)
class MetricValues:
    """Counts and latencies of some time; None where CloudWatch has no value, which is not the same as zero."""

    invocation_count: int | None = None
    system_error_count: int | None = None
    user_error_count: int | None = None
    throttle_count: int | None = None
    latency_count: int | None = None
    latency_sum_ms: float | None = None
    latency_min_ms: float | None = None
    latency_max_ms: float | None = None

    @property
    def error_count(self) -> int | None:
        """System and user errors together."""
        known = [count for count in (self.system_error_count, self.user_error_count) if count is not None]
        return sum(known) if known else None

    @property
    def latency_mean_ms(self) -> float | None:
        if not self.latency_count or self.latency_sum_ms is None:
            return None
        return self.latency_sum_ms / self.latency_count


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """The values of the period that begins at `at`."""

    at: datetime
    values: MetricValues


@dataclass(frozen=True, slots=True)
class RuntimeMetrics:
    """The periods that have values, oldest first, and all of them together.

    `is_partial`: CloudWatch had more to say than it said.
    """

    start_at: datetime
    end_at: datetime
    period_s: int
    points: list[MetricPoint]
    total: MetricValues
    is_partial: bool


def read_runtime_metrics(
    connection: Connection, arn: RuntimeArn, *, start_at: datetime, end_at: datetime, period_s: int
) -> RuntimeMetrics:
    """GetMetricData for one runtime from `start_at` to `end_at` in periods of `period_s` (a multiple of 60).

    Blocks; AWS charges for eight metrics. Raises AwsError.
    """
    request = {
        "MetricDataQueries": [
            _query(name, metric, statistic, arn, period_s) for name, metric, statistic in _STATISTICS
        ],
        "StartTime": start_at,
        "EndTime": end_at,
        "ScanBy": "TimestampAscending",
    }
    values: dict[datetime, dict[str, float]] = defaultdict(dict)
    is_partial = False
    with translated(connection.profile):
        paginator: Any = client(connection, "cloudwatch", arn.region).get_paginator("get_metric_data")
        for page in paginator.paginate(**request):
            for result in page["MetricDataResults"]:
                # A result of which the rest is on the next page is partial, too.
                is_partial = is_partial or _is_incomplete(result, has_more="NextToken" in page)
                for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                    values[at.astimezone(UTC)][result["Id"]] = value
    points = [MetricPoint(at, _values(found)) for at, found in sorted(values.items())]
    return RuntimeMetrics(start_at, end_at, period_s, points, _total(points), is_partial)


def _query(name: str, metric: str, statistic: str, arn: RuntimeArn, period_s: int) -> dict[str, Any]:
    dimensions = [{"Name": DIMENSION, "Value": arn.runtime_arn}]
    stat = {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": stat, "Period": period_s, "Stat": statistic}}


def _is_incomplete(result: dict[str, Any], *, has_more: bool) -> bool:
    """Whether values are missing for good. Raises the AwsError of a metric that was not read at all."""
    code = result.get("StatusCode", "Complete")
    if code == "Forbidden":
        raise AccessDeniedError("The credentials may not read this metric.", code="Forbidden")
    if code == "InternalError":
        raise UnavailableError("CloudWatch could not read a metric.", code="InternalError")
    return code != "Complete" and not has_more


def _values(found: dict[str, float]) -> MetricValues:
    counts = {name: round(value) for name, value in found.items() if name.endswith("_count")}
    latencies = {name: value for name, value in found.items() if name.endswith("_ms")}
    return MetricValues(**counts, **latencies)  # type: ignore[arg-type]


def _total(points: list[MetricPoint]) -> MetricValues:
    combine: dict[str, Callable[[list[float]], float]] = {"latency_min_ms": min, "latency_max_ms": max}
    found: dict[str, float] = {}
    for field in fields(MetricValues):
        known = [value for point in points if (value := getattr(point.values, field.name)) is not None]
        if known:
            found[field.name] = combine.get(field.name, sum)(known)
    return _values(found)
