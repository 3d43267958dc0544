"""GetMetricData is answered out of what really happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from apps.emulator.account import EmulatedAccount
from apps.emulator.config import EmulatorConfig
from apps.emulator.fleet.demo import created_agent
from apps.emulator.ground_truth import InvocationRecord
from apps.emulator.planes.metrics_plane import MetricsPlane, statistic_of
from apps.emulator.tests.running_emulator import RunningEmulator, new_session_id

NAMESPACE = "AWS/Bedrock-AgentCore"
ALL_TIME_S = 600_000_000  # periods count from 1970: one of this length holds years
COUNTS = ("Invocations", "SystemErrors", "UserErrors", "Throttles")


def query(arn: str, metric: str, statistic: str = "Sum", period_s: int = ALL_TIME_S, **members: Any) -> dict[str, Any]:
    stat = {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": [{"Name": "Resource", "Value": arn}]}
    query_id = f"{metric.lower()}_{statistic.lower()}"
    return {"Id": query_id, "MetricStat": {"Metric": stat, "Period": period_s, "Stat": statistic}, **members}


def span() -> dict[str, datetime]:
    now = datetime.now(UTC)
    return {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(minutes=1)}


def read(emulator: RunningEmulator, queries: list[dict[str, Any]], **members: Any) -> dict[str, list[float]]:
    answer = emulator.client("cloudwatch").get_metric_data(MetricDataQueries=queries, **span(), **members)
    assert {result["StatusCode"] for result in answer["MetricDataResults"]} <= {"Complete"}
    return {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}


def test_metrics_count_what_happened_and_whose_error_it_was(emulator: RunningEmulator) -> None:
    arn = emulator.arn("inventory_analyst")
    queries = [query(arn, name) for name in COUNTS] + [
        query(arn, "Latency", statistic) for statistic in ("SampleCount", "Sum", "Minimum", "Maximum", "p50")
    ]
    before = {name: sum(values) for name, values in read(emulator, queries[: len(COUNTS)]).items()}
    sessions = [new_session_id() for _ in range(2)]
    for session_id in sessions:
        emulator.invoke("inventory_analyst", runtimeSessionId=session_id)
    for code in ("InternalServerException", "RuntimeClientError", "ThrottlingException"):
        emulator.order_fault(kind="error", operation="InvokeAgentRuntime", code=code, count=1)
        with pytest.raises(ClientError):
            emulator.begin("inventory_analyst")

    found = read(emulator, queries)

    assert {name: sum(found[name]) - count for name, count in before.items()} == {
        "invocations_sum": 5, "systemerrors_sum": 1, "usererrors_sum": 1, "throttles_sum": 1,
    }  # fmt: skip
    records = emulator.get("invocations", runtime_id=arn.rpartition("/")[2])
    latencies = sorted(
        (datetime.fromisoformat(record["last_byte_at"]) - datetime.fromisoformat(record["received_at"]))
        / timedelta(milliseconds=1)
        for record in records
        if record["last_byte_at"]
    )
    assert found["latency_samplecount"] == [len(latencies)]
    assert found["latency_sum"] == [pytest.approx(sum(latencies), abs=0.01)]
    assert found["latency_minimum"] == [pytest.approx(latencies[0], abs=0.01)]
    assert found["latency_maximum"] == [pytest.approx(latencies[-1], abs=0.01)]
    assert found["latency_p50"] == [pytest.approx(latencies[(len(latencies) - 1) // 2], abs=0.01)]


def test_other_runtimes_dimensions_and_regions_have_no_values(emulator: RunningEmulator) -> None:
    arn = emulator.arn("travel_concierge")
    emulator.invoke("travel_concierge")
    elsewhere = query(arn, "Invocations")
    elsewhere["MetricStat"]["Metric"]["Dimensions"].append({"Name": "Name", "Value": "DEFAULT"})

    assert read(emulator, [query(f"{arn[:-1]}x", "Invocations")]) == {"invocations_sum": []}
    assert read(emulator, [query(arn, "ColdStarts")]) == {"coldstarts_sum": []}
    assert read(emulator, [elsewhere]) == {"invocations_sum": []}
    answer = emulator.client("cloudwatch", "eu-west-1").get_metric_data(
        MetricDataQueries=[query(arn, "Invocations")], **span()
    )
    assert answer["MetricDataResults"][0]["Values"] == []
    assert sum(read(emulator, [query(arn, "Invocations")])["invocations_sum"]) >= 1


def test_a_label_is_kept_and_what_shall_not_be_returned_is_not(emulator: RunningEmulator) -> None:
    arn = emulator.arn("travel_concierge")
    queries = [query(arn, "Invocations", Label="calls"), query(arn, "Throttles", ReturnData=False)]

    answer = emulator.client("cloudwatch").get_metric_data(MetricDataQueries=queries, **span())

    assert [(result["Id"], result["Label"]) for result in answer["MetricDataResults"]] == [("invocations_sum", "calls")]


def test_each_period_has_its_value_a_minute_after_the_request_ended() -> None:
    account = EmulatedAccount(EmulatorConfig(seed=7), seed=7)
    runtime = account.registry.create(region="us-east-1", name="counted", settings={}, traits=created_agent("counted"))
    now = account.clock.now() // 60 * 60
    since_s = account.clock.now() - now
    # Received and ended so many seconds before the minute; None for a request that is under way.
    for received, ended in ((600, 590), (420, 410), (410, 400), (300, None), (300, 10 - since_s)):
        record = account.ledger.open(InvocationRecord("s", runtime.runtime_id, "DEFAULT", now - received))
        record.last_byte_at = None if ended is None else now - ended
        record.is_finished = ended is not None
    body = {
        "MetricDataQueries": [query(runtime.arn, "Invocations", period_s=60)], "StartTime": now - 3600, "EndTime": now,
    }  # fmt: skip
    plane = MetricsPlane(account)

    newest_first = plane.get_metric_data("us-east-1", body)["MetricDataResults"][0]
    oldest_first = plane.get_metric_data("us-east-1", {**body, "ScanBy": "TimestampAscending"})["MetricDataResults"][0]

    assert (newest_first["Timestamps"], newest_first["Values"]) == ([now - 420, now - 600], [2.0, 1.0])
    assert (oldest_first["Timestamps"], oldest_first["Values"]) == ([now - 600, now - 420], [1.0, 2.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Id": "Upper"}, "The value for parameter Id must begin with a lowercase letter."),
        ({"MetricStat": None, "Expression": "a + b"}, "The emulator evaluates no expressions; give a MetricStat."),
        ({"Period": 90}, "The value for parameter Period must be 1, 5, 10, 30 or a multiple of 60."),
        ({"Stat": "Median"}, "The value Median for parameter Stat is not supported."),
        ({"Metric": {"Namespace": "AWS/X"}}, "The parameter MetricStat.Metric.MetricName is required."),
        ({"Metric": {"MetricName": "X"}}, "The parameter MetricStat.Metric.Namespace is required."),
    ],
)
def test_what_cloudwatch_refuses_is_refused(emulator: RunningEmulator, change: dict[str, Any], message: str) -> None:
    asked = query(emulator.arn("travel_concierge"), "Invocations")
    for name, value in change.items():
        (asked["MetricStat"] if name in ("Period", "Stat", "Metric") else asked)[name] = value
    if asked["MetricStat"] is None:
        del asked["MetricStat"]

    with pytest.raises(ClientError) as caught:
        emulator.client("cloudwatch").get_metric_data(MetricDataQueries=[asked], **span())

    assert caught.value.response["Error"] == {"Code": "ValidationError", "Message": message}


def test_queries_of_one_name_and_pages_are_refused(emulator: RunningEmulator) -> None:
    asked = query(emulator.arn("travel_concierge"), "Invocations")
    client = emulator.client("cloudwatch")

    with pytest.raises(ClientError, match="not unique"):
        client.get_metric_data(MetricDataQueries=[asked, asked], **span())
    with pytest.raises(ClientError) as caught:
        client.get_metric_data(MetricDataQueries=[asked], NextToken="made-up", **span())

    assert caught.value.response["Error"]["Code"] == "InvalidNextToken"


def test_a_span_that_ends_before_it_begins_is_refused(emulator: RunningEmulator) -> None:
    now = datetime.now(UTC)

    with pytest.raises(ClientError, match="EndTime must be greater than StartTime"):
        emulator.client("cloudwatch").get_metric_data(
            MetricDataQueries=[query("arn", "Invocations")], StartTime=now, EndTime=now
        )


def test_ordered_errors_and_unknown_operations_are_answered_in_cloudwatchs_protocol(emulator: RunningEmulator) -> None:
    client = emulator.client("cloudwatch")
    emulator.order_fault(kind="error", operation="GetMetricData", code="AccessDenied", status=403, count=1)

    with pytest.raises(ClientError) as denied:
        client.get_metric_data(MetricDataQueries=[query("arn", "Invocations")], **span())
    with pytest.raises(ClientError) as unknown:
        client.list_metrics()

    codes = [
        (caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"])
        for caught in (denied, unknown)
    ]
    assert codes == [("AccessDenied", 403), ("UnknownOperationException", 400)]
    answer = httpx.post(
        emulator.url,
        content=b"no JSON",
        headers={
            "X-Amz-Target": "GraniteServiceVersion20100801.GetMetricData",
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": "AWS4-HMAC-SHA256 Credential=x/20261120/us-east-1/monitoring/aws4_request",
        },
    )
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/x-amz-json-1.0")
    assert answer.json() == {"__type": "SerializationException", "message": "The request body is not JSON"}


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    values = [float(number) for number in range(10, 0, -1)]

    assert [statistic_of(values, name) for name in ("p0", "p50", "p90", "p99.9", "p100")] == [1, 5, 9, 10, 10]
    assert [statistic_of(values, name) for name in ("Average", "Sum", "SampleCount")] == [5.5, 55, 10]


def put(emulator: RunningEmulator, namespace: str = "Mine", **datum: Any) -> None:
    entry = {"MetricName": "Latency", **datum}
    emulator.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[entry])


def read_mine(emulator: RunningEmulator, namespace: str, statistic: str = "Sum", **members: Any) -> list[float]:
    stat = {"Namespace": namespace, "MetricName": "Latency", **members}
    asked = {"Id": "mine", "MetricStat": {"Metric": stat, "Period": ALL_TIME_S, "Stat": statistic}}
    return read(emulator, [asked])["mine"]


def test_what_was_put_can_be_read_by_its_dimensions(emulator: RunningEmulator) -> None:
    dimensions = [{"Name": "Agent", "Value": "one"}]
    put(emulator, "Mine/put", Value=7.0)
    put(emulator, "Mine/put", Values=[1.0, 5.0], Counts=[3.0, 1.0], Dimensions=dimensions)

    assert read_mine(emulator, "Mine/put") == [7]
    assert read_mine(emulator, "Mine/put", Dimensions=dimensions) == [8]
    assert read_mine(emulator, "Mine/put", "SampleCount", Dimensions=dimensions) == [4]
    assert read_mine(emulator, "Mine/other") == []


def test_a_large_request_comes_compressed(emulator: RunningEmulator) -> None:
    """boto3 packs what is longer than 10 kB."""
    data = [{"MetricName": "Latency", "Values": [float(n) for n in range(150)]} for _ in range(100)]
    emulator.client("cloudwatch").put_metric_data(Namespace="Mine/large", MetricData=data)

    assert read_mine(emulator, "Mine/large", "SampleCount") == [15_000]


@pytest.mark.parametrize(
    ("namespace", "datum"),
    [
        ("AWS/Mine", {"Value": 1.0}),
        ("Mine", {}),
        ("Mine", {"Value": 1.0, "Values": [1.0]}),
        ("Mine", {"Values": [1.0, 2.0], "Counts": [1.0]}),
        ("Mine", {"Values": [float(n) for n in range(151)]}),
        ("Mine", {"Value": 1.0, "Timestamp": datetime(2020, 1, 1, tzinfo=UTC)}),
        ("Mine", {"Value": 1.0, "Unit": "Parsecs"}),
    ],
)
def test_what_cloudwatch_does_not_keep_is_refused(
    emulator: RunningEmulator, namespace: str, datum: dict[str, Any]
) -> None:
    with pytest.raises(ClientError):
        put(emulator, namespace, **datum)
