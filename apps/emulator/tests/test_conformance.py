"""The same calls against the emulator and against moto, compared where moto does what AWS does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.server import ThreadedMotoServer

from apps.emulator.tests.beside_moto import ERRORS, OPERATIONS, Compared, Side, error_of, shape_of
from apps.emulator.tests.running_emulator import RunningEmulator

NOW_MS = int(time.time() * 1000) - 60_000
MEMBERS: dict[str, Any] = {
    "agentRuntimeArtifact": {
        "containerConfiguration": {"containerUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/a:1"}
    },
    "roleArn": "arn:aws:iam::123456789012:role/AgentRuntimeRole",
    "networkConfiguration": {"networkMode": "PUBLIC"},
    "description": "compared",
    "environmentVariables": {"LOG_LEVEL": "INFO"},
    "protocolConfiguration": {"serverProtocol": "HTTP"},
    "lifecycleConfiguration": {"idleRuntimeSessionTimeout": 300, "maxLifetime": 3600},
}


@pytest.fixture
def moto_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    services: tuple[Any, ...] = ("logs", "bedrock-agentcore-control", "sts", "cloudwatch")
    with mock_aws():
        yield {name: boto3.client(name, region_name="us-east-1") for name in services}


def log_calls(logs: Any) -> list[Any]:  # a boto3 client
    """Fill a group and read it in every way that moto gets right; returns what came back."""
    group = f"/conformance/{NOW_MS}"
    logs.create_log_group(logGroupName=group)
    for stream in ("one", "two"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": NOW_MS + number * 10, "message": f"{stream} ERROR {number}"} for number in range(12)]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    seen: list[Any] = []

    def record(events: list[dict[str, Any]]) -> None:
        seen.append([(event["timestamp"], event["message"]) for event in events])

    first_stream = {"logGroupName": group, "logStreamName": "one"}
    record(logs.get_log_events(**first_stream, startFromHead=True)["events"])
    record(logs.get_log_events(**first_stream, limit=5)["events"])
    # At the end itself they differ: it is exclusive in the API reference, inclusive in moto.
    record(logs.get_log_events(**first_stream, startTime=NOW_MS + 30, endTime=NOW_MS + 65)["events"])
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, logStreamNames=["two"], PaginationConfig={"PageSize": 5}
    )
    record([event for page in pages for event in page["events"]])
    for pattern in ("ERROR", "error", '"ERROR 3"', "one ERROR"):
        record(sorted(logs.filter_log_events(logGroupName=group, filterPattern=pattern)["events"], key=str))
    bounds = {"startTime": NOW_MS + 30, "endTime": NOW_MS + 60}
    record(logs.filter_log_events(logGroupName=group, logStreamNames=["one"], **bounds)["events"])
    seen.append([each["logStreamName"] for each in logs.describe_log_streams(logGroupName=group)["logStreams"]])
    described = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    seen.append([(each["logGroupName"], each["arn"]) for each in described])
    return seen


def test_logs_answer_as_in_moto(emulator: RunningEmulator, moto_clients: dict[str, Any]) -> None:
    assert log_calls(emulator.client("logs")) == log_calls(moto_clients["logs"])


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("filter_log_events", {"logGroupName": "/none"}),
        ("get_log_events", {"logGroupName": "/none", "logStreamName": "none"}),
        ("describe_log_streams", {"logGroupName": "/none"}),
        (
            "put_log_events",
            {"logGroupName": "/none", "logStreamName": "none", "logEvents": [{"timestamp": NOW_MS, "message": "x"}]},
        ),
    ],
)
def test_a_missing_group_is_the_same_error_as_in_moto(
    emulator: RunningEmulator, moto_clients: dict[str, Any], operation: str, arguments: dict[str, Any]
) -> None:
    codes = []
    for client in (emulator.client("logs"), moto_clients["logs"]):
        with pytest.raises(ClientError) as caught:
            getattr(client, operation)(**arguments)
        response = caught.value.response
        codes.append((response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]))

    assert codes[0] == codes[1]


def test_a_created_runtime_reads_as_in_moto(emulator: RunningEmulator, moto_clients: dict[str, Any]) -> None:
    """The shapes of ARN and id, the endpoint DEFAULT and the states differ: there moto is wrong."""
    answers = []
    for client in (emulator.client("bedrock-agentcore-control"), moto_clients["bedrock-agentcore-control"]):
        created = client.create_agent_runtime(agentRuntimeName="made_to_compare", **MEMBERS)
        emulator.advance(10)
        got = client.get_agent_runtime(agentRuntimeId=created["agentRuntimeId"])
        endpoint = client.create_agent_runtime_endpoint(agentRuntimeId=created["agentRuntimeId"], name="prod")
        answers.append(
            {
                "status": created["ResponseMetadata"]["HTTPStatusCode"],
                "version": created["agentRuntimeVersion"],
                "kept": {name: got[name] for name in MEMBERS},
                "name": got["agentRuntimeName"],
                "endpoint": (endpoint["ResponseMetadata"]["HTTPStatusCode"], endpoint["targetVersion"]),
            }
        )

    assert answers[0] == answers[1]
    assert answers[0]["kept"] == MEMBERS


def test_the_caller_is_the_same_account_as_in_moto(emulator: RunningEmulator, moto_clients: dict[str, Any]) -> None:
    accounts = [client.get_caller_identity()["Account"] for client in (emulator.client("sts"), moto_clients["sts"])]

    assert accounts == ["123456789012", "123456789012"]


def test_metrics_read_as_in_moto_when_it_was_told_what_happened(
    emulator: RunningEmulator, moto_clients: dict[str, Any]
) -> None:
    """moto takes metrics in AWS's own namespace; it gets one value for each invocation of the ground truth."""
    arn = emulator.arn("sentiment_scorer")
    for _ in range(3):
        emulator.invoke("sentiment_scorer")
    dimensions = [{"Name": "Resource", "Value": arn}]
    for record in emulator.get("invocations", runtime_id=arn.rpartition("/")[2]):
        received, ended = (datetime.fromisoformat(record[name]) for name in ("received_at", "last_byte_at"))
        values = {"Invocations": 1.0, "Throttles": 0.0, "Latency": (ended - received) / timedelta(milliseconds=1)}
        moto_clients["cloudwatch"].put_metric_data(
            Namespace="AWS/Bedrock-AgentCore",
            MetricData=[
                {"MetricName": name, "Dimensions": dimensions, "Timestamp": received, "Value": value}
                for name, value in values.items()
            ],
        )
    wanted = [("Invocations", "Sum"), ("Throttles", "Sum"), ("Unheard", "Sum")]
    wanted += [("Latency", statistic) for statistic in ("SampleCount", "Sum", "Average", "Minimum", "Maximum")]
    queries = [
        {
            "Id": f"q{number}",
            "MetricStat": {
                "Metric": {"Namespace": "AWS/Bedrock-AgentCore", "MetricName": metric, "Dimensions": dimensions},
                "Period": 3600,
                "Stat": statistic,
            },
        }
        for number, (metric, statistic) in enumerate(wanted)
    ]
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    span = {"StartTime": hour - timedelta(hours=1), "EndTime": hour + timedelta(hours=1)}

    answers = [
        [
            (found["Id"], found["Timestamps"], found["Values"], found["StatusCode"])
            for found in client.get_metric_data(MetricDataQueries=queries, **span)["MetricDataResults"]
        ]
        for client in (emulator.client("cloudwatch"), moto_clients["cloudwatch"])
    ]

    # The ground truth was read with microseconds.
    expected = [(name, at, pytest.approx(values, abs=0.01), code) for name, at, values, code in answers[1]]
    assert answers[0] == expected
    assert sum(answers[0][0][2]) >= 3


def test_what_is_put_is_read_as_in_moto(emulator: RunningEmulator, moto_clients: dict[str, Any]) -> None:
    """S1-064: metrics of one's own."""
    now = datetime.now(UTC)
    stat = {"Namespace": "Loom/conformance", "MetricName": "Duration", "Dimensions": [{"Name": "Agent", "Value": "a"}]}
    queries = [
        {"Id": name.lower(), "MetricStat": {"Metric": stat, "Period": 3600, "Stat": name}}
        for name in ("Sum", "SampleCount", "Minimum", "Maximum", "Average")
    ]
    answers = []
    for client in (emulator.client("cloudwatch"), moto_clients["cloudwatch"]):
        datum = {"MetricName": "Duration", "Dimensions": stat["Dimensions"], "Timestamp": now, "Unit": "Milliseconds"}
        client.put_metric_data(
            Namespace=stat["Namespace"], MetricData=[{**datum, "Value": 3.5}, {**datum, "Value": 6.5}]
        )
        hour = now.replace(minute=0, second=0, microsecond=0)
        found = client.get_metric_data(MetricDataQueries=queries, StartTime=hour, EndTime=hour + timedelta(hours=1))
        answers.append([(each["Id"], each["Timestamps"], each["Values"]) for each in found["MetricDataResults"]])

    assert answers[0] == answers[1]
    assert answers[0][0][2] == [10.0]


# Where the two differ in the members of an answer: (operation, member) → why, and who is right.
ACCEPTED_MEMBERS = {
    ("get_agent_runtime", "metadataConfiguration.requireMMDSV2"): "in the model; moto drops it",
    ("get_agent_runtime", "platformVersion"): "in the model; moto drops it",
    ("list_agent_runtime_endpoints", "runtimeEndpoints[].liveVersion"): "in the model; moto leaves it out of lists",
    ("list_agent_runtime_endpoints", "runtimeEndpoints[].targetVersion"): "in the model; moto leaves it out of lists",
    ("filter_log_events", "searchedLogStreams[].logStreamName"): "always an empty list since 2020, says the model",
    ("filter_log_events", "searchedLogStreams[].searchedCompletely"): "always an empty list since 2020, says the model",
    ("describe_log_groups", "logGroups[].logGroupClass"): "in the model; moto leaves it out",
    ("get_metric_data", "Messages"): "in the model; moto leaves it out",
}
# Where they differ in an error; the emulator's comes first.
ACCEPTED_ERRORS = {
    "an unknown version is described": (
        (("ResourceNotFoundException", 404), "answered"),
        "moto ignores the version",
    ),
    "a runtime is made twice": (
        (("ConflictException", 409), "answered"),
        "the model lists the error; moto takes a name any number of times",
    ),
    "an unknown stream is searched": (
        (("ResourceNotFoundException", 400), "answered"),
        "the model lists the error; moto finds nothing in what is not there",
    ),
    "a made-up token": (
        (("InvalidParameterException", 400), "answered"),
        "moto takes any text for the end of the list",
    ),
}


@pytest.fixture(scope="module")
def moto_server() -> Iterator[str]:
    """moto as a server of its own: the same clients, over HTTP, as against the emulator."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def sides(emulator: RunningEmulator, moto_server: str) -> tuple[Side, Side]:
    """The emulator and moto, with nothing made in either."""
    there = RunningEmulator(moto_server, emulator.process, emulator.http)
    return Side(emulator.client, emulator.advance), Side(there.client, lambda seconds: None)


@pytest.mark.parametrize("compared", OPERATIONS, ids=[each.operation for each in OPERATIONS])
def test_an_answer_has_the_members_and_types_of_motos(compared: Compared, sides: tuple[Side, Side]) -> None:
    ours, motos = (shape_of(compared.answer(side)) for side in sides)

    differences = {place for place in ours.keys() | motos.keys() if ours.get(place) != motos.get(place)}
    assert differences == {place for operation, place in ACCEPTED_MEMBERS if operation == compared.operation}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_motos(name: str, sides: tuple[Side, Side]) -> None:
    ours, motos = (error_of(ERRORS[name], side) for side in sides)

    expected = ACCEPTED_ERRORS[name][0] if name in ACCEPTED_ERRORS else (motos, motos)
    assert (ours, motos) == expected
    assert ours != "answered"


def test_every_operation_that_loom_calls_is_compared() -> None:
    """What Loom may call stands in its policies; moto has no data plane, ListMetrics is asked on AWS
    alone, and there is no other account here into which a role would lead.
    """
    allowed = {
        action.partition(":")[2]
        for path in (Path(__file__).parents[3] / "iac/policies").glob("*.json")
        for statement in json.loads(path.read_text())["Statement"]
        for action in statement["Action"]
    }
    compared = {each.operation.title().replace("_", "") for each in OPERATIONS}

    assert allowed - compared == {"InvokeAgentRuntime", "StopRuntimeSession", "ListMetrics", "AssumeRole"}
