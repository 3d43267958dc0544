"""CloudWatch's GetMetricData and PutMetricData over AWS JSON 1.0.

AWS's own metrics are answered out of the ground truth: those of `AWS/Bedrock-AgentCore` with the dimension `Resource`.
A request counts in the minute in which it came, and can be read a minute after it ended. Which errors count as whose is
an assumption, drawn from their HTTP status: 429 is a throttle, 5xx AWS's own, every other one the caller's, an agent
that failed (424) among them. Other namespaces hold what was put into them. Expressions and pages are not emulated;
NextToken never comes.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from apps.emulator.account import EmulatedAccount
from apps.emulator.aws_wire import AwsError, json_1_0, region_of, require_signature
from apps.emulator.ground_truth import InvocationRecord
from apps.emulator.planes.put_metrics import Key, PutMetrics, key_of, unpacked
from apps.emulator.quotas import METRIC_DATA_PER_S
from apps.emulator.service_model import Reason, ServiceModel

TARGET_PREFIX = "GraniteServiceVersion20100801."
NAMESPACE = "AWS/Bedrock-AgentCore"
INGESTION_S = 60.0
MAX_QUERIES = 500
MAX_VALUES = 100_800
QUERY_ID = re.compile(r"[a-z][a-zA-Z0-9_]{0,254}")
PERCENTILE = re.compile(r"p(?P<percent>\d{1,2}(?:\.\d{1,10})?|100)")
SHORT_PERIODS_S = (1, 5, 10, 30)


@dataclass(frozen=True)
class Query:
    """One metric to read, as checked."""

    query_id: str
    key: Key
    resource: str | None
    metric: str
    period_s: int
    statistic: str
    label: str


class MetricsPlane:
    """The operations that Loom calls."""

    def __init__(self, account: EmulatedAccount) -> None:
        self._account = account
        self._model = ServiceModel("cloudwatch", ["GetMetricData", "PutMetricData"], refuse_request)
        self._put = PutMetrics()

    async def answer(self, request: Request) -> Response:
        """Answer one request; errors are AwsError, to be answered in the JSON form."""
        require_signature(request)
        region = region_of(request)
        operation = request.headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)
        if operation not in ("GetMetricData", "PutMetricData"):
            raise AwsError(400, "UnknownOperationException", "")
        plain = unpacked(await request.body(), request.headers.get("content-encoding", ""))
        body = self._model.read_json(operation, plain)
        self._account.quotas.spend(region, operation, METRIC_DATA_PER_S, status=400)
        self._account.faults.raise_for(operation)
        if operation == "PutMetricData":
            self._put.put(region, body, self._account.clock.now())
            return json_1_0({})
        return json_1_0(self.get_metric_data(region, body))

    def get_metric_data(self, region: str, body: dict[str, Any]) -> dict[str, Any]:
        queries, start, end, is_ascending = read_request(body)
        results = []
        for query in queries:
            points = sorted(self._points(region, query, start, end), reverse=not is_ascending)
            results.append(
                {
                    "Id": query.query_id,
                    "Label": query.label,
                    "Timestamps": [at for at, _ in points],
                    "Values": [value for _, value in points],
                    "StatusCode": "Complete",
                }
            )
        return {"MetricDataResults": results, "Messages": []}

    def _points(self, region: str, query: Query, start: float, end: float) -> Iterator[tuple[int, float]]:
        """The value of each period in which there is one; periods are counted from the epoch."""
        buckets: dict[int, list[float]] = defaultdict(list)
        for at, value in self._samples(region, query):
            minute = at // 60 * 60
            if start <= minute < end:
                buckets[int(minute // query.period_s * query.period_s)].append(value)
        return ((at, statistic_of(values, query.statistic)) for at, values in buckets.items())

    def _samples(self, region: str, query: Query) -> Iterator[tuple[float, float]]:
        if query.resource is None:
            yield from self._put.values(region, query.key)
        for record in self._records(region, query.resource):
            value = sample(record, query.metric)
            if value is not None:
                yield record.received_at, value

    def _records(self, region: str, resource: str | None) -> list[InvocationRecord]:
        runtime = next((each for each in self._account.registry.all_runtimes(region) if each.arn == resource), None)
        if runtime is None:
            return []
        newest = self._account.clock.now() - INGESTION_S * self._account.config.log_delay_scale
        return [
            record for record in self._account.ledger.select(None, runtime.runtime_id) if ended_at(record) <= newest
        ]


def ended_at(record: InvocationRecord) -> float:
    """When an invocation was over, for AWS: infinitely late while it is not."""
    if record.is_finished or record.client_gone_at is not None:
        return record.last_byte_at or record.client_gone_at or record.received_at
    return math.inf


def sample(record: InvocationRecord, metric: str) -> float | None:
    """What one invocation adds to a metric, None for nothing."""
    status = record.error_status
    match metric:
        case "Invocations":
            return 1.0
        case "Throttles":
            return float(status == 429)
        case "SystemErrors":
            return float(status is not None and status >= 500)
        case "UserErrors":
            return float(status is not None and status < 500 and status != 429)
        case "Latency" if record.last_byte_at is not None:
            return (record.last_byte_at - record.received_at) * 1000
    return None


def statistic_of(values: list[float], statistic: str) -> float:
    """One statistic of the values of a period; percentiles by nearest rank."""
    match statistic:
        case "Sum":
            return sum(values)
        case "SampleCount":
            return float(len(values))
        case "Average":
            return sum(values) / len(values)
        case "Minimum":
            return min(values)
        case "Maximum":
            return max(values)
    fraction = float(statistic.removeprefix("p")) / 100
    return sorted(values)[max(math.ceil(fraction * len(values)) - 1, 0)]


def read_request(body: dict[str, Any]) -> tuple[list[Query], float, float, bool]:
    """Check a request: queries, start and end in seconds since the epoch, whether the oldest comes first."""
    if "NextToken" in body:
        raise AwsError(400, "InvalidNextToken", "The service token is invalid.")
    start, end = body["StartTime"], body["EndTime"]
    if start >= end:
        raise validation_error("The parameter EndTime must be greater than StartTime.")
    found = body["MetricDataQueries"]
    if not 1 <= len(found) <= MAX_QUERIES:
        raise validation_error(f"The parameter MetricDataQueries must have 1 to {MAX_QUERIES} entries.")
    if len({raw["Id"] for raw in found}) < len(found):
        raise validation_error("The values for parameter Id in MetricDataQueries are not unique.")
    queries = [read_query(raw) for raw in found if raw.get("ReturnData", True)]
    if sum((end - start) / query.period_s for query in queries) > MAX_VALUES:
        raise validation_error(f"You have requested more than {MAX_VALUES:,} datapoints; the emulator has no pages.")
    return queries, start, end, body.get("ScanBy") == "TimestampAscending"


def read_query(raw: dict[str, Any]) -> Query:
    if QUERY_ID.fullmatch(raw["Id"]) is None:
        raise validation_error("The value for parameter Id must begin with a lowercase letter.")
    stat = raw.get("MetricStat")
    if stat is None:
        raise validation_error("The emulator evaluates no expressions; give a MetricStat.")
    metric, period_s, statistic = stat["Metric"], stat["Period"], stat["Stat"]
    for name in ("Namespace", "MetricName"):
        if name not in metric:
            raise validation_error(f"The parameter MetricStat.Metric.{name} is required.")
    if period_s not in SHORT_PERIODS_S and (period_s < 60 or period_s % 60):
        raise validation_error("The value for parameter Period must be 1, 5, 10, 30 or a multiple of 60.")
    if statistic not in ("Sum", "SampleCount", "Average", "Minimum", "Maximum") and not PERCENTILE.fullmatch(statistic):
        raise validation_error(f"The value {statistic} for parameter Stat is not supported.")
    dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])}
    is_known = metric["Namespace"] == NAMESPACE and set(dimensions) == {"Resource"}
    resource = dimensions["Resource"] if is_known else None
    label = raw.get("Label", metric["MetricName"])
    return Query(raw["Id"], key_of(metric), resource, metric["MetricName"], period_s, statistic, label)


def refuse_request(message: str, reason: Reason) -> AwsError:
    """How CloudWatch refuses a request."""
    is_malformed = reason is Reason.CANNOT_PARSE
    return AwsError(400, "SerializationException", message) if is_malformed else validation_error(message)


def validation_error(message: str) -> AwsError:
    return AwsError(400, "ValidationError", message)
