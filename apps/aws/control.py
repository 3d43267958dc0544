"""AgentCore's control plane, read-only: runtimes, their versions and their endpoints (boto3, synchronous).

Every function raises an `AwsError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from apps.aws.arn import DEFAULT_QUALIFIER, RuntimeArn
from apps.aws.clients import client
from apps.aws.connection import Connection
from apps.aws.errors import AccessDeniedError, AwsError, translated

REDACTED = "***"
UNKNOWN_STATUS = "UNKNOWN"

# Not "token": in GetAgentRuntime that names the claims of a JWT, which are no secrets.
_SECRET_KEY = re.compile(r"secret|password|passwd|api_?key|private_?key|credential", re.IGNORECASE)
# What a server answers that does not know the operation, as older stand-ins for AgentCore do.
_UNSUPPORTED_CODES = frozenset(
    {"UnknownOperationException", "UnsupportedOperationException", "NotImplemented", "404", "405", "501"}
)


@dataclass(frozen=True, slots=True)
class RuntimeDescription:
    """One version of a runtime. Timeouts are in seconds; `raw` is AWS's answer as JSON values without secrets."""

    arn: str
    runtime_id: str
    name: str
    version: str
    status: str
    failure_reason: str | None
    description: str
    protocol: str
    idle_timeout_s: int | None
    max_lifetime_s: int | None
    platform_version: str | None
    authorizer_kind: Literal["iam", "jwt"]
    requires_mmdsv2: bool | None
    created_at: datetime
    updated_at: datetime
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EndpointDescription:
    """A named pointer to a version: invocations run `live_version`; `target_version` is what a deployment moves to."""

    name: str
    arn: str
    live_version: str | None
    target_version: str | None
    status: str
    description: str
    failure_reason: str | None = None


@dataclass(frozen=True, slots=True)
class RuntimeSummary:
    """What the lists tell of a runtime, or of one of its versions."""

    arn: str
    runtime_id: str
    name: str
    version: str
    status: str
    description: str
    updated_at: datetime

    @property
    def account_id(self) -> str:
        return self.arn.split(":")[4]

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]


def describe_runtime(connection: Connection, arn: RuntimeArn, version: str | None = None) -> RuntimeDescription:
    """GetAgentRuntime, for the newest version or the given one."""
    request = {"agentRuntimeId": arn.runtime_id}
    if version is not None:
        request["agentRuntimeVersion"] = version
    with translated(connection.profile):
        answer: dict[str, Any] = {
            **client(connection, "bedrock-agentcore-control", arn.region).get_agent_runtime(**request)
        }
    answer.pop("ResponseMetadata")
    lifecycle = answer.get("lifecycleConfiguration", {})
    return RuntimeDescription(
        arn=answer["agentRuntimeArn"],
        runtime_id=answer["agentRuntimeId"],
        name=answer["agentRuntimeName"],
        version=answer["agentRuntimeVersion"],
        status=answer["status"],
        failure_reason=answer.get("failureReason"),
        description=answer.get("description", ""),
        protocol=answer.get("protocolConfiguration", {}).get("serverProtocol", "HTTP"),
        idle_timeout_s=lifecycle.get("idleRuntimeSessionTimeout"),
        max_lifetime_s=lifecycle.get("maxLifetime"),
        platform_version=answer.get("platformVersion"),
        authorizer_kind="jwt" if answer.get("authorizerConfiguration") else "iam",
        requires_mmdsv2=answer.get("metadataConfiguration", {}).get("requireMMDSV2"),
        created_at=answer["createdAt"],
        updated_at=answer["lastUpdatedAt"],
        raw={key: without_secrets(value, key) for key, value in answer.items()},
    )


def list_endpoints(connection: Connection, arn: RuntimeArn) -> list[EndpointDescription]:
    """ListAgentRuntimeEndpoints, by name; only DEFAULT, which every runtime has, where listing is not possible."""
    try:
        found = list(_pages(connection, arn.region, "list_agent_runtime_endpoints", "runtimeEndpoints", arn.runtime_id))
    except AwsError as error:
        if not isinstance(error, AccessDeniedError) and error.code not in _UNSUPPORTED_CODES:
            raise
        return [
            EndpointDescription(
                name=DEFAULT_QUALIFIER,
                arn=arn.endpoint_arn(DEFAULT_QUALIFIER),
                live_version=None,
                target_version=None,
                status=UNKNOWN_STATUS,
                description="",
            )
        ]
    return sorted((_endpoint(raw) for raw in found), key=lambda endpoint: endpoint.name)


def list_runtimes(connection: Connection, region: str) -> Iterator[RuntimeSummary]:
    """ListAgentRuntimes, fetched page by page while it is consumed; errors are raised by the iteration."""
    return (_summary(raw) for raw in _pages(connection, region, "list_agent_runtimes", "agentRuntimes"))


def list_versions(connection: Connection, arn: RuntimeArn) -> list[RuntimeSummary]:
    """ListAgentRuntimeVersions, the newest first."""
    found = _pages(connection, arn.region, "list_agent_runtime_versions", "agentRuntimes", arn.runtime_id)
    return sorted((_summary(raw) for raw in found), key=lambda summary: int(summary.version), reverse=True)


def _pages(
    connection: Connection,
    region: str,
    operation: Literal["list_agent_runtimes", "list_agent_runtime_endpoints", "list_agent_runtime_versions"],
    key: str,
    runtime_id: str | None = None,
) -> Iterator[dict[str, Any]]:
    request = {} if runtime_id is None else {"agentRuntimeId": runtime_id}
    with translated(connection.profile):
        paginator: Any = client(connection, "bedrock-agentcore-control", region).get_paginator(operation)
        for page in paginator.paginate(**request):
            yield from page.get(key, [])


def _endpoint(raw: dict[str, Any]) -> EndpointDescription:
    return EndpointDescription(
        name=raw["name"],
        arn=raw["agentRuntimeEndpointArn"],
        live_version=raw.get("liveVersion"),
        target_version=raw.get("targetVersion"),
        status=raw["status"],
        description=raw.get("description", ""),
        failure_reason=raw.get("failureReason"),
    )


def _summary(raw: dict[str, Any]) -> RuntimeSummary:
    return RuntimeSummary(
        arn=raw["agentRuntimeArn"],
        runtime_id=raw["agentRuntimeId"],
        name=raw["agentRuntimeName"],
        version=raw["agentRuntimeVersion"],
        status=raw["status"],
        description=raw.get("description", ""),
        updated_at=raw["lastUpdatedAt"],
    )


def without_secrets(value: object, key: str = "") -> object:
    """AWS's answer as plain JSON, with every environment variable and everything named like a secret blotted out.

    Instants become ISO 8601 texts. `key` is the name under which the value stands.
    """
    if key == "environmentVariables" and isinstance(value, dict):
        return dict.fromkeys(value, REDACTED)
    if isinstance(value, dict):
        return {name: without_secrets(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_secrets(inner, key) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if value is not None and not isinstance(value, bool) and _SECRET_KEY.search(key):
        return REDACTED
    return value
