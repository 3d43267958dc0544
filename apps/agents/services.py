"""Every change of the registry. AWS is read here, never changed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.connection import current_connection
from apps.agents.exceptions import AgentExistsError, AgentRuntimeError
from apps.agents.models import Agent, Endpoint
from apps.aws import control
from apps.aws.arn import InvalidArnError, RuntimeArn
from apps.aws.control import EndpointDescription, RuntimeDescription
from apps.aws.errors import AwsError
from apps.core.exceptions import InvalidInputError

logger = logging.getLogger(__name__)

# What AgentCore applies where a runtime says nothing.
DEFAULT_IDLE_TIMEOUT_S = 900
DEFAULT_MAX_LIFETIME_S = 28_800


@dataclass(frozen=True, slots=True)
class Description:
    """What AWS says of a runtime at one moment."""

    arn: RuntimeArn
    runtime: RuntimeDescription
    endpoints: list[EndpointDescription]


def describe(arn: RuntimeArn) -> Description:
    """Ask AWS about a runtime and its endpoints. Blocks; raises AgentRuntimeError."""
    try:
        runtime = control.describe_runtime(current_connection(), arn)
        endpoints = control.list_endpoints(current_connection(), arn)
    except AwsError as error:
        logger.warning(
            "describe failed code=%s http_status=%s request_id=%s", error.code, error.http_status, error.request_id
        )
        raise AgentRuntimeError(error) from error
    return Description(arn=arn, runtime=runtime, endpoints=endpoints)


def register_agent(*, arn: str, user: User | None) -> Agent:
    """Describe the runtime on AWS first, then store it; a removed agent comes back with its history.

    Blocks for two AWS calls. Raises InvalidInputError for a bad ARN, AgentExistsError for a known one,
    AgentRuntimeError for AWS.
    """
    try:
        parsed = RuntimeArn.parse(arn)
    except InvalidArnError as error:
        raise InvalidInputError(str(error)) from error
    if Agent.objects.filter(arn=parsed.runtime_arn, removed_at=None).exists():
        raise AgentExistsError(f"{parsed.name} is registered already.", advice="Refresh it to read its newest state.")
    description = describe(parsed)
    now = timezone.now()
    try:
        with transaction.atomic():
            agent = Agent.objects.select_for_update().filter(arn=parsed.runtime_arn).first()
            if agent is None:
                agent = Agent(arn=parsed.runtime_arn, registered_at=now, registered_by=user)
            elif agent.removed_at is None:
                raise AgentExistsError(f"{parsed.name} is registered already.")
            agent.removed_at = None
            _store(agent, description, now)
    except IntegrityError as error:
        if not Agent.objects.filter(arn=parsed.runtime_arn).exists():
            raise
        # Two people registered it at the same moment.
        raise AgentExistsError(f"{parsed.name} is registered already.") from error
    logger.info("agent registered id=%s region=%s", agent.pk, agent.region)
    return agent


def refresh_agent(*, agent: Agent) -> Agent:
    """Read the runtime and its endpoints from AWS again. Blocks; raises AgentRuntimeError and then changes nothing."""
    description = describe(RuntimeArn.parse(agent.arn))
    with transaction.atomic():
        _store(agent, description, timezone.now())
    return agent


def remove_agent(*, agent: Agent) -> None:
    """Hide an agent. Its history stays, AWS is not touched, registering the ARN again brings it back."""
    Agent.objects.filter(pk=agent.pk, removed_at=None).update(removed_at=timezone.now())
    logger.info("agent removed id=%s", agent.pk)


def _store(agent: Agent, description: Description, now: datetime) -> None:
    arn, runtime = description.arn, description.runtime
    agent.origin = settings.LOOM_AWS
    agent.runtime_id = arn.runtime_id
    agent.name = runtime.name
    agent.description = runtime.description
    agent.status = runtime.status
    agent.failure_reason = runtime.failure_reason or ""
    agent.region = arn.region
    agent.account_id = arn.account_id
    agent.log_group = arn.log_group()
    agent.available_qualifiers = [endpoint.name for endpoint in description.endpoints]
    agent.raw_metadata = runtime.raw
    agent.version = runtime.version
    agent.protocol = runtime.protocol
    agent.idle_timeout_ms = (runtime.idle_timeout_s or DEFAULT_IDLE_TIMEOUT_S) * 1000
    agent.max_lifetime_ms = (runtime.max_lifetime_s or DEFAULT_MAX_LIFETIME_S) * 1000
    agent.platform_version = runtime.platform_version or ""
    agent.authorizer_kind = runtime.authorizer_kind
    agent.last_refreshed_at = now
    agent.save()
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
