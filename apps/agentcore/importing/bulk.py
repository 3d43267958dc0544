"""Registering and refreshing many agents: describe concurrently, store one by one, report each.

Every agent is a transaction of its own: what fails leaves the others as they are, and what was interrupted can be
started again, since agents that are registered are passed over.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum

from django.db import DatabaseError
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.agentcore.changes import differences, state_of
from apps.agentcore.exceptions import AgentExistsError
from apps.agentcore.importing.arn_lists import ArnEntry
from apps.agentcore.importing.describing import CONCURRENCY, describe_many
from apps.agentcore.selectors import with_runtime
from apps.agentcore.services import Description, check_unregistered, described_agent, store_described, update_described
from apps.agents.models import Agent
from apps.agents.selectors import origins_in_use
from apps.aws.arn import InvalidArnError, RuntimeArn
from apps.aws.errors import ConnectFailedError, CredentialsError, NotFoundError
from apps.core.exceptions import InvalidInputError, LoomError

logger = logging.getLogger(__name__)

_LOOKUP_SIZE = 500  # ARNs in one query; SQLite takes some thousands of parameters
_READ_SIZE = 100  # agents in memory at a time, with their metadata


class Result(StrEnum):
    REGISTERED = "registered"
    KNOWN = "known already"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Registration:
    """What became of one entry. `agent` is None where it was refused; in a dry run it is not stored and has no id.

    `is_unreachable` marks what failed for want of a connection or of credentials, so that asking again may help.
    """

    entry: ArnEntry
    result: Result
    agent: Agent | None = None
    error: LoomError | None = None
    is_unreachable: bool = False


@dataclass(frozen=True, slots=True)
class Refreshment:
    """What became of one agent: what changed, or why it was not read. `is_gone`: AWS no longer knows it."""

    agent: Agent
    changes: tuple[str, ...] = ()
    error: LoomError | None = None
    is_gone: bool = False
    is_unreachable: bool = False


def register_many(
    entries: Iterable[ArnEntry], *, user: User | None, is_dry_run: bool = False, concurrency: int = CONCURRENCY
) -> Iterator[Registration]:
    """Register the ARNs in `entries`; yields what became of each, in their order, as it is known.

    Known agents are passed over without asking AWS, archived ones come back. With `is_dry_run` AWS is asked, nothing is
    stored. Blocks; never raises for an entry.
    """
    entries = list(entries)
    settled, pending = _sort_out(entries)
    with closing(describe_many(pending.values(), concurrency)) as descriptions:
        for number, entry in enumerate(entries):
            if number in pending:
                yield _settle(entry, next(descriptions), user, is_dry_run)
            else:
                yield settled[number]


def _sort_out(entries: list[ArnEntry]) -> tuple[dict[int, Registration], dict[int, RuntimeArn]]:
    """Split the entries, by their number, into those that need no question to AWS and those that do."""
    settled: dict[int, Registration] = {}
    parsed: dict[int, RuntimeArn] = {}
    for number, entry in enumerate(entries):
        try:
            parsed[number] = RuntimeArn.parse(entry.text)
        except InvalidArnError as error:
            settled[number] = Registration(entry, Result.REFUSED, error=InvalidInputError(str(error)))
    known = _known_agents({arn.runtime_arn for arn in parsed.values()})
    pending: dict[int, RuntimeArn] = {}
    asked: set[str] = set()
    for number, arn in parsed.items():
        agent = known.get(arn.runtime_arn)
        if agent is not None and (refusal := _refusal_of_known(entries[number], agent)):
            settled[number] = refusal
        elif arn.runtime_arn in asked:
            repeated = AgentExistsError(f"{arn.name} stands further up in this list.")
            settled[number] = Registration(entries[number], Result.KNOWN, error=repeated)
        else:
            pending[number] = arn
            asked.add(arn.runtime_arn)
    return settled, pending


def _known_agents(arns: set[str]) -> dict[str, Agent]:
    """The agents of these ARNs, archived ones too, without what AWS said of them."""
    ordered = sorted(arns)
    known: dict[str, Agent] = {}
    for start in range(0, len(ordered), _LOOKUP_SIZE):
        rows = with_runtime(Agent.objects.filter(runtime__arn__in=ordered[start : start + _LOOKUP_SIZE]))
        known.update({agent.runtime.arn: agent for agent in rows.defer("runtime__raw_metadata", "description")})
    return known


def _refusal_of_known(entry: ArnEntry, agent: Agent) -> Registration | None:
    """What to say of an agent that is in the registry, or None where it is archived and may come back."""
    try:
        check_unregistered(agent)
    except AgentExistsError as error:
        # An agent of the other mode is in the way, not registered.
        result = Result.KNOWN if agent.origin in origins_in_use() else Result.REFUSED
        return Registration(entry, result, agent=agent if result is Result.KNOWN else None, error=error)
    return None


def _settle(entry: ArnEntry, answer: Description | LoomError, user: User | None, is_dry_run: bool) -> Registration:
    if isinstance(answer, LoomError):
        return Registration(entry, Result.REFUSED, error=answer, is_unreachable=_is_unreachable(answer))
    try:
        agent = described_agent(answer) if is_dry_run else store_described(description=answer, user=user)
    except AgentExistsError as error:
        # Somebody else was quicker.
        return Registration(entry, Result.KNOWN, error=error)
    except DatabaseError:
        logger.exception("register failed region=%s", answer.arn.region)
        return Registration(entry, Result.REFUSED, error=_not_stored())
    return Registration(entry, Result.REGISTERED, agent=agent)


def refresh_many(agents: QuerySet[Agent], *, concurrency: int = CONCURRENCY) -> Iterator[Refreshment]:
    """Read `agents` from AWS again; yields what became of each, in their order, as it is known.

    An agent that AWS no longer knows keeps its last state. Blocks; never raises for an agent.
    """
    waiting: deque[Agent] = deque()

    def arns() -> Iterator[RuntimeArn]:
        for agent in _read_on(agents):
            waiting.append(agent)
            yield agent.runtime.parsed_arn

    with closing(describe_many(arns(), concurrency)) as descriptions:
        for answer in descriptions:
            yield _take_over(waiting.popleft(), answer)


def _read_on(agents: QuerySet[Agent]) -> Iterator[Agent]:
    """The agents with their endpoints, some at a time: no cursor stays open while rows are written."""
    keys = list(agents.values_list("pk", flat=True))
    for start in range(0, len(keys), _READ_SIZE):
        some = keys[start : start + _READ_SIZE]
        found = Agent.objects.select_related("runtime").prefetch_related("endpoints").in_bulk(some)
        yield from (found[key] for key in some if key in found)


def _take_over(agent: Agent, answer: Description | LoomError) -> Refreshment:
    if isinstance(answer, LoomError):
        return Refreshment(
            agent,
            error=answer,
            is_gone=isinstance(answer.__cause__, NotFoundError),
            is_unreachable=_is_unreachable(answer),
        )
    before = state_of(agent)
    try:
        update_described(agent=agent, description=answer)
    except DatabaseError:
        logger.exception("refresh failed agent=%s", agent.pk)
        return Refreshment(agent, error=_not_stored())
    return Refreshment(agent, changes=tuple(differences(before, state_of(agent, answer.endpoints))))


def _is_unreachable(error: LoomError) -> bool:
    return isinstance(error.__cause__, ConnectFailedError | CredentialsError)


def _not_stored() -> LoomError:
    return LoomError("It was described but could not be stored.", advice="The log of this process says why.")
