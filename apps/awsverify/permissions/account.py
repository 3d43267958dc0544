"""Who is calling, and which agents there are."""

from __future__ import annotations

from apps.aws.connection import Connection
from apps.aws.control import RuntimeSummary, list_runtimes
from apps.aws.errors import AwsError
from apps.aws.identity import Identity, identity
from apps.awsverify.permissions.findings import ACCOUNT, Finding, failed_call
from apps.awsverify.permissions.policies import statement_for

IDENTITY_ACTION = "sts:GetCallerIdentity"
DISCOVER_ACTION = "bedrock-agentcore:ListAgentRuntimes"


def check_credentials(connection: Connection) -> tuple[Finding, Identity | None]:
    """Ask AWS who is calling; the emulator takes any caller."""
    if connection.origin == "emulator" and connection.role is None:
        return Finding(ACCOUNT, "credentials", "ok", "none needed: the emulator takes any caller"), None
    try:
        caller = identity(connection)
    except AwsError as error:
        request = f" (request id {error.request_id})" if error.request_id else ""
        return Finding(ACCOUNT, "credentials", "missing", f"{error.code}: {error.message}{request}", error.advice), None
    source = f"profile {connection.profile}" if connection.profile else "the default chain"
    if connection.role is not None:
        source = f"the role {connection.role.arn}"
    message = f"account {caller.account_id}, {caller.role}, from {source}"
    return Finding(ACCOUNT, "credentials", "ok", message), caller


def check_discovery(connection: Connection, name: str | None) -> tuple[Finding, list[RuntimeSummary]]:
    """List the region's agents: those called `name`, else just the first one, which shows that listing is allowed."""
    found: list[RuntimeSummary] = []
    try:
        for runtime in list_runtimes(connection, connection.region):
            if name in (None, runtime.name):
                found.append(runtime)
            if name is None:
                break
    except AwsError as error:
        statement = statement_for(DISCOVER_ACTION)
        is_emulated = connection.origin == "emulator"
        return failed_call(
            error, section=ACCOUNT, action=DISCOVER_ACTION, statement=statement, is_emulated=is_emulated
        ), []
    if name is None and not found:
        return Finding(
            ACCOUNT,
            DISCOVER_ACTION,
            "warning",
            f"allowed, but there is no agent in {connection.region}",
            "Deploy one, or look in another region with --region.",
        ), []
    return Finding(ACCOUNT, DISCOVER_ACTION, "ok", f"agents of {connection.region} can be listed"), found
