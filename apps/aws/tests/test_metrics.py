"""AWS's own metrics: what is asked, and what is made of the answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from apps.aws.arn import RuntimeArn
from apps.aws.clients import client
from apps.aws.connection import Connection
from apps.aws.errors import AccessDeniedError, ConnectFailedError, UnavailableError
from apps.aws.metrics import MetricPoint, MetricValues, RuntimeMetrics, read_runtime_metrics

ARN = RuntimeArn.parse("arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/my_agent-AbCdEf1234")
START, END = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)

Answering = Callable[..., RuntimeMetrics]


def result(name: str, *points: tuple[datetime, float], status: str = "Complete") -> dict[str, Any]:
    return {
        "Id": name,
        "Label": name,
        "Timestamps": [at for at, _ in points],
        "Values": [value for _, value in points],
        "StatusCode": status,
    }


@pytest.fixture
def answering() -> Answering:
    """Read the metrics of ARN while CloudWatch answers these pages, each a list of results."""

    def read(*pages: list[dict[str, Any]]) -> RuntimeMetrics:
        connection = Connection("emulator", "us-east-1", endpoint_url="http://127.0.0.1:9")
        with Stubber(client(connection, "cloudwatch", "eu-west-1")) as stubber:
            for number, page in enumerate(pages):
                more = {"NextToken": f"page{number + 1}"} if number + 1 < len(pages) else {}
                asked = {"StartTime": START, "EndTime": END, "ScanBy": "TimestampAscending", "MetricDataQueries": ANY}
                stubber.add_response(
                    "get_metric_data",
                    {"MetricDataResults": page, **more},
                    asked | ({"NextToken": f"page{number}"} if number else {}),
                )
            metrics = read_runtime_metrics(connection, ARN, start_at=START, end_at=END, period_s=3600)
            stubber.assert_no_pending_responses()
        return metrics

    return read


def test_values_stand_by_their_period_and_add_up(answering: Answering) -> None:
    metrics = answering(
        [
            result("invocation_count", (START + HOUR, 40.0), (START, 2.0)),
            result("system_error_count", (START, 0.0), (START + HOUR, 1.0)),
            result("user_error_count", (START, 1.0), (START + HOUR, 2.0)),
            result("throttle_count", (START, 0.0)),
            result("latency_count", (START, 2.0), (START + HOUR, 38.0)),
            result("latency_sum_ms", (START, 500.0), (START + HOUR, 7500.0)),
            result("latency_min_ms", (START, 120.5), (START + HOUR, 90.25)),
            result("latency_max_ms", (START, 379.5), (START + HOUR, 900.0)),
        ]
    )

    assert [point.at for point in metrics.points] == [START, START + HOUR]
    assert metrics.points[0] == MetricPoint(START, MetricValues(2, 0, 1, 0, 2, 500.0, 120.5, 379.5))
    assert metrics.points[1].values.throttle_count is None
    assert metrics.total == MetricValues(42, 1, 3, 0, 40, 8000.0, 90.25, 900.0)
    assert (metrics.total.latency_mean_ms, metrics.total.error_count) == (200.0, 4)
    assert (metrics.start_at, metrics.end_at, metrics.period_s, metrics.is_partial) == (START, END, 3600, False)


def test_nothing_is_not_zero(answering: Answering) -> None:
    metrics = answering([result("invocation_count"), result("latency_count")])

    assert (metrics.points, metrics.total) == ([], MetricValues())
    assert (metrics.total.latency_mean_ms, metrics.total.error_count) == (None, None)


def test_pages_are_read_to_the_end(answering: Answering) -> None:
    metrics = answering(
        [result("invocation_count", (START, 2.0), status="PartialData")],
        [result("invocation_count", (START + HOUR, 3.0))],
    )

    assert (metrics.total.invocation_count, metrics.is_partial) == (5, False)


def test_what_is_missing_for_good_is_told(answering: Answering) -> None:
    assert answering([result("invocation_count", (START, 2.0), status="PartialData")]).is_partial
    with pytest.raises(AccessDeniedError):
        answering([result("invocation_count", status="Forbidden")])
    with pytest.raises(UnavailableError):
        answering([result("invocation_count", status="InternalError")])


def test_the_runtime_is_named_by_its_arn_in_the_arns_region() -> None:
    connection = Connection("emulator", "us-east-1", endpoint_url="http://127.0.0.1:9")
    dimension = {"Name": "Resource", "Value": ARN.runtime_arn}
    wanted = [
        ("invocation_count", "Invocations", "Sum"),
        ("system_error_count", "SystemErrors", "Sum"),
        ("user_error_count", "UserErrors", "Sum"),
        ("throttle_count", "Throttles", "Sum"),
        ("latency_count", "Latency", "SampleCount"),
        ("latency_sum_ms", "Latency", "Sum"),
        ("latency_min_ms", "Latency", "Minimum"),
        ("latency_max_ms", "Latency", "Maximum"),
    ]
    queries = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {"Namespace": "AWS/Bedrock-AgentCore", "MetricName": metric, "Dimensions": [dimension]},
                "Period": 300,
                "Stat": statistic,
            },
        }
        for name, metric, statistic in wanted
    ]
    asked = {"MetricDataQueries": queries, "StartTime": START, "EndTime": END, "ScanBy": "TimestampAscending"}
    with Stubber(client(connection, "cloudwatch", "eu-west-1")) as stubber:
        stubber.add_response("get_metric_data", {"MetricDataResults": []}, asked)
        read_runtime_metrics(connection, ARN, start_at=START, end_at=END, period_s=300)

        stubber.add_client_error("get_metric_data", "AccessDenied", "You may not.", 403)
        with pytest.raises(AccessDeniedError) as denied:
            read_runtime_metrics(connection, ARN, start_at=START, end_at=END, period_s=300)
    assert (denied.value.message, denied.value.code) == ("You may not.", "AccessDenied")


def test_no_connection_is_one_of_our_errors() -> None:
    connection = Connection("emulator", "us-east-1", endpoint_url="http://127.0.0.1:9")

    with pytest.raises(ConnectFailedError):
        read_runtime_metrics(connection, ARN, start_at=START, end_at=END, period_s=300)
