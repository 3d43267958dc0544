"""The list of agents: which are found, and in which order."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Lower
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.agents.models import Agent
from apps.agents.selectors import search_agents
from apps.core.tables.columns import Column, Columns
from apps.core.tables.export import CsvColumn
from apps.core.tables.filters import Choice, Choices
from apps.core.tables.table import Listing, Table

ARCHIVED = "archived"
REGION, ACCOUNT = "runtime__region", "runtime__account_id"


def of_state(registry: QuerySet[Agent], state: str) -> QuerySet[Agent]:
    """The archived agents of `registry`, or the others."""
    return registry.filter(removed_at__isnull=state != ARCHIVED)


AGENTS: Table[Agent] = Table(
    label=_("Search agents"),
    columns=Columns(
        Column("name", _("Agent"), Lower("name")),
        Column("status", _("Status"), F("status")),
        Column("place", _("Account · region"), F(REGION), then=(ACCOUNT,)),
        Column("active", _("Last invoked"), F("last_invoked_at"), starts_down=True),
        Column("registered", _("Registered"), F("registered_at"), starts_down=True),
        Column("archived", _("Archived"), F("removed_at"), starts_down=True),
        default="name",
        ties=(Lower("name").asc(), "pk"),
    ),
    search=search_agents,
    filters=(
        Choice(
            "status", _("Status"), _("Any status"), "status", word=lambda status: status.replace("_", " ").capitalize(),
            offered_from=2,
        ),
        Choice("region", _("Region"), _("Any region"), REGION, offered_from=2),
        Choice("account", _("Account"), _("Any account"), ACCOUNT, offered_from=2),
        Choice(
            "state", _("Registered or archived"), _("Registered"), keep=of_state, parts=frozenset({ARCHIVED}),
            offered_from=1,
        ),
    ),
)  # fmt: skip


def list_agents(registry: QuerySet[Agent], query: QueryDict, *, archived_count: int) -> Listing[Agent]:
    """The page of `registry` that an address asks for. The archive can be chosen where something is in it."""
    archived: Choices = (
        [(ARCHIVED, gettext("Archived (%(count)s)") % {"count": f"{archived_count:,}"})] if archived_count else []
    )
    return AGENTS.listing(registry.prefetch_related("endpoints"), query, {"state": archived})


CSV: tuple[CsvColumn[Agent], ...] = (
    CsvColumn("id", lambda agent: agent.pk),
    CsvColumn("name", lambda agent: agent.name),
    CsvColumn("kind", lambda agent: agent.kind),
    CsvColumn("origin", lambda agent: agent.origin),
    CsvColumn("arn", lambda agent: agent.runtime.arn if hasattr(agent, "runtime") else ""),
    CsvColumn("region", lambda agent: agent.runtime.region if hasattr(agent, "runtime") else ""),
    CsvColumn("status", lambda agent: agent.status),
    CsvColumn("version", lambda agent: agent.version),
    CsvColumn("endpoints", lambda agent: " ".join(endpoint.name for endpoint in agent.endpoints.all())),
    CsvColumn("invocation_count", lambda agent: agent.invocation_count),
    CsvColumn("last_invoked_at", lambda agent: agent.last_invoked_at),
    CsvColumn("registered_at", lambda agent: agent.registered_at),
    CsvColumn("archived_at", lambda agent: agent.removed_at),
)


def asked_agents(registry: QuerySet[Agent], query: QueryDict) -> QuerySet[Agent]:
    """All agents that an address of the list asks for, on whatever page."""
    return AGENTS.asked(registry, query, {"state": [(ARCHIVED, ARCHIVED)]})


def read_agents(keys: list[Any]) -> dict[Any, Agent]:
    """Agents with what a file tells of them."""
    return Agent.objects.select_related("runtime").prefetch_related("endpoints").in_bulk(keys)


class Counts(NamedTuple):
    """How many agents are registered, how many of those take prompts, and how many are archived."""

    registered: int
    ready: int
    archived: int


def counts_by_state(registry: QuerySet[Agent]) -> Counts:
    """One statement."""
    counts = registry.aggregate(
        registered=Count("pk", filter=Q(removed_at=None)),
        ready=Count("pk", filter=Q(removed_at=None, status="READY")),
        archived=Count("pk", filter=Q(removed_at__isnull=False)),
    )
    return Counts(**counts)
