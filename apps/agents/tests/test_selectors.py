from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.agents.selectors import agents_visible_to, search_agents

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
