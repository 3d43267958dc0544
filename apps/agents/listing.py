"""The agents of the list: which are found, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet
from django.db.models.expressions import OrderBy
from django.db.models.functions import Lower

from apps.agents.models import Agent
from apps.agents.selectors import search_agents

PAGE_SIZE = 50
DEFAULT_SORT = "name"
ARCHIVED = "archived"
REGION, ACCOUNT = "runtime__region", "runtime__account_id"
_SORT_KEYS: dict[str, F | Lower] = {
    "name": Lower("name"),
    "status": F("status"),
    "place": F(REGION),
    "active": F("last_invoked_at"),
    "registered": F("registered_at"),
    "archived": F("removed_at"),
}
SORTS = [*_SORT_KEYS, *(f"-{name}" for name in _SORT_KEYS)]


@dataclass(frozen=True, slots=True)
class AgentFilter:
    """What a reader asked the list for; an empty value asks for nothing. `state` is "archived" or empty."""

    text: str = ""
    status: str = ""
    region: str = ""
    account_id: str = ""
    state: str = ""
    sort: str = DEFAULT_SORT

    @property
    def is_archived(self) -> bool:
        return self.state == ARCHIVED

    @property
    def is_narrowed(self) -> bool:
        """Whether an agent of the chosen state can be left out."""
        return bool(self.text or self.status or self.region or self.account_id)


def find_agents(registry: QuerySet[Agent], wanted: AgentFilter) -> QuerySet[Agent]:
    """Those of `registry` that the filter keeps, in its order; agents without the value sorted by come last."""
    agents = search_agents(of_state(registry, wanted.state), wanted.text)
    kept = (("status", wanted.status), (REGION, wanted.region), (ACCOUNT, wanted.account_id))
    for column, value in kept:
        if value:
            agents = agents.filter(**{column: value})
    return agents.order_by(*_order(wanted.sort))


def of_state(registry: QuerySet[Agent], state: str) -> QuerySet[Agent]:
    """The archived agents of `registry`, or the others."""
    return registry.filter(removed_at__isnull=state != ARCHIVED)


def _order(sort: str) -> list[OrderBy | str]:
    name = sort.removeprefix("-")
    key = _SORT_KEYS[name]
    order = key.desc(nulls_last=True) if sort != name else key.asc(nulls_last=True)
    # Accounts follow their regions, and names decide where nothing else does.
    return [order, *([ACCOUNT] if name == "place" else []), Lower("name").asc(), "pk"]


def counts_by_state(registry: QuerySet[Agent]) -> tuple[int, int]:
    """How many agents are registered, and how many archived."""
    counts = registry.aggregate(
        registered=Count("pk", filter=Q(removed_at=None)), archived=Count("pk", filter=Q(removed_at__isnull=False))
    )
    return counts["registered"], counts["archived"]


def values_of(agents: QuerySet[Agent], column: str) -> list[str]:
    """The different values of a column, in order; what an agent's kind does not have is none."""
    return list(agents.exclude(**{column: None}).order_by(column).values_list(column, flat=True).distinct())
