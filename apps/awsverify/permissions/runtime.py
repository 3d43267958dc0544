"""One agent on the control plane: may it be described, and can Loom invoke what is described?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from apps.aws.arn import DEFAULT_QUALIFIER, RuntimeArn
from apps.aws.connection import Connection
from apps.aws.control import (
    UNKNOWN_STATUS,
    EndpointDescription,
    RuntimeDescription,
    describe_runtime,
    list_endpoints,
    list_versions,
)
from apps.aws.errors import AwsError
from apps.aws.metrics import read_runtime_metrics
from apps.awsverify.permissions.findings import Finding, failed_call
from apps.awsverify.permissions.policies import statement_for

DESCRIBE_ACTION = "bedrock-agentcore:GetAgentRuntime"
ENDPOINTS_ACTION = "bedrock-agentcore:ListAgentRuntimeEndpoints"
VERSIONS_ACTION = "bedrock-agentcore:ListAgentRuntimeVersions"
METRICS_ACTION = "cloudwatch:GetMetricData"
INVOKE_ACTION = "bedrock-agentcore:InvokeAgentRuntime"
STOP_ACTION = "bedrock-agentcore:StopRuntimeSession"

_STATES_ON_THE_WAY = frozenset({"CREATING", "UPDATING"})


def check_runtime(connection: Connection, arn: RuntimeArn) -> tuple[list[Finding], list[str]]:
    """Describe the agent; the findings, and the qualifiers whose logs are worth a look."""
    findings = _check_description(connection, arn)
    try:
        endpoints = list_endpoints(connection, arn)
    except AwsError as error:
        findings.append(_failed(connection, arn, ENDPOINTS_ACTION, error))
        return findings, [DEFAULT_QUALIFIER]
    findings.append(_endpoints_finding(arn, endpoints))
    return findings, [endpoint.name for endpoint in endpoints] or [DEFAULT_QUALIFIER]


def check_extras(connection: Connection, arn: RuntimeArn) -> list[Finding]:
    """Try what Loom shows where it can and does without where it cannot: versions, and AWS's own metrics."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)

    def versions() -> str:
        return f"{len(list_versions(connection, arn))} found"

    def metrics() -> str:
        found = read_runtime_metrics(connection, arn, start_at=now - timedelta(hours=1), end_at=now, period_s=3600)
        return "allowed" if found.points else "allowed; no values in the last hour"

    return [
        _extra(connection, arn, VERSIONS_ACTION, versions),
        _extra(connection, arn, METRICS_ACTION, metrics),
    ]


def _extra(connection: Connection, arn: RuntimeArn, action: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(arn.runtime_id, action, "ok", attempt())
    except AwsError as error:
        return replace(_failed(connection, arn, action, error), state="warning")


def untested_findings(arn: RuntimeArn) -> list[Finding]:
    """The permissions that cannot be tried without an effect."""
    message = f"has an effect, so it is not tried here; `manage.py smoke --agent {arn.name}` tries it"
    advice = "It must be allowed on the runtime's ARN and on <ARN>/*, because the endpoint is checked too."
    return [
        Finding(arn.runtime_id, INVOKE_ACTION, "untested", message, advice),
        Finding(arn.runtime_id, STOP_ACTION, "untested", message, advice),
    ]


def _check_description(connection: Connection, arn: RuntimeArn) -> list[Finding]:
    try:
        runtime = describe_runtime(connection, arn)
    except AwsError as error:
        return [_failed(connection, arn, DESCRIBE_ACTION, error)]
    if runtime.arn != arn.runtime_arn:
        message = "AWS knows another runtime under this id: the ARN belongs to another account than the credentials"
        advice = "Check the account id in the ARN, or choose a profile of its account with AWS_PROFILE."
        return [Finding(arn.runtime_id, DESCRIBE_ACTION, "missing", message, advice)]
    return [
        Finding(arn.runtime_id, DESCRIBE_ACTION, "ok", f"version {runtime.version}, protocol {runtime.protocol}"),
        _status_finding(runtime),
        _mmds_finding(runtime),
        _authorizer_finding(runtime),
    ]


def _status_finding(runtime: RuntimeDescription) -> Finding:
    if runtime.status == "READY":
        message = "READY, which proves nothing about its container: only an invocation does"
        return Finding(runtime.runtime_id, "status", "ok", message)
    message = f"{runtime.status}{f': {runtime.failure_reason}' if runtime.failure_reason else ''}"
    if runtime.status in _STATES_ON_THE_WAY:
        return Finding(runtime.runtime_id, "status", "warning", message, "A deployment is under way; wait for READY.")
    return Finding(runtime.runtime_id, "status", "missing", message, "Deploy the agent again.")


def _mmds_finding(runtime: RuntimeDescription) -> Finding:
    subject = "MMDSv2"
    if runtime.requires_mmdsv2:
        return Finding(runtime.runtime_id, subject, "ok", "required, as AgentCore expects")
    advice = "Update the runtime with metadataConfiguration.requireMMDSV2 = true."
    if runtime.requires_mmdsv2 is None:
        return Finding(runtime.runtime_id, subject, "warning", "AWS does not say whether it is required", advice)
    return Finding(
        runtime.runtime_id, subject, "missing", "not required: AgentCore refuses to invoke such runtimes", advice
    )


def _authorizer_finding(runtime: RuntimeDescription) -> Finding:
    subject = "IAM authorization"
    if runtime.authorizer_kind == "iam":
        return Finding(runtime.runtime_id, subject, "ok", "requests signed with IAM are taken")
    message = "the runtime takes JWT bearer tokens only; Loom signs with IAM and cannot invoke it"
    return Finding(
        runtime.runtime_id, subject, "missing", message, "Give it a second runtime without customJWTAuthorizer."
    )


def _endpoints_finding(arn: RuntimeArn, endpoints: list[EndpointDescription]) -> Finding:
    if [endpoint.status for endpoint in endpoints] == [UNKNOWN_STATUS]:
        # What list_endpoints answers instead of a refusal: with DEFAULT alone Loom can go on.
        return Finding(
            arn.runtime_id,
            ENDPOINTS_ACTION,
            "missing",
            "refused; only the endpoint DEFAULT can be used",
            "The policy statement at the end grants it.",
            ENDPOINTS_ACTION,
            statement_for(ENDPOINTS_ACTION, arn),
        )
    shown = ", ".join(
        f"{endpoint.name} → version {endpoint.live_version or '?'}"
        f"{'' if endpoint.status == 'READY' else f' ({endpoint.status})'}"
        for endpoint in endpoints
    )
    return Finding(arn.runtime_id, ENDPOINTS_ACTION, "ok", shown or "no endpoint yet")


def _failed(connection: Connection, arn: RuntimeArn, action: str, error: AwsError) -> Finding:
    return failed_call(
        error,
        section=arn.runtime_id,
        action=action,
        statement=statement_for(action, arn),
        is_emulated=connection.origin == "emulator",
    )
