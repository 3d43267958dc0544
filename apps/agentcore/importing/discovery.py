"""Which runtimes accounts have, and which of them Loom does not know yet."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from apps.agentcore.aws.connection import connection_through, current_connection
from apps.agentcore.exceptions import AgentRuntimeError
from apps.agentcore.importing.pace import description_pace
from apps.agentcore.models import AccountRegion, AwsAccount, Runtime
from apps.agents.selectors import in_use
from apps.aws.arn import is_valid_region
from apps.aws.connection import Connection
from apps.aws.control import RuntimeSummary, list_runtimes
from apps.aws.errors import AccessDeniedError, AwsError
from apps.core.exceptions import InvalidInputError, LoomError

logger = logging.getLogger(__name__)

DISCOVER_ADVICE = (
    "The identity in use needs bedrock-agentcore:ListAgentRuntimes, the policy iac/policies/discover.json. "
    "Without it agents can still be registered by their ARN."
)
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Place:
    """A region of an account; None is the account of Loom's own identity."""

    account: AwsAccount | None
    region: str

    def __str__(self) -> str:
        return self.region if self.account is None else f"{self.account.label} · {self.region}"


@dataclass(frozen=True, slots=True)
class Failure:
    """A place whose runtimes could not be listed, and why."""

    place: Place
    error: LoomError


@dataclass(frozen=True, slots=True)
class FoundRuntimes:
    """The runtimes of one place or of many: the unregistered ones by name, and how many are registered.

    `region` is empty where it was looked in more than one. What failed kept nothing else from being found.
    """

    region: str
    unregistered: list[RuntimeSummary]
    registered_count: int
    failures: Sequence[Failure] = ()


def find_runtimes(region: str, account: AwsAccount | None = None) -> FoundRuntimes:
    """List the runtimes of an account in `region`. Blocks for a call per page.

    Raises InvalidInputError for what is no region, AccountDisabledError, and AgentRuntimeError for AWS; its advice
    names a missing permission.
    """
    if not is_valid_region(region):
        raise InvalidInputError(f"{region!r} is not an AWS region.", advice="Write it like us-east-1.")
    ((_, found),) = look_at([Place(account, region)])
    if isinstance(found, LoomError):
        raise found
    return _sorted_out(region, found)


def places_everywhere() -> list[Place]:
    """Each region of each enabled account; of Loom's own the configured one and those it has agents in."""
    accounts = AwsAccount.objects.filter(origin=settings.LOOM_AWS, is_enabled=True).prefetch_related("regions")
    places = [Place(None, region) for region in suggested_regions(None)]
    return places + [Place(account, row.region) for account in accounts for row in account.regions.all()]


def find_everywhere() -> FoundRuntimes:
    """List the runtimes of every place. One that fails is named, and the others go on."""
    runtimes: list[RuntimeSummary] = []
    failures = []
    for place, found in look_at(places_everywhere()):
        if isinstance(found, LoomError):
            failures.append(Failure(place, found))
        else:
            runtimes += found
    found_here = _sorted_out("", runtimes)
    return FoundRuntimes("", found_here.unregistered, found_here.registered_count, failures)


def look_at(places: Iterable[Place]) -> list[tuple[Place, list[RuntimeSummary] | LoomError]]:
    """List the runtimes of each place, some at a time, and keep how that went with the account's region.

    Blocks; never raises for a place.
    """
    asked = list(places)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="discover") as pool:
        found = list(pool.map(_listed, asked))
    for place, answer in zip(asked, found, strict=True):
        if place.account is not None and place.account.is_enabled:
            _keep_state(place, answer)
    return list(zip(asked, found, strict=True))


def suggested_regions(account: AwsAccount | None) -> list[str]:
    """Where an account is looked at: the configured region and those of agents, or the regions that it was given."""
    if account is not None:
        return [row.region for row in account.regions.all()]
    registered = Runtime.objects.filter(in_use("agent__"), agent__removed_at=None, aws_account=None).order_by("region")
    others = registered.values_list("region", flat=True).distinct()
    return [settings.AWS_REGION, *(region for region in others if region != settings.AWS_REGION)]


def _listed(place: Place) -> list[RuntimeSummary] | LoomError:
    """The runtimes of a place. The work of a thread: it asks the database nothing, and never raises."""
    try:
        connection = current_connection() if place.account is None else connection_through(place.account)
        return _list(connection, place.region)
    except LoomError as error:
        return error
    except Exception:
        logger.exception("discovery failed unexpectedly region=%s", place.region)
        return LoomError("AWS's answer could not be handled.", advice="The log of this process says where it failed.")


def _list(connection: Connection, region: str) -> list[RuntimeSummary]:
    # The pages follow one another, slower than the quota; what describes beside them has to make room.
    description_pace(connection, region).wait()
    try:
        return list(list_runtimes(connection, region))
    except AwsError as error:
        if isinstance(error, AccessDeniedError):
            error.advice = DISCOVER_ADVICE
        raise AgentRuntimeError(error) from error


def _sorted_out(region: str, found: list[RuntimeSummary]) -> FoundRuntimes:
    registered = Runtime.objects.filter(in_use("agent__"), agent__removed_at=None)
    if region:
        registered = registered.filter(region=region)
    known = set(registered.values_list("arn", flat=True))
    unregistered = sorted((runtime for runtime in found if runtime.arn not in known), key=lambda runtime: runtime.name)
    return FoundRuntimes(region, unregistered, len(found) - len(unregistered))


def _keep_state(place: Place, answer: list[RuntimeSummary] | LoomError) -> None:
    error = answer if isinstance(answer, LoomError) else None
    AccountRegion.objects.filter(account=place.account, region=place.region).update(
        checked_at=timezone.now(),
        runtime_count=None if isinstance(answer, LoomError) else len(answer),
        error_code="" if error is None else error.code[:100],
        error_message="" if error is None else error.text()[:1000],
    )
