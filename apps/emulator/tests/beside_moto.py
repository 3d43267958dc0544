"""The same calls against the emulator and against moto: each operation with what has to be there before it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

ARTIFACT = {"containerConfiguration": {"containerUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/a:1"}}
SETTINGS: dict[str, Any] = {
    "agentRuntimeArtifact": ARTIFACT,
    "roleArn": "arn:aws:iam::123456789012:role/AgentRuntimeRole",
    "networkConfiguration": {"networkMode": "PUBLIC"},
    "description": "compared",
    "environmentVariables": {"LOG_LEVEL": "INFO"},
    "protocolConfiguration": {"serverProtocol": "HTTP"},
    "lifecycleConfiguration": {"idleRuntimeSessionTimeout": 300, "maxLifetime": 3600},
}
NOBODY = "nobody-0123456789"
CONTROL = "bedrock-agentcore-control"


@dataclass
class Side:
    """One of the two, with what was made there for a test."""

    client: Callable[[str], Any]
    advance: Callable[[float], None]
    names: dict[str, Any] = field(default_factory=dict)

    def call(self, service: str, operation: str, **members: Any) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self.client(service), operation)(**members)
        return answer


def make_runtime(side: Side) -> None:
    name = f"made_beside_{time.time_ns()}"
    created = side.call(CONTROL, "create_agent_runtime", agentRuntimeName=name, **SETTINGS)
    side.names |= {"id": created["agentRuntimeId"], "name": name}
    side.advance(10)


def make_endpoint(side: Side) -> None:
    make_runtime(side)
    here = {"agentRuntimeId": side.names["id"]}
    side.call(CONTROL, "create_agent_runtime_endpoint", name="prod", description="kept", **here)
    side.advance(10)


def make_lines(side: Side) -> None:
    """A group with two streams of five events."""
    group, now_ms = f"/beside/{time.time_ns()}", int(time.time() * 1000) - 60_000
    side.names |= {"group": group, "now_ms": now_ms}
    side.call("logs", "create_log_group", logGroupName=group)
    for stream in ("one", "two"):
        side.call("logs", "create_log_stream", logGroupName=group, logStreamName=stream)
        events = [{"timestamp": now_ms + number, "message": f"{stream} {number}"} for number in range(5)]
        side.call("logs", "put_log_events", logGroupName=group, logStreamName=stream, logEvents=events)


def nothing(side: Side) -> None:
    """There is nothing to be made."""


def metric_query(side: Side) -> dict[str, Any]:
    now = datetime.now(UTC)
    metric = {"Namespace": "AWS/Bedrock-AgentCore", "MetricName": "Invocations"}
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    return {
        "MetricDataQueries": [{"Id": "a", "MetricStat": stat}],
        "StartTime": now - timedelta(hours=1),
        "EndTime": now,
    }


@dataclass(frozen=True)
class Compared:
    """An operation, what has to be made before it, and with which members it is called."""

    service: str
    operation: str
    prepare: Callable[[Side], None]
    members: Callable[[Side], Mapping[str, Any]] = lambda side: {}

    def answer(self, side: Side) -> dict[str, Any]:
        self.prepare(side)
        found = side.call(self.service, self.operation, **self.members(side))
        return {name: value for name, value in found.items() if name != "ResponseMetadata"}


def control(operation: str, prepare: Callable[[Side], None], **members: Any) -> Compared:
    """An operation about the runtime that was made, unless `members` name another."""
    return Compared(CONTROL, operation, prepare, lambda side: {"agentRuntimeId": side.names.get("id"), **members})


def logs(operation: str, **members: Any) -> Compared:
    """An operation about the group that was made, unless `members` name another."""
    return Compared("logs", operation, make_lines, lambda side: {"logGroupName": side.names["group"], **members})


OPERATIONS = (
    Compared(
        CONTROL,
        "create_agent_runtime",
        nothing,
        lambda side: {"agentRuntimeName": f"made_{time.time_ns()}", **SETTINGS},
    ),
    control("get_agent_runtime", make_runtime),
    control("update_agent_runtime", make_runtime, **SETTINGS),
    control("delete_agent_runtime", make_runtime),
    Compared(CONTROL, "list_agent_runtimes", make_runtime, lambda side: {}),
    control("list_agent_runtime_versions", make_runtime),
    control("list_agent_runtime_endpoints", make_endpoint),
    control("create_agent_runtime_endpoint", make_runtime, name="prod", description="kept"),
    control("get_agent_runtime_endpoint", make_endpoint, endpointName="prod"),
    control("update_agent_runtime_endpoint", make_endpoint, endpointName="prod", agentRuntimeVersion="1"),
    control("delete_agent_runtime_endpoint", make_endpoint, endpointName="prod"),
    logs("filter_log_events", limit=3),
    logs("get_log_events", logStreamName="one", limit=3),
    logs("describe_log_streams", limit=1),
    Compared("logs", "describe_log_groups", make_lines, lambda side: {"logGroupNamePrefix": side.names["group"]}),
    Compared("logs", "create_log_group", nothing, lambda side: {"logGroupName": f"/made/{time.time_ns()}"}),
    logs("create_log_stream", logStreamName="three"),
    Compared(
        "logs",
        "put_log_events",
        make_lines,
        lambda side: {
            "logGroupName": side.names["group"],
            "logStreamName": "one",
            "logEvents": [{"timestamp": 1, "message": "old"}, {"timestamp": side.names["now_ms"], "message": "new"}],
        },
    ),
    Compared("cloudwatch", "get_metric_data", nothing, metric_query),
    Compared(
        "cloudwatch",
        "put_metric_data",
        nothing,
        lambda side: {"Namespace": "Beside", "MetricData": [{"MetricName": "Mine", "Value": 1.0}]},
    ),
    Compared("sts", "get_caller_identity", nothing),
)

ERRORS = {
    "an unknown runtime is described": control("get_agent_runtime", nothing, agentRuntimeId=NOBODY),
    "an unknown version is described": control("get_agent_runtime", make_runtime, agentRuntimeVersion="7"),
    "an unknown runtime is updated": control("update_agent_runtime", nothing, agentRuntimeId=NOBODY, **SETTINGS),
    "an unknown runtime is deleted": control("delete_agent_runtime", nothing, agentRuntimeId=NOBODY),
    "versions of an unknown runtime": control("list_agent_runtime_versions", nothing, agentRuntimeId=NOBODY),
    "endpoints of an unknown runtime": control("list_agent_runtime_endpoints", nothing, agentRuntimeId=NOBODY),
    "an unknown endpoint is described": control("get_agent_runtime_endpoint", make_runtime, endpointName="no"),
    "an unknown endpoint is deleted": control("delete_agent_runtime_endpoint", make_runtime, endpointName="no"),
    "an endpoint is made twice": control("create_agent_runtime_endpoint", make_endpoint, name="prod"),
    "a runtime is made twice": Compared(
        CONTROL,
        "create_agent_runtime",
        make_runtime,
        lambda side: {"agentRuntimeName": side.names["name"], **SETTINGS},
    ),
    "an unknown group is searched": logs("filter_log_events", logGroupName="/none"),
    "an unknown stream is searched": logs("filter_log_events", logStreamNames=["none"]),
    "more events than a page holds": logs("filter_log_events", limit=10_001),
    "a made-up token": logs("filter_log_events", nextToken="made-up"),
    "an unknown group is read": logs("get_log_events", logGroupName="/none", logStreamName="one"),
    "an unknown stream is read": logs("get_log_events", logStreamName="none"),
    "a made-up token of a stream": logs("get_log_events", logStreamName="one", nextToken="x/1"),
    "streams of an unknown group": logs("describe_log_streams", logGroupName="/none"),
    "streams in an unknown order": logs("describe_log_streams", orderBy="Size"),
    "streams by time and prefix": logs("describe_log_streams", orderBy="LastEventTime", logStreamNamePrefix="o"),
    "more streams than a page holds": logs("describe_log_streams", limit=51),
    "a group is made twice": logs("create_log_group"),
    "a stream is made twice": logs("create_log_stream", logStreamName="one"),
    "a group of a long name": logs("create_log_group", logGroupName="/" + "a" * 512),
    "a span without length": Compared(
        "cloudwatch",
        "get_metric_data",
        nothing,
        lambda side: {**(asked := metric_query(side)), "EndTime": asked["StartTime"]},
    ),
}


def shape_of(value: object, path: str = "") -> dict[str, str]:
    """Flatten an answer to the types of its members: `{"events[].timestamp": "int", …}`."""
    if isinstance(value, dict):
        prefix = f"{path}." if path else ""
        return {
            place: kind for name, each in value.items() for place, kind in shape_of(each, f"{prefix}{name}").items()
        }
    if isinstance(value, list):
        merged = {place: kind for each in value for place, kind in shape_of(each, f"{path}[]").items()}
        return {path: "list", **merged}
    return {path: type(value).__name__}


def error_of(compared: Compared, side: Side) -> tuple[str, int] | str:
    """The code and status of the error that a call ends with."""
    try:
        compared.answer(side)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return "answered"
