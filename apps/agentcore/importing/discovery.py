"""Which runtimes an account has, and which of them Loom does not know yet."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from apps.agentcore.aws.connection import current_connection
from apps.agentcore.exceptions import AgentRuntimeError
from apps.agentcore.importing.pace import description_pace
from apps.agentcore.models import Runtime
from apps.agents.selectors import in_use
from apps.aws.arn import is_valid_region
from apps.aws.control import RuntimeSummary, list_runtimes
from apps.aws.errors import AccessDeniedError, AwsError
from apps.core.exceptions import InvalidInputError

DISCOVER_ADVICE = (
    "The identity in use needs bedrock-agentcore:ListAgentRuntimes, the policy iac/policies/discover.json. "
    "Without it agents can still be registered by their ARN."
)


@dataclass(frozen=True, slots=True)
class RegionRuntimes:
    """The runtimes of the account in one region: the unregistered ones by name, and how many are registered."""

    region: str
    unregistered: list[RuntimeSummary]
    registered_count: int


def find_runtimes(region: str) -> RegionRuntimes:
    """List the account's runtimes in `region`. Blocks for a call per page.

    Raises InvalidInputError for what is no region, AgentRuntimeError for AWS; its advice names a missing permission.
    """
    if not is_valid_region(region):
        raise InvalidInputError(f"{region!r} is not an AWS region.", advice="Write it like us-east-1.")
    connection = current_connection()
    # The pages follow one another, slower than the quota; what describes beside them has to make room.
    description_pace(connection, region).wait()
    try:
        found = list(list_runtimes(connection, region))
    except AwsError as error:
        if isinstance(error, AccessDeniedError):
            error.advice = DISCOVER_ADVICE
        raise AgentRuntimeError(error) from error
    registered = Runtime.objects.filter(in_use("agent__"), region=region, agent__removed_at=None)
    known = set(registered.values_list("arn", flat=True))
    unregistered = sorted((runtime for runtime in found if runtime.arn not in known), key=lambda runtime: runtime.name)
    return RegionRuntimes(region, unregistered, len(found) - len(unregistered))


def suggested_regions() -> list[str]:
    """The configured region first, then those of the registered agents."""
    registered = Runtime.objects.filter(in_use("agent__"), agent__removed_at=None).order_by("region")
    others = registered.values_list("region", flat=True).distinct()
    return [settings.AWS_REGION, *(region for region in others if region != settings.AWS_REGION)]
