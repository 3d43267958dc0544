"""Which agents are offered where one is chosen for a prompt: those used last first, then the others by name.

A choice that is no more than a list of all would be a megabyte with 10,000 agents: the field of a page lists `SHOWN`,
and asks for others by a piece of their name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, IntegerField, When
from django.urls import reverse_lazy
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.agents.selectors import agents_visible_to, search_agents
from apps.sessions.selectors import agents_used_last_by

SHOWN = 50
DEFAULT_QUALIFIER = "DEFAULT"
LONGEST_TEXT = 200
READY = "READY"


@dataclass(frozen=True, slots=True)
class Offered:
    """Some agents with their endpoints; `has_more` where there are others, which a piece of their name finds."""

    agents: list[Agent]
    has_more: bool


def offered_agents(user: User, *, text: str = "", keys: Collection[int] = (), is_ready: bool = False) -> Offered:
    """The agents that `user` may choose and that say every word of `text`, those that they used last first.

    Those of `keys`, which are chosen already, are among them whatever `text` says. With `is_ready` only such as take
    prompts now.
    """
    agents = agents_visible_to(user)
    if is_ready:
        agents = agents.filter(status=READY)
    used = [When(pk=key, then=place) for place, key in enumerate(agents_used_last_by(user)[:SHOWN])]
    order: list[Any] = [Case(*used, default=SHOWN, output_field=IntegerField())] if used else []
    asked = text.replace("\0", "")[:LONGEST_TEXT]  # PostgreSQL takes no NUL
    found = search_agents(agents, asked).order_by(*order, "name", "pk")
    first = list(found.values_list("pk", flat=True)[: SHOWN + 1])
    wanted = [*(key for key in keys if key not in first[:SHOWN]), *first[:SHOWN]]
    rows = agents.prefetch_related("endpoints").in_bulk(wanted)
    return Offered([rows[key] for key in wanted if key in rows], len(first) > SHOWN)


def agents_named(user: User, values: Iterable[str]) -> list[Agent]:
    """The agents of some targets as a form names them, as far as they take prompts and `user` may choose them."""
    ready = agents_visible_to(user).filter(status=READY).prefetch_related("endpoints")
    return list(ready.filter(pk__in=keys_of_targets(values)).order_by("name", "pk"))


def keys_of_targets(values: Iterable[str]) -> list[int]:
    """The keys of the agents that targets name, each once; what names none is left out."""
    keys = [value.partition(":")[0] for value in values]
    return list(dict.fromkeys(int(key) for key in keys if key.isascii() and key.isdecimal() and len(key) < 19))


def target_value(agent_id: int, qualifier: str) -> str:
    """How a field names an agent's endpoint."""
    return f"{agent_id}:{qualifier}"


def targets_of(agent: Agent) -> list[tuple[str, str]]:
    """An agent's endpoints as choices, with the versions that they lead to."""
    found = [
        (target_value(agent.pk, endpoint.name), _target_label(agent.name, endpoint.name, endpoint.live_version))
        for endpoint in agent.endpoints.all()
    ]
    return found or [(target_value(agent.pk, DEFAULT_QUALIFIER), _target_label(agent.name, DEFAULT_QUALIFIER, ""))]


def _target_label(agent: str, endpoint: str, version: str) -> str:
    if not version:
        return f"{agent} · {endpoint}"
    told = _("%(agent)s · %(endpoint)s → version %(version)s")
    return told % {"agent": agent, "endpoint": endpoint, "version": version}


# What makes a field one that is searched, where scripts run: see `picker.js`.
PICKS_TARGETS = {"data-widget": "picker", "data-options": reverse_lazy("sessions:agent-options-fragment")}
