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
from apps.agentcore.connection import current_connection
from apps.agentcore.exceptions import AgentExistsError, AgentRuntimeError
from apps.agents.models import Agent, Endpoint
from apps.aws import control
from apps.aws.arn import DEFAULT_QUALIFIER, InvalidArnError, RuntimeArn
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

# What AWS decides about an agent; everything else in the row is Loom's.
DESCRIBED_FIELDS = (
    "runtime_id",
    "name",
    "description",
    "status",
    "failure_reason",
    "region",
    "account_id",
    "log_group",
    "available_qualifiers",
    "raw_metadata",
    "version",
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


def describe(arn: RuntimeArn) -> Description:
    """Ask AWS about a runtime and its endpoints. Blocks; raises AgentRuntimeError.

    AWS is asked for the id alone and answers for the caller's own account, so an ARN of another account with the same
    id would come back as somebody else: InvalidInputError.
    """
    try:
        runtime = control.describe_runtime(current_connection(), arn)
        endpoints = control.list_endpoints(current_connection(), arn)
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
    check_unregistered(Agent.objects.filter(arn=parsed.runtime_arn).first())
    return store_described(description=describe(parsed), user=user)


def store_described(*, description: Description, user: User | None) -> Agent:
    """Store a runtime that was just described, or bring an archived one back; AgentExistsError for a known one."""
    runtime_arn = description.arn.runtime_arn
    try:
        with transaction.atomic():
            agent = Agent.objects.select_for_update().filter(arn=runtime_arn).first()
            check_unregistered(agent)
            if agent is None:
                agent = described_agent(description)
                agent.registered_by = user
                agent.save()
            else:
                agent.removed_at = None
                _take_over(agent, description, timezone.now())
                agent.save(update_fields=["removed_at", *DESCRIBED_FIELDS])
            _store_endpoints(agent, description)
    except IntegrityError as error:
        if not Agent.objects.filter(arn=runtime_arn).exists():
            raise
        # Two people registered it at the same moment.
        raise AgentExistsError(f"{description.arn.name} is registered already.") from error
    logger.info("agent registered id=%s region=%s", agent.pk, agent.region)
    return agent


def described_agent(description: Description) -> Agent:
    """The agent that a description makes, not stored."""
    now = timezone.now()
    agent = Agent(arn=description.arn.runtime_arn, origin=settings.LOOM_AWS, registered_at=now)
    _take_over(agent, description, now)
    return agent


def check_unregistered(agent: Agent | None) -> None:
    """Raise AgentExistsError for an agent that may not be registered anew; None and an archived one may."""
    if agent is None:
        return
    if agent.origin != settings.LOOM_AWS:
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
    update_described(agent=agent, description=describe(RuntimeArn.parse(agent.arn)))
    return agent


def update_described(*, agent: Agent, description: Description) -> None:
    """Write what AWS just said of a registered agent, and nothing else."""
    with transaction.atomic():
        _take_over(agent, description, timezone.now())
        agent.save(update_fields=DESCRIBED_FIELDS)
        _store_endpoints(agent, description)


def versions_of(agent: Agent) -> list[RuntimeSummary]:
    """Ask AWS for the agent's versions, the newest first. Blocks; raises AgentRuntimeError."""
    try:
        return control.list_versions(current_connection(), RuntimeArn.parse(agent.arn))
    except AwsError as error:
        if isinstance(error, AccessDeniedError):
            error.advice = VERSIONS_ADVICE
        raise AgentRuntimeError(error) from error


def save_invocation_settings(
    *, agent: Agent, payload_template: Any, read_timeout_ms: int, retry_unproven: bool
) -> None:
    """Keep how Loom invokes the agent; a run that is under way keeps what it was started with.

    `payload_template` is a JSON value that `payload.read_template` has read.
    """
    agent.payload_template = payload_template
    agent.read_timeout_ms = read_timeout_ms
    agent.retry_unproven = retry_unproven
    agent.save(update_fields=["payload_template", "read_timeout_ms", "retry_unproven"])
    logger.info("invocation settings saved agent=%s", agent.pk)


def _take_over(agent: Agent, description: Description, now: datetime) -> None:
    arn, runtime = description.arn, description.runtime
    agent.runtime_id = arn.runtime_id
    agent.name = runtime.name
    agent.description = runtime.description
    agent.status = runtime.status
    agent.failure_reason = runtime.failure_reason or ""
    agent.region = arn.region
    agent.account_id = arn.account_id
    agent.log_group = arn.log_group()
    # Every runtime has DEFAULT, also while the list does not show it yet.
    agent.available_qualifiers = [endpoint.name for endpoint in description.endpoints] or [DEFAULT_QUALIFIER]
    agent.raw_metadata = runtime.raw
    agent.version = runtime.version
    agent.protocol = runtime.protocol
    agent.idle_timeout_ms = (runtime.idle_timeout_s or DEFAULT_IDLE_TIMEOUT_S) * 1000
    agent.max_lifetime_ms = (runtime.max_lifetime_s or DEFAULT_MAX_LIFETIME_S) * 1000
    agent.platform_version = runtime.platform_version or ""
    agent.authorizer_kind = runtime.authorizer_kind
    agent.last_refreshed_at = now


def _store_endpoints(agent: Agent, description: Description) -> None:
    Endpoint.objects.filter(agent=agent).exclude(name__in=agent.available_qualifiers).delete()
    for endpoint in description.endpoints:
        Endpoint.objects.update_or_create(
            agent=agent,
            name=endpoint.name,
            defaults={
                "live_version": endpoint.live_version or "",
                "target_version": endpoint.target_version or "",
                "status": endpoint.status,
            },
        )
