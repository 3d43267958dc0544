"""Every change of agents that no host has a part in."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.agents.models import Agent, AgentTag, Endpoint, FavouriteAgent
from apps.core.exceptions import InvalidInputError
from apps.core.tags import TAGS_AT_MOST, normalised, one_tag, tag_key, tags_named

logger = logging.getLogger(__name__)

LAST_POSITION = 32_767  # of PostgreSQL's smallest integers


def archive_agent(*, agent: Agent) -> None:
    """Hide an agent. Its history stays, AWS is not touched, registering the ARN again brings it back."""
    Agent.objects.filter(pk=agent.pk, removed_at=None).update(removed_at=timezone.now())
    logger.info("agent archived id=%s", agent.pk)


def describe_agent(*, agent: Agent, name: str, description: str) -> None:
    """Give an agent a name and a description of our own. Raises InvalidInputError for a name that is none."""
    name, longest = name.strip(), Agent._meta.get_field("name").max_length
    if not name:
        raise InvalidInputError("An agent needs a name.")
    if longest is not None and len(name) > longest:
        raise InvalidInputError(f"An agent's name has at most {longest} characters.")
    agent.name, agent.description = name, description.strip()
    agent.save(update_fields=["name", "description"])
    logger.info("agent described id=%s", agent.pk)


def order_endpoints(*, agent: Agent, names: Iterable[str]) -> None:
    """Offer the agent's endpoints in the order of these names, those that are not named after them."""
    wanted = {name: position for position, name in enumerate(names)}
    with transaction.atomic():
        # Two at once do not mix, and what AWS has told meanwhile stays.
        agent.refresh_from_db(fields=["available_qualifiers"], from_queryset=Agent.objects.select_for_update())
        endpoints = sorted(
            Endpoint.objects.filter(agent=agent), key=lambda row: (wanted.get(row.name, len(wanted)), row.name)
        )
        is_by_name = [row.name for row in endpoints] == sorted(row.name for row in endpoints)
        for position, endpoint in enumerate(endpoints):
            endpoint.position = 0 if is_by_name else position
        Endpoint.objects.bulk_update(endpoints, ["position"])
        agent.available_qualifiers = in_order(agent, agent.available_qualifiers)
        agent.save(update_fields=["available_qualifiers"])


def in_order(agent: Agent, qualifiers: Iterable[str]) -> list[str]:
    """The names of endpoints as somebody has put them, else by name."""
    positions = {} if agent.pk is None else dict(Endpoint.objects.filter(agent=agent).values_list("name", "position"))
    last = position_of_new(positions.values())
    return sorted(qualifiers, key=lambda name: (positions.get(name, last), name))


def position_of_new(positions: Iterable[int]) -> int:
    """Where a new endpoint is offered beside those with these positions: last, if somebody has put them in order."""
    highest = max(positions, default=0)
    return min(highest + 1, LAST_POSITION) if highest else 0


def set_agent_tags(*, agent: Agent, names: Iterable[str]) -> list[str]:
    """Give the agent these tags in the place of those it has; return them as they are called.

    Raises InvalidInputError where a name cannot be one.
    """
    wanted = normalised(names)
    with transaction.atomic():
        Agent.objects.select_for_update().filter(pk=agent.pk).first()  # two at once do not mix
        tags = tags_named(wanted)
        AgentTag.objects.filter(agent=agent).delete()
        AgentTag.objects.bulk_create(AgentTag(agent=agent, tag=tag) for tag in tags)
    return [tag.name for tag in tags]


def tag_agent(*, agent: Agent, name: str) -> str:
    """Give the agent a tag beside those that it has; return how the tag is called.

    Raises InvalidInputError where the name cannot be one, or there is no room for another.
    """
    wanted = one_tag(name)
    with transaction.atomic():
        Agent.objects.select_for_update().filter(pk=agent.pk).first()  # two at once do not mix
        (tag,) = tags_named([wanted])
        others = AgentTag.objects.filter(agent=agent).exclude(tag=tag)
        if others.count() >= TAGS_AT_MOST:
            raise InvalidInputError(
                _("It has {most} tags already.").format(most=TAGS_AT_MOST), advice=_("Remove one of its tags first.")
            )
        AgentTag.objects.get_or_create(agent=agent, tag=tag)
    return tag.name


def untag_agent(*, agent: Agent, name: str) -> bool:
    """Take a tag away; whether the agent had it. Raises InvalidInputError for a name that cannot be a tag."""
    return bool(AgentTag.objects.filter(agent=agent, tag__key=tag_key(one_tag(name))).delete()[0])


def star_agent(*, owner: User, agent: Agent) -> None:
    """Give an agent a star that its owner alone sees; a second time changes nothing. Raises InvalidInputError."""
    if FavouriteAgent.objects.filter(owner=owner).exclude(agent=agent).count() >= FavouriteAgent.MOST:
        raise InvalidInputError(
            _("You have given {most} agents a star already.").format(most=FavouriteAgent.MOST),
            advice=_("Take it from one that you need less."),
        )
    FavouriteAgent.objects.get_or_create(owner=owner, agent=agent)


def unstar_agent(*, owner: User, agent: Agent) -> None:
    """Take it away again."""
    FavouriteAgent.objects.filter(owner=owner, agent=agent).delete()
