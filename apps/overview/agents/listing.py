"""The list of agents: which are found, in which order, and its columns as a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Lower
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.agents.models import Agent, AgentTag, FavouriteAgent
from apps.agents.selectors import search_agents
from apps.core.models import Tag
from apps.core.tables.columns import Column, Columns
from apps.core.tables.filters import Choice, Choices
from apps.core.tables.table import Listing, Table
from apps.core.tags import tag_key

ARCHIVED, STARRED, NOBODY = "archived", "yes", "none"
REGION, ACCOUNT = "runtime__region", "runtime__account_id"


def of_state(registry: QuerySet[Agent], state: str) -> QuerySet[Agent]:
    """The archived agents of `registry`, or the others."""
    return registry.filter(removed_at__isnull=state != ARCHIVED)


def _of_owner(registry: QuerySet[Agent], owner: str) -> QuerySet[Agent]:
    if owner == NOBODY:
        return registry.filter(owner=None)
    return registry.filter(owner=int(owner)) if owner else registry


def _tagged(registry: QuerySet[Agent], tag: str) -> QuerySet[Agent]:
    return registry.filter(tags__key=tag_key(tag)) if tag else registry


def _starred(registry: QuerySet[Agent], wanted: str) -> QuerySet[Agent]:
    """Those with a star of the user for whom the agents were asked for (`with_stars`)."""
    return registry.filter(**{"is_starred": True}) if wanted else registry


def _figure(key: str, label: Any, column: str) -> Column:
    """A figure of the last seven days: the first click shows the highest, and agents without one come last."""
    return Column(key, label, F(f"week__{column}"), starts_down=True)


AGENTS: Table[Agent] = Table(
    label=_("Search agents"),
    columns=Columns(
        Column("name", _("Agent"), Lower("name")),
        Column("status", _("Status"), F("status")),
        Column("place", _("Account · region"), F(REGION), then=(ACCOUNT,)),
        Column("active", _("Last used"), F("last_invoked_at"), starts_down=True),
        Column("registered", _("Registered"), F("registered_at"), starts_down=True),
        Column("archived", _("Archived"), F("removed_at"), starts_down=True),
        _figure("runs", _("Runs"), "run_count"),
        _figure("errors", _("Error rate"), "error_rate"),
        _figure("ttft_cold", _("TTFT cold"), "ttft_cold_ms"),
        _figure("ttft_warm", _("TTFT warm"), "ttft_warm_ms"),
        _figure("startup", _("Startup"), "startup_ms"),
        _figure("cost", _("Cost"), "cost_micros"),
        default="-active",
        ties=(Lower("name").asc(), "pk"),
    ),
    search=search_agents,
    filters=(
        Choice("kind", _("Kind"), _("Any kind"), "kind", offered_from=2),
        Choice("status", _("Status"), _("Any status"), "status", offered_from=2),
        Choice("tag", _("Tag"), _("Any tag"), keep=_tagged, offered_from=1),
        Choice("owner", _("Owner"), _("Anybody’s"), keep=_of_owner, offered_from=2),
        Choice("region", _("Region"), _("Any region"), REGION, offered_from=2),
        Choice("account", _("Account"), _("Any account"), ACCOUNT, offered_from=2),
        Choice("version", _("Version"), _("Any version"), "version", offered_from=2),
        Choice("favourite", _("With a star"), _("With a star or without"), keep=_starred, offered_from=1),
        Choice(
            "state", _("Registered or archived"), _("Registered"), keep=of_state, parts=frozenset({ARCHIVED}),
            offered_from=1,
        ),
    ),
    read=lambda keys: read_agents(keys),
)  # fmt: skip


def with_stars(registry: QuerySet[Agent], user: User) -> QuerySet[Agent]:
    """The same, of which `is_starred` says whether the user has given it a star."""
    stars = FavouriteAgent.objects.filter(owner=user.pk, agent=OuterRef("pk"))
    return registry.annotate(is_starred=Exists(stars))


def read_agents(keys: list[Any]) -> dict[Any, Agent]:
    """Agents with what a row, a file and the API tell of them."""
    agents = Agent.objects.select_related("runtime", "owner", "week")
    return agents.prefetch_related("endpoints", "tags").in_bulk(keys)


def starred_by(user: User) -> set[int]:
    """The keys of the agents with a star of the user's."""
    return set(FavouriteAgent.objects.filter(owner=user.pk).order_by().values_list("agent", flat=True))


def list_agents(
    registry: QuerySet[Agent], user: User, query: QueryDict, *, archived_count: int, has_stars: bool
) -> Listing[Agent]:
    """The page of `registry` that an address asks for. The archive and the stars can be chosen where there are any."""
    offered = _offered(registry)
    offered["state"] = (
        [(ARCHIVED, gettext("Archived (%(count)s)") % {"count": f"{archived_count:,}"})] if archived_count else []
    )
    offered["favourite"] = [(STARRED, gettext("With a star"))] if has_stars else []
    return AGENTS.listing(with_stars(registry, user), query, offered)


def asked_agents(registry: QuerySet[Agent], user: User, query: QueryDict) -> QuerySet[Agent]:
    """All agents that an address of the list asks for, on whatever page."""
    every = _offered(registry) | {"state": [(ARCHIVED, ARCHIVED)], "favourite": [(STARRED, STARRED)]}
    return AGENTS.asked(with_stars(registry, user), query, every)


def _offered(registry: QuerySet[Agent]) -> dict[str, Choices]:
    """What can be chosen between: two statements for seven filters, as each would look through all agents."""
    columns = ("kind", "status", REGION, ACCOUNT, "version", "owner", "owner__email")
    rows = list(registry.order_by().values_list(*columns).distinct())
    kinds, statuses, regions, accounts, versions = ({row[at] for row in rows} - {"", None} for at in range(5))
    owners: Choices = [(str(key), email) for key, email in sorted({(row[5], row[6]) for row in rows if row[5]})]
    if owners and any(row[5] is None for row in rows):
        owners.append((NOBODY, gettext("Nobody’s")))
    tags = Tag.objects.filter(pk__in=AgentTag.objects.filter(agent__in=registry.order_by().values("pk")).values("tag"))
    return {
        "kind": [(kind, label) for kind, label in Agent.Kind.choices if kind in kinds],
        "status": [(status, status.replace("_", " ").capitalize()) for status in sorted(statuses)],
        "tag": [(name, name) for name in tags.values_list("name", flat=True)],
        "owner": owners,
        "region": [(region, region) for region in sorted(regions)],
        "account": [(account, account) for account in sorted(accounts)],
        "version": [
            (version, gettext("Version %(version)s") % {"version": version})
            for version in sorted(versions, key=lambda version: (len(version), version))
        ],
    }


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


def week_of(agent: Agent) -> Mapping[str, Any]:
    """The figures of an agent's last seven days as columns of a file; None where there are no runs in them."""
    row = getattr(agent, "week", None)
    names = ("run_count", "error_rate", "ttft_cold_ms", "ttft_warm_ms", "startup_ms", "cost_micros")
    found = {name: getattr(row, name, None) for name in names}
    micros = found.pop("cost_micros")
    return {**found, "cost_usd": None if micros is None else micros / 1_000_000}
