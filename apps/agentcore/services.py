"""Every change of the registry. AWS is read here, never changed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.aws.connection import Connections, connection_of
from apps.agentcore.exceptions import AgentExistsError, AgentRuntimeError
from apps.agentcore.models import AwsAccount, Runtime
from apps.agentcore.runtime_rows import adopt_unsplit_agents, store_changes, store_new
from apps.agents.models import Agent, Endpoint
from apps.agents.selectors import origins_in_use
from apps.agents.services import in_order, position_of_new
from apps.aws import control
from apps.aws.arn import DEFAULT_QUALIFIER, InvalidArnError, RuntimeArn
from apps.aws.connection import Connection
from apps.aws.control import EndpointDescription, RuntimeDescription, RuntimeSummary
from apps.aws.errors import AccessDeniedError, AwsError
from apps.core.exceptions import InvalidInputError

logger = logging.getLogger(__name__)

# What AgentCore applies where a runtime says nothing.
DEFAULT_IDLE_TIMEOUT_S = 900
DEFAULT_MAX_LIFETIME_S = 28_800

DESCRIBE_ADVICE = (
    "The identity in use needs the actions of the policy iac/policies/describe.json, "
    "bedrock-agentcore:GetAgentRuntime first of all, on this runtime."
)
VERSIONS_ADVICE = (
    "The identity in use needs bedrock-agentcore:ListAgentRuntimeVersions, which the policy iac/policies/describe.json "
    "grants. Invoking and measuring do not depend on it."
)

# What AWS decides about an agent and its runtime; everything else in their rows is Loom's.
DESCRIBED_OF_AGENT = ("name", "description", "status", "failure_reason", "available_qualifiers", "version")
DESCRIBED_OF_RUNTIME = (
    "runtime_id",
    "region",
    "account_id",
    "aws_account",
    "log_group",
    "raw_metadata",
    "protocol",
    "idle_timeout_ms",
    "max_lifetime_ms",
    "platform_version",
    "authorizer_kind",
    "last_refreshed_at",
)


@dataclass(frozen=True, slots=True)
class Description:
    """What AWS says of a runtime at one moment."""

    arn: RuntimeArn
    runtime: RuntimeDescription
    endpoints: list[EndpointDescription]


def describe(arn: RuntimeArn, connection: Connection) -> Description:
    """Ask AWS about a runtime and its endpoints. Blocks; raises AgentRuntimeError.

    AWS is asked for the id alone and answers for the account of whoever signed, so an ARN of another account with the
    same id would come back as somebody else: InvalidInputError.
    """
    try:
        runtime = control.describe_runtime(connection, arn)
        endpoints = control.list_endpoints(connection, arn)
    except AwsError as error:
        logger.warning(
            "describe failed code=%s http_status=%s request_id=%s", error.code, error.http_status, error.request_id
        )
        if isinstance(error, AccessDeniedError):
            error.advice = DESCRIBE_ADVICE
        raise AgentRuntimeError(error) from error
    if runtime.arn != arn.runtime_arn:
        raise InvalidInputError(
            f"Under this id AWS knows another runtime: {runtime.arn}.", advice="Check the account id in the ARN."
        )
    return Description(arn=arn, runtime=runtime, endpoints=endpoints)


def register_agent(*, arn: str, user: User | None) -> Agent:
    """Describe the runtime on AWS first, then store it; an archived agent comes back with its history.

    Blocks for two AWS calls, and stores nothing unless both succeed. Raises InvalidInputError for a bad ARN,
    AgentExistsError for a known one, AgentRuntimeError for AWS.
    """
    try:
        parsed = RuntimeArn.parse(arn)
    except InvalidArnError as error:
        raise InvalidInputError(str(error)) from error
    check_unregistered(Agent.objects.filter(runtime__arn=parsed.runtime_arn).first())
    description = describe(parsed, Connections().of(parsed.account_id))
    return store_described(description=description, user=user)


def store_described(*, description: Description, user: User | None) -> Agent:
    """Store a runtime that was just described, or bring an archived one back; AgentExistsError for a known one."""
    runtime_arn = description.arn.runtime_arn
    try:
        with transaction.atomic():
            agent = Agent.objects.select_for_update(of=["self"]).filter(runtime__arn=runtime_arn).first()
            check_unregistered(agent)
            if agent is None:
                agent = described_agent(description)
                agent.registered_by = user
                store_new(agent.runtime)
            else:
                agent.removed_at = None
                _take_over(agent.runtime, description, timezone.now())
                store_changes(agent.runtime, DESCRIBED_OF_RUNTIME, agent_columns=["removed_at", *DESCRIBED_OF_AGENT])
            _store_endpoints(agent, description)
    except IntegrityError as error:
        adopt_unsplit_agents()
        if not Agent.objects.filter(runtime__arn=runtime_arn).exists():
            raise
        # Two people registered it at the same moment.
        raise AgentExistsError(f"{description.arn.name} is registered already.") from error
    logger.info("agent registered id=%s region=%s", agent.pk, description.arn.region)
    return agent


def described_agent(description: Description) -> Agent:
    """The agent that a description makes, with its runtime, neither of them stored."""
    now = timezone.now()
    agent = Agent(origin=settings.LOOM_AWS, registered_at=now)
    _take_over(Runtime(agent=agent, arn=description.arn.runtime_arn), description, now)
    return agent


def check_unregistered(agent: Agent | None) -> None:
    """Raise AgentExistsError for an agent that may not be registered anew; None and an archived one may."""
    if agent is None:
        return
    if agent.origin not in origins_in_use():
        raise AgentExistsError(
            f"{agent.name} belongs to {agent.get_origin_display()}; this Loom runs with LOOM_AWS={settings.LOOM_AWS}.",
            advice="Give each LOOM_AWS mode a DATABASE_URL of its own.",
        )
    if agent.removed_at is None:
        raise AgentExistsError(f"{agent.name} is registered already.", advice="Refresh it to read its newest state.")


def refresh_agent(*, agent: Agent) -> Agent:
    """Read the runtime and its endpoints from AWS again. Blocks; raises AgentRuntimeError and then changes nothing.

    Only what AWS says is written: while it was asked, others may have invoked, changed or archived the agent.
    """
    update_described(agent=agent, description=describe(agent.runtime.parsed_arn, connection_of(agent.runtime)))
    return agent


def update_described(*, agent: Agent, description: Description) -> None:
    """Write what AWS just said of a registered agent, and nothing else."""
    with transaction.atomic():
        # Somebody may have given it other words while AWS was asked.
        agent.refresh_from_db(fields=["name", "description"], from_queryset=Agent.objects.select_for_update())
        _take_over(agent.runtime, description, timezone.now())
        store_changes(agent.runtime, DESCRIBED_OF_RUNTIME, agent_columns=DESCRIBED_OF_AGENT)
        _store_endpoints(agent, description)


def versions_of(agent: Agent) -> list[RuntimeSummary]:
    """Ask AWS for the agent's versions, the newest first. Blocks; raises AgentRuntimeError."""
    try:
        return control.list_versions(connection_of(agent.runtime), agent.runtime.parsed_arn)
    except AwsError as error:
        if isinstance(error, AccessDeniedError):
            error.advice = VERSIONS_ADVICE
        raise AgentRuntimeError(error) from error


def save_invocation_settings(
    *, agent: Agent, payload_template: Any, read_timeout_ms: int, retry_unproven: bool, log_stream: str | None = None
) -> None:
    """Keep how Loom invokes the agent, and which log stream it shows; a run that is under way keeps what it was started
    with.

    `payload_template` is a JSON value that `payload.read_template` has read.
    """
    runtime = agent.runtime
    runtime.payload_template = payload_template
    runtime.read_timeout_ms = read_timeout_ms
    runtime.retry_unproven = retry_unproven
    runtime.log_stream = log_stream or None
    store_changes(runtime, ["payload_template", "read_timeout_ms", "retry_unproven", "log_stream"])
    logger.info("invocation settings saved agent=%s", agent.pk)


def _take_over(runtime: Runtime, description: Description, now: datetime) -> None:
    agent, arn, described = runtime.agent, description.arn, description.runtime
    former = runtime.raw_metadata
    # What somebody has written here stays: AWS's word takes the place of AWS's word only.
    if agent.name in ("", former.get("agentRuntimeName")):
        agent.name = described.name
    if agent.description == former.get("description", ""):
        agent.description = described.description
    agent.status = described.status
    agent.failure_reason = described.failure_reason or ""
    # Every runtime has DEFAULT, also while the list does not show it yet.
    qualifiers = [endpoint.name for endpoint in description.endpoints] or [DEFAULT_QUALIFIER]
    agent.available_qualifiers = in_order(agent, qualifiers)
    agent.version = described.version
    runtime.runtime_id = arn.runtime_id
    runtime.region = arn.region
    runtime.account_id = arn.account_id
    runtime.aws_account = AwsAccount.objects.filter(origin=settings.LOOM_AWS, account_id=arn.account_id).first()
    runtime.log_group = arn.log_group()
    runtime.raw_metadata = described.raw
    runtime.protocol = described.protocol
    runtime.idle_timeout_ms = (described.idle_timeout_s or DEFAULT_IDLE_TIMEOUT_S) * 1000
    runtime.max_lifetime_ms = (described.max_lifetime_s or DEFAULT_MAX_LIFETIME_S) * 1000
    runtime.platform_version = described.platform_version or ""
    runtime.authorizer_kind = described.authorizer_kind
    runtime.last_refreshed_at = now


def _store_endpoints(agent: Agent, description: Description) -> None:
    positions = dict(Endpoint.objects.filter(agent=agent).values_list("name", "position"))
    if gone := positions.keys() - set(agent.available_qualifiers):
        Endpoint.objects.filter(agent=agent, name__in=gone).delete()
    new = position_of_new(positions.values())
    Endpoint.objects.bulk_create(
        (
            Endpoint(
                agent=agent, name=endpoint.name, live_version=endpoint.live_version or "",
                target_version=endpoint.target_version or "", status=endpoint.status,
                position=positions.get(endpoint.name, new),
            )
            for endpoint in description.endpoints
        ),
        update_conflicts=True,
        unique_fields=["agent", "name"],
        update_fields=["live_version", "target_version", "status"],
    )  # fmt: skip
