from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.aws.arn import RuntimeArn
from apps.aws.control import (
    EndpointDescription,
    RuntimeDescription,
    RuntimeSummary,
    describe_runtime,
    list_endpoints,
    list_runtimes,
    list_versions,
    without_secrets,
)
from apps.aws.errors import NotFoundError, UnavailableError
from apps.aws.tests.conftest import Emulated, Serve
from apps.aws.tests.loopback import Exchange

ARN = RuntimeArn.parse("arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_agent-AbCdEf1234")
RUNTIME: dict[str, Any] = {
    "agentRuntimeArn": str(ARN),
    "agentRuntimeName": "my_agent",
    "agentRuntimeId": "my_agent-AbCdEf1234",
    "agentRuntimeVersion": "3",
    "createdAt": "2026-11-01T10:00:00Z",
    "lastUpdatedAt": "2026-11-19T10:00:00Z",
    "roleArn": "arn:aws:iam::123456789012:role/x",
    "networkConfiguration": {"networkMode": "PUBLIC"},
    "status": "READY",
    "description": "Answers questions.",
    "lifecycleConfiguration": {"idleRuntimeSessionTimeout": 900, "maxLifetime": 28800},
    "protocolConfiguration": {"serverProtocol": "HTTP"},
    "environmentVariables": {"LOG_LEVEL": "INFO", "API_KEY": "hunter2"},
    "metadataConfiguration": {"requireMMDSV2": True},
    "platformVersion": "V2",
}


def summary(version: int) -> dict[str, str]:
    return {
        "agentRuntimeArn": str(ARN),
        "agentRuntimeId": "my_agent-AbCdEf1234",
        "agentRuntimeName": "my_agent",
        "agentRuntimeVersion": str(version),
        "description": "",
        "lastUpdatedAt": "2026-11-19T10:00:00Z",
        "status": "READY",
    }


def endpoint(name: str, **more: str) -> dict[str, str]:
    return {
        "name": name,
        "id": name,
        "agentRuntimeEndpointArn": ARN.endpoint_arn(name),
        "agentRuntimeArn": str(ARN),
        "status": "READY",
        "createdAt": "2026-11-01T10:00:00Z",
        "lastUpdatedAt": "2026-11-19T10:00:00Z",
        **more,
    }


def pages(key: str, *contents: list[dict[str, str]]) -> Callable[[Exchange], None]:
    """A script that hands out pages, each but the last with the token of the next."""

    def script(exchange: Exchange) -> None:
        number = exchange.number
        token = {"nextToken": f"page-{number}"} if number < len(contents) else {}
        exchange.reply_json({key: contents[number - 1], **token})

    return script


def test_a_runtime_is_described_without_its_secrets(serve: Serve, emulated: Emulated) -> None:
    """S0-071…S0-077: name, status, version, timeouts, platform; the raw answer keeps no environment value."""
    server = serve(lambda exchange: exchange.reply_json(RUNTIME))
    runtime = describe_runtime(emulated(server), ARN)

    assert runtime == RuntimeDescription(
        arn=str(ARN),
        runtime_id="my_agent-AbCdEf1234",
        name="my_agent",
        version="3",
        status="READY",
        failure_reason=None,
        description="Answers questions.",
        protocol="HTTP",
        idle_timeout_s=900,
        max_lifetime_s=28800,
        platform_version="V2",
        authorizer_kind="iam",
        requires_mmdsv2=True,
        created_at=datetime(2026, 11, 1, 10, tzinfo=UTC),
        updated_at=datetime(2026, 11, 19, 10, tzinfo=UTC),
        raw={
            **RUNTIME,
            "createdAt": "2026-11-01T10:00:00+00:00",
            "lastUpdatedAt": "2026-11-19T10:00:00+00:00",
            "environmentVariables": {"LOG_LEVEL": "***", "API_KEY": "***"},
        },
    )
    assert "hunter2" not in json.dumps(runtime.raw)
    assert (server.requests[0].method, server.requests[0].path) == ("GET", "/runtimes/my_agent-AbCdEf1234/")


def test_what_aws_leaves_out_is_none(serve: Serve, emulated: Emulated) -> None:
    optional = (
        "description",
        "protocolConfiguration",
        "metadataConfiguration",
        "platformVersion",
        "environmentVariables",
    )
    answer = {key: value for key, value in RUNTIME.items() if key not in optional}
    answer["lifecycleConfiguration"] = {}
    server = serve(lambda exchange: exchange.reply_json({**answer, "failureReason": "No image."}))
    runtime = describe_runtime(emulated(server), ARN, version="2")

    assert (runtime.idle_timeout_s, runtime.max_lifetime_s) == (None, None)
    assert (runtime.platform_version, runtime.requires_mmdsv2) == (None, None)
    assert (runtime.description, runtime.protocol, runtime.failure_reason) == ("", "HTTP", "No image.")
    assert server.requests[0].path == "/runtimes/my_agent-AbCdEf1234/?version=2"


def test_a_runtime_with_oauth_is_told_apart(serve: Serve, emulated: Emulated) -> None:
    authorizer = {"customJWTAuthorizer": {"discoveryUrl": "https://id.example.com", "allowedClients": ["x"]}}
    server = serve(lambda exchange: exchange.reply_json({**RUNTIME, "authorizerConfiguration": authorizer}))

    runtime = describe_runtime(emulated(server), ARN)
    assert runtime.authorizer_kind == "jwt"
    assert runtime.raw["authorizerConfiguration"] == authorizer


def test_a_runtime_that_does_not_exist_is_not_found(serve: Serve, emulated: Emulated) -> None:
    """S0-101, S1-061."""
    server = serve(lambda exchange: exchange.fail(404, "ResourceNotFoundException", "Agent not found."))

    with pytest.raises(NotFoundError) as caught:
        describe_runtime(emulated(server), ARN)
    assert (caught.value.message, caught.value.request_id) == ("Agent not found.", "request-1")


def test_all_endpoints_are_listed_by_name(serve: Serve, emulated: Emulated) -> None:
    """S0-076: the qualifiers that an agent offers, over all pages."""
    server = serve(
        pages(
            "runtimeEndpoints",
            [endpoint("prod", liveVersion="2", targetVersion="3", description="Pinned.")],
            [endpoint("DEFAULT", liveVersion="3")],
        )
    )

    assert list_endpoints(emulated(server), ARN) == [
        EndpointDescription("DEFAULT", ARN.endpoint_arn("DEFAULT"), "3", None, "READY", ""),
        EndpointDescription("prod", ARN.endpoint_arn("prod"), "2", "3", "READY", "Pinned."),
    ]
    assert [request.path for request in server.requests] == [
        "/runtimes/my_agent-AbCdEf1234/runtime-endpoints/",
        "/runtimes/my_agent-AbCdEf1234/runtime-endpoints/?nextToken=page-1",
    ]


@pytest.mark.parametrize(
    "script",
    [
        lambda exchange: exchange.fail(403, "AccessDeniedException"),
        lambda exchange: exchange.fail(404, "UnknownOperationException"),
        lambda exchange: exchange.reply(404),
        lambda exchange: exchange.reply(405),
    ],
)
def test_where_endpoints_cannot_be_listed_there_is_default(
    script: Callable[[Exchange], None], serve: Serve, emulated: Emulated
) -> None:
    assert list_endpoints(emulated(serve(script)), ARN) == [
        EndpointDescription("DEFAULT", ARN.endpoint_arn("DEFAULT"), None, None, "UNKNOWN", "")
    ]


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [(404, "ResourceNotFoundException", NotFoundError), (500, "InternalServerException", UnavailableError)],
)
def test_a_failure_is_not_taken_for_default(
    status: int, code: str, expected: type[Exception], serve: Serve, emulated: Emulated
) -> None:
    server = serve(lambda exchange: exchange.fail(status, code))

    with pytest.raises(expected):
        list_endpoints(emulated(server), ARN)


def test_runtimes_are_fetched_page_by_page_as_they_are_consumed(serve: Serve, emulated: Emulated) -> None:
    server = serve(pages("agentRuntimes", [summary(1)], [], [summary(2)]))
    runtimes = list_runtimes(emulated(server), "us-east-1")

    assert next(runtimes) == RuntimeSummary(
        str(ARN), "my_agent-AbCdEf1234", "my_agent", "1", "READY", "", datetime(2026, 11, 19, 10, tzinfo=UTC)
    )
    assert len(server.requests) == 1
    assert [runtime.version for runtime in runtimes] == ["2"]
    assert len(server.requests) == 3


def test_versions_are_listed_newest_first(serve: Serve, emulated: Emulated) -> None:
    server = serve(pages("agentRuntimes", [summary(2), summary(10)], [summary(9)]))

    assert [version.version for version in list_versions(emulated(server), ARN)] == ["10", "9", "2"]
    assert server.requests[0].path == "/runtimes/my_agent-AbCdEf1234/versions/"


def test_whatever_is_named_like_a_secret_is_blotted_out() -> None:
    """S0-114: also what a newer AWS may add."""
    answer = {
        "customJWTAuthorizer": {"inboundTokenClaimName": "sub", "clientSecret": "hunter2"},
        "providers": [{"apiKey": "hunter2", "isDefault": True, "credentials": ["hunter2", None]}],
        "environmentVariables": {"A": "hunter2"},
        "createdAt": datetime(2026, 11, 1, tzinfo=UTC),
    }

    assert without_secrets(answer) == {
        "customJWTAuthorizer": {"inboundTokenClaimName": "sub", "clientSecret": "***"},
        "providers": [{"apiKey": "***", "isDefault": True, "credentials": ["***", None]}],
        "environmentVariables": {"A": "***"},
        "createdAt": "2026-11-01T00:00:00+00:00",
    }
