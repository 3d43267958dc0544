"""The rows of runtimes, and the columns of their agents that processes of the release before read and write.

Every write of a Runtime goes through here, so that the two never disagree, but for what such a process wrote: its rows
are taken over by `adopt_unsplit_agents`. The next release drops the columns, and this module with them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator

from django.db import transaction
from django.db.models import F, Q, QuerySet, TextField
from django.db.models.functions import Cast

from apps.agentcore.models import AwsAccount, Runtime
from apps.agents.models import Agent

logger = logging.getLogger(__name__)

# What both have, the same under `former_` in the agent's row.
NEW_COLUMNS = frozenset({"aws_account", "log_stream"})
SHARED_COLUMNS = [
    field.name for field in Runtime._meta.fields if not field.primary_key and field.name not in NEW_COLUMNS
]


def store_new(runtime: Runtime) -> None:
    """Store a runtime and its agent, neither of which is stored yet."""
    _repeat(runtime, SHARED_COLUMNS)
    with transaction.atomic(savepoint=False):
        runtime.agent.save(force_insert=True)
        runtime.save(force_insert=True)


def store_changes(runtime: Runtime, columns: Collection[str], *, agent_columns: Collection[str] = ()) -> None:
    """Write these columns of a runtime and these of its agent, and no others."""
    with transaction.atomic(savepoint=False):
        # The agent's row first, here and below: nobody then waits for the other's lock while holding one.
        runtime.agent.save(update_fields=[*agent_columns, *_repeat(runtime, columns)])
        runtime.save(update_fields=columns)


def attach_to_account(account: AwsAccount) -> int:
    """Have every runtime of the account, archived ones too, reached by its role from now on; return how many."""
    runtimes = Runtime.objects.filter(agent__origin=account.origin, account_id=account.account_id)
    return runtimes.update(aws_account=account)


def _repeat(runtime: Runtime, columns: Collection[str]) -> list[str]:
    """Set the former columns of the agent, where it has them; return their names."""
    repeated = [column for column in columns if column not in NEW_COLUMNS]
    for column in repeated:
        setattr(runtime.agent, f"former_{column}", getattr(runtime, column))
    return [f"former_{column}" for column in repeated]


def adopt_unsplit_agents() -> None:
    """Take over what processes of the release before registered, refreshed or set.

    Called often: without such a process it is one query that finds nothing.
    """
    adopted = 0
    for pk in _unsplit().values_list("pk", flat=True):
        with transaction.atomic():
            agent = _locked(pk)
            if agent is not None:
                values = {column: getattr(agent, f"former_{column}") for column in SHARED_COLUMNS}
                Runtime.objects.update_or_create(agent=agent, defaults=values)
                adopted += 1
    if adopted:
        logger.info("agents of the release before taken over count=%s", adopted)


def _locked(pk: int) -> Agent | None:
    """The agent, if it still has something to take over now that nobody else can write it."""
    Agent.objects.select_for_update().get(pk=pk)
    return _unsplit().filter(pk=pk).first()


def _unsplit() -> QuerySet[Agent]:
    """The agents without a runtime, or with one that differs in what such a process writes.

    All that AWS says is written together with the instant of it.
    """
    agents = (
        Agent.objects.defer(None)
        .filter(kind=Agent.Kind.AGENTCORE)
        .annotate(
            former_template=Cast("former_payload_template", TextField()),
            template=Cast("runtime__payload_template", TextField()),
        )
    )
    return agents.filter(Q(runtime=None) | Q.create(list(_differences()), Q.OR))


def _differences() -> Iterator[Q]:
    yield ~Q(former_template=F("template"))
    for column in ("last_refreshed_at", "read_timeout_ms", "retry_unproven"):
        yield ~Q(**{f"former_{column}": F(f"runtime__{column}")})
