"""Requests are held to AWS's service models: types, required members, and every bound, in AWS's words."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from apps.emulator.tests.raw_requests import Refusal, call_json, call_rest, input_of, model_of, refusal_of
from apps.emulator.tests.running_emulator import RunningEmulator

ID = "code_tutor-9sVbN3yRfK"
ROLE = "arn:aws:iam::123456789012:role/AgentRuntimeRole"
ARTIFACT = {"containerConfiguration": {"containerUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/agent:v1"}}
CREATE = {"agentRuntimeName": "made_for_bounds", "agentRuntimeArtifact": ARTIFACT, "roleArn": ROLE}
STAT = {"Metric": {"Namespace": "AWS/Bedrock-AgentCore", "MetricName": "Invocations"}, "Period": 60, "Stat": "Sum"}
METRICS: dict[str, Any] = {"MetricDataQueries": [{"Id": "a", "MetricStat": STAT}], "StartTime": 1, "EndTime": 2}
EVENT = {"timestamp": 1, "message": "m"}
# A request of each operation that is right, but for what it names.
VALID: dict[str, dict[str, dict[str, Any]]] = {
    "bedrock-agentcore-control": {
        "ListAgentRuntimes": {},
        "CreateAgentRuntime": CREATE,
        "GetAgentRuntime": {"agentRuntimeId": ID},
        "UpdateAgentRuntime": {"agentRuntimeId": ID, "agentRuntimeArtifact": ARTIFACT, "roleArn": ROLE},
        "DeleteAgentRuntime": {"agentRuntimeId": ID},
        "ListAgentRuntimeVersions": {"agentRuntimeId": ID},
        "ListAgentRuntimeEndpoints": {"agentRuntimeId": ID},
        "CreateAgentRuntimeEndpoint": {"agentRuntimeId": ID, "name": "bounded"},
        "GetAgentRuntimeEndpoint": {"agentRuntimeId": ID, "endpointName": "prod"},
        "UpdateAgentRuntimeEndpoint": {"agentRuntimeId": ID, "endpointName": "prod"},
        "DeleteAgentRuntimeEndpoint": {"agentRuntimeId": ID, "endpointName": "prod"},
    },
    "logs": {
        "FilterLogEvents": {"logGroupName": "/none"},
        "GetLogEvents": {"logGroupName": "/none", "logStreamName": "none"},
        "DescribeLogStreams": {"logGroupName": "/none"},
        "DescribeLogGroups": {},
        "CreateLogGroup": {"logGroupName": "/none"},
        "CreateLogStream": {"logGroupName": "/none", "logStreamName": "none"},
        "PutLogEvents": {"logGroupName": "/none", "logStreamName": "none", "logEvents": [EVENT]},
    },
    "cloudwatch": {"GetMetricData": METRICS},
}
INVALID = {
    "bedrock-agentcore-control": "ValidationException",
    "logs": "InvalidParameterException",
    "cloudwatch": "ValidationError",
}


def call(emulator: RunningEmulator, service: str, operation: str, members: dict[str, Any]) -> httpx.Response:
    if service in ("logs", "cloudwatch"):
        return call_json(emulator, service, operation, members)
    return call_rest(emulator, operation, members)


def broken_bounds(shape: dict[str, Any]) -> list[tuple[object, str]]:
    """Values that break a bound of a scalar shape, each with the words of the constraint."""
    low, high = shape.get("min"), shape.get("max")
    if shape["type"] in ("integer", "long"):
        return [
            (bound + step, f"Member must have value {word} than or equal to {bound}")
            for bound, step, word in ((low, -1, "greater"), (high, 1, "less"))
            if bound is not None
        ]
    if shape["type"] != "string":
        return []
    found: list[tuple[object, str]] = []
    if high is not None:
        found.append(("a" * (high + 1), f"Member must have length less than or equal to {high}"))
    if low:
        found.append(("a" * (low - 1), f"Member must have length greater than or equal to {low}"))
    if "enum" in shape:
        found.append(("NoSuch", f"Member must satisfy enum value set: [{', '.join(shape['enum'])}]"))
    # A blank, an asterisk and a colon are in no pattern of a name, an id, a version or a token.
    if "pattern" in shape and len(bad := " *:" * max(1, (low or 0) // 3)) <= (high or len(bad)):
        found.append((bad, f"Member must satisfy regular expression pattern: {shape['pattern']}"))
    return found


def bounds() -> list[Any]:
    """Every bound of every scalar member of every operation offered, as the models have them."""
    return [
        pytest.param(service, operation, name, value, words, id=f"{operation}-{name}-{words}")
        for service, operations in VALID.items()
        for operation in operations
        for name, member in input_of(service, operation)["members"].items()
        for value, words in broken_bounds(model_of(service)["shapes"][member["shape"]])
        if value != "" or "location" not in member  # an address without it is another address
    ]


def required() -> list[tuple[str, str, str]]:
    """Every member that a body has to hold."""
    return [
        (service, operation, name)
        for service, operations in VALID.items()
        for operation in operations
        for name in input_of(service, operation).get("required", [])
        if "location" not in input_of(service, operation)["members"][name]
    ]


@pytest.mark.parametrize(("service", "operation", "name", "value", "words"), bounds())
def test_every_bound_of_the_models_is_kept(
    emulator: RunningEmulator, service: str, operation: str, name: str, value: object, words: str
) -> None:
    found = refusal_of(call(emulator, service, operation, {**VALID[service][operation], name: value}))

    assert (found.status, found.code) == (400, INVALID[service])
    assert found.message.startswith("1 validation error detected: Value")
    assert f" at '{name}' failed to satisfy constraint: {words}" in found.message


@pytest.mark.parametrize(("service", "operation", "name"), required())
def test_every_required_member_is_missed(emulator: RunningEmulator, service: str, operation: str, name: str) -> None:
    members = {key: value for key, value in VALID[service][operation].items() if key != name}
    words = f"1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"

    answers = [call(emulator, service, operation, members), call(emulator, service, operation, {**members, name: None})]

    reason = "FieldValidationFailed" if service == "bedrock-agentcore-control" else None
    assert [refusal_of(answer) for answer in answers] == [Refusal(400, INVALID[service], words, reason)] * 2


@pytest.mark.parametrize(
    ("service", "operation", "members", "message"),
    [
        (
            "logs",
            "FilterLogEvents",
            {"logGroupName": "/none", "limit": 0, "filterPattern": "x" * 1025},
            "2 validation errors detected: "
            f"Value '{'x' * 1025}' at 'filterPattern' failed to satisfy constraint: "
            "Member must have length less than or equal to 1024; "
            "Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            "logs",
            "FilterLogEvents",
            {"logGroupName": "/none", "logStreamNames": ["ok", "a:b"]},
            "1 validation error detected: Value 'a:b' at 'logStreamNames.2.member' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [^:*]*",
        ),
        (
            "logs",
            "FilterLogEvents",
            {"logGroupName": "/none", "logStreamNames": []},
            "1 validation error detected: Value '[]' at 'logStreamNames' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "logs",
            "GetLogEvents",
            {"logGroupIdentifier": "arn:aws:logs:us-east-1:123456789012:log-group:/none:*", "logStreamName": "none"},
            "1 validation error detected: Value at 'logGroupIdentifier' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [\w#+=/:,.@-]*",
        ),
        (
            "logs",
            "PutLogEvents",
            {"logGroupName": "/none", "logStreamName": "none", "logEvents": [{"timestamp": -1, "message": ""}]},
            "2 validation errors detected: "
            "Value '-1' at 'logEvents.1.member.timestamp' failed to satisfy constraint: "
            "Member must have value greater than or equal to 0; "
            "Value '' at 'logEvents.1.member.message' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "cloudwatch",
            "GetMetricData",
            {**METRICS, "MetricDataQueries": [{"Id": "a", "MetricStat": {}}]},
            "3 validation errors detected: "
            + "; ".join(
                f"Value null at 'MetricDataQueries.1.member.MetricStat.{name}' failed to satisfy constraint: "
                "Member must not be null"
                for name in ("Metric", "Period", "Stat")
            ),
        ),
        (
            "bedrock-agentcore-control",
            "CreateAgentRuntime",
            {**CREATE, "lifecycleConfiguration": {"maxLifetime": 59}},
            "1 validation error detected: Value '59' at 'lifecycleConfiguration.maxLifetime' failed to satisfy "
            "constraint: Member must have value greater than or equal to 60",
        ),
        (
            "bedrock-agentcore-control",
            "CreateAgentRuntime",
            {**CREATE, "environmentVariables": {"TOKEN": "s" * 5001}},
            "1 validation error detected: Value at 'environmentVariables.member' failed to satisfy constraint: "
            "Member must have length less than or equal to 5000",
        ),
        (
            "bedrock-agentcore-control",
            "CreateAgentRuntime",
            {**CREATE, "agentRuntimeArtifact": {}},
            "1 validation error detected: Value at 'agentRuntimeArtifact' failed to satisfy constraint: "
            "Member must have exactly one of its members set",
        ),
        (
            "bedrock-agentcore-control",
            "CreateAgentRuntime",
            {**CREATE, "networkConfiguration": {"networkMode": "VPC"}},
            "NetworkModeConfig is required for VPC mode",
        ),
    ],
)
def test_what_fails_is_named_by_its_place(
    emulator: RunningEmulator, service: str, operation: str, members: dict[str, Any], message: str
) -> None:
    found = refusal_of(call(emulator, service, operation, members))

    assert (found.status, found.code, found.message) == (400, INVALID[service], message)


@pytest.mark.parametrize(
    ("service", "operation", "change"),
    [
        ("logs", "CreateLogGroup", {"logGroupName": 1}),
        ("logs", "CreateLogGroup", {"logGroupName": ["/a"]}),
        ("logs", "CreateLogGroup", {"logGroupName": "half a pair \ud83d"}),
        ("logs", "FilterLogEvents", {"filterPattern": 5}),
        ("logs", "FilterLogEvents", {"startTime": "2026-01-01T00:00:00Z"}),
        ("logs", "FilterLogEvents", {"startTime": "1767225600000"}),
        ("logs", "FilterLogEvents", {"startTime": 1.5}),
        ("logs", "FilterLogEvents", {"endTime": 2**63}),
        ("logs", "FilterLogEvents", {"limit": True}),
        ("logs", "FilterLogEvents", {"limit": 10**30}),
        ("logs", "FilterLogEvents", {"startFromHead": "false"}),
        ("logs", "FilterLogEvents", {"startFromHead": 0}),
        ("logs", "FilterLogEvents", {"logStreamNames": "one"}),
        ("logs", "FilterLogEvents", {"logStreamNames": [1]}),
        ("logs", "GetLogEvents", {"logStreamName": {}}),
        ("logs", "PutLogEvents", {"logEvents": {}}),
        ("logs", "PutLogEvents", {"logEvents": ["line"]}),
        ("logs", "PutLogEvents", {"logEvents": [{"timestamp": 1, "message": {"a": 1}}]}),
        ("cloudwatch", "GetMetricData", {"StartTime": "2026-01-01T00:00:00Z"}),
        ("cloudwatch", "GetMetricData", {"EndTime": 1e300}),
        ("cloudwatch", "GetMetricData", {"EndTime": 10**400}),
        ("cloudwatch", "GetMetricData", {"MetricDataQueries": {}}),
        ("cloudwatch", "GetMetricData", {"MetricDataQueries": [{"Id": "a", "MetricStat": "x"}]}),
        ("cloudwatch", "GetMetricData", {"MetricDataQueries": [{"Id": "a", "MetricStat": {**STAT, "Period": 60.5}}]}),
        ("cloudwatch", "GetMetricData", {"MetricDataQueries": [{"Id": "a", "MetricStat": {**STAT, "Metric": []}}]}),
        ("bedrock-agentcore-control", "CreateAgentRuntime", {"agentRuntimeName": 5}),
        ("bedrock-agentcore-control", "CreateAgentRuntime", {"agentRuntimeArtifact": "image"}),
        ("bedrock-agentcore-control", "CreateAgentRuntime", {"lifecycleConfiguration": {"maxLifetime": "x"}}),
        ("bedrock-agentcore-control", "CreateAgentRuntime", {"lifecycleConfiguration": [1]}),
        ("bedrock-agentcore-control", "CreateAgentRuntime", {"environmentVariables": {"A": 1}}),
        ("bedrock-agentcore-control", "UpdateAgentRuntime", {"metadataConfiguration": {"requireMMDSV2": "yes"}}),
        ("bedrock-agentcore-control", "CreateAgentRuntimeEndpoint", {"agentRuntimeVersion": 1}),
        ("bedrock-agentcore-control", "ListAgentRuntimes", {"maxResults": "many"}),
        ("bedrock-agentcore-control", "ListAgentRuntimes", {"maxResults": "1.0"}),
        ("bedrock-agentcore-control", "ListAgentRuntimes", {"maxResults": "٣"}),
        ("bedrock-agentcore-control", "ListAgentRuntimes", {"maxResults": ""}),
    ],
)
def test_another_type_than_the_models_cannot_be_parsed(
    emulator: RunningEmulator, service: str, operation: str, change: dict[str, Any]
) -> None:
    found = refusal_of(call(emulator, service, operation, {**VALID[service][operation], **change}))

    is_rest = service == "bedrock-agentcore-control"
    assert (found.status, found.code) == (400, "ValidationException" if is_rest else "SerializationException")
    assert found.reason == ("CannotParse" if is_rest else None)


def test_members_that_are_null_or_unknown_count_as_absent(emulator: RunningEmulator) -> None:
    """Smithy's rule for the JSON protocols; a newer SDK may send what this model does not know."""
    created = call_rest(
        emulator,
        "CreateAgentRuntime",
        {**CREATE, "agentRuntimeName": "made_of_nulls", "lifecycleConfiguration": None, "invented": {"a": [1]}},
    )
    got = call_rest(emulator, "GetAgentRuntime", {"agentRuntimeId": created.json()["agentRuntimeId"]}).json()
    groups = call_json(emulator, "logs", "DescribeLogGroups", {"limit": None, "invented": 1, "nextToken": None})

    assert (created.status_code, groups.status_code) == (202, 200)
    assert got["lifecycleConfiguration"] == {"idleRuntimeSessionTimeout": 900, "maxLifetime": 28800}
    assert "invented" not in got
