from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.agents.selectors import agent_visible_to, agents_visible_to, search_agents

pytestmark = pytest.mark.django_db


def names(agents: Any) -> list[str]:
    return [agent.name for agent in agents]


def test_everyone_signed_in_sees_what_is_registered_in_this_mode(
    make_agent: Callable[..., Agent], bob: User, settings: Any
) -> None:
    make_agent(name="zebra")
    make_agent(name="ant")
    make_agent(name="removed", removed_at=timezone.now())
    make_agent(name="real", origin="aws")

    assert names(agents_visible_to(bob)) == ["ant", "zebra"]
    assert names(agents_visible_to(AnonymousUser())) == []
    settings.LOOM_AWS = "aws"
    assert names(agents_visible_to(bob)) == ["real"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["order_desk", "weather"]),
        ("WEATHER", ["weather"]),
        ("trains", ["order_desk"]),
        ("eu-west-1", ["weather"]),
        ("123456789012", ["order_desk", "weather"]),
        ("order trains", ["order_desk"]),
        ("weather trains", []),
        ("o%r", []),
        ("order_desk", ["order_desk"]),
        ("order?desk", []),
        ("orderxdesk", []),
    ],
)
def test_every_word_has_to_be_found_in_name_arn_or_description(
    make_agent: Callable[..., Agent], text: str, found: list[str]
) -> None:
    make_agent(name="order_desk", description="Sells trains")
    make_agent(
        name="weather",
        description="Looks out",
        arn="arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-AbCdEf9999",
    )

    assert names(search_agents(Agent.objects.all(), text)) == found


def test_the_agent_of_an_id_is_the_one_of_the_list(
    make_agent: Callable[..., Agent], bob: User, carol: User, settings: Any
) -> None:
    agents = [make_agent(), make_agent(kind="loom", origin="loom"), make_agent(removed_at=timezone.now()),
              make_agent(origin="aws")]  # fmt: skip
    ids = [*(agent.pk for agent in agents), 0, 10**6]
    for mode in ("emulator", "aws"):
        settings.LOOM_AWS = mode
        for user in (bob, carol, AnonymousUser()):
            of_list = [agents_visible_to(user).filter(pk=pk).first() for pk in ids]
            assert [agent_visible_to(user, pk) for pk in ids] == of_list
            assert sum(agent is not None for agent in of_list) == (2 if user.is_authenticated else 0)
    assert agent_visible_to(bob, 10**30) is None
    found = agent_visible_to(bob, agents[3].pk)
    assert found is not None
    assert (found.runtime.arn, found.origin) == (agents[3].runtime.arn, "aws")
