"""Putting metrics of one's own into CloudWatch.

Limits of PutMetricData (CloudWatch API reference): 1,000 metrics a request, and of each 150 values with how often they
came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from apps.aws.clients import client
from apps.aws.connection import Connection
from apps.aws.errors import translated

MAX_DATA = 500  # half of what AWS takes: 150 values each would pass the limit of a request's size
MAX_VALUES = 150
Unit = Literal["Count", "Milliseconds", "Percent"]


@dataclass(frozen=True, slots=True)
class Datum:
    """What a metric was in one minute: its values, each with how often it came."""

    metric: str
    unit: Unit
    at: datetime
    values: Mapping[float, int]
    dimensions: tuple[tuple[str, str], ...] = ()


def put_metrics(connection: Connection, namespace: str, data: Sequence[Datum]) -> int:
    """Send all of it; return in how many requests. Blocks; raises AwsError, where some may have been sent."""
    entries = [entry for datum in data for entry in _entries(datum)]
    requests = 0
    with translated(connection.profile):
        cloudwatch: Any = client(connection, "cloudwatch", connection.region)
        for start in range(0, len(entries), MAX_DATA):
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=entries[start : start + MAX_DATA])
            requests += 1
    return requests


def counted(values: Iterable[float]) -> dict[float, int]:
    """Each value, with how often it came."""
    return dict(Counter(values))


def _entries(datum: Datum) -> Iterable[dict[str, Any]]:
    found = sorted(datum.values.items())
    for start in range(0, len(found), MAX_VALUES):
        part = found[start : start + MAX_VALUES]
        yield {
            "MetricName": datum.metric,
            "Unit": datum.unit,
            "Timestamp": datum.at,
            "Dimensions": [{"Name": name, "Value": value} for name, value in datum.dimensions],
            "Values": [value for value, _ in part],
            "Counts": [float(count) for _, count in part],
        }
