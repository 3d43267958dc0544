"""Fields that choose an agent list a few of thousands, take every other one, and find it by a piece of its name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent, Endpoint
from apps.agents.services import archive_agent
from apps.sessions.choosing import SHOWN, agents_named, keys_of_targets, offered_agents, targets_of
from apps.sessions.models import Invocation, Session
from apps.sessions.pages.again_forms import AgainForm

pytestmark = pytest.mark.django_db
OPTIONS = "/sessions/agents/"


def add_agents(count: int) -> None:
    """Many agents that take prompts, named by their numbers."""
    now = timezone.now()
    made = [
        Agent(kind="external", origin="emulator", name=f"agent {number:05}", status="READY", registered_at=now)
        for number in range(count)
    ]
    Agent.objects.bulk_create(made, batch_size=500)
    rows = (Endpoint(agent_id=key, name="DEFAULT") for key in Agent.objects.values_list("pk", flat=True))
    Endpoint.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)


def values(client: Client, **query: str) -> list[str]:
    return re.findall(r'role="option" data-value="([^"]*)"', client.get(OPTIONS, query).content.decode())


def test_those_used_last_stand_first_then_the_others_by_name(
    make_agent: Callable[..., Agent], make_session: Callable[..., Session], alice: User
) -> None:
    first, second, third = (make_agent(name=name) for name in ("xa", "xb", "xc"))
    make_session(agent=second)
    make_session(agent=third)
    assert offered_agents(alice).agents == [third, second, first]
    assert offered_agents(alice, text="XB").agents == [second]
    assert offered_agents(alice, text="nowhere", keys=[first.pk]).agents == [first]
    Agent.objects.filter(pk=third.pk).update(status="CREATING")
    assert offered_agents(alice, is_ready=True).agents == [second, first]
    archive_agent(agent=second)
    assert offered_agents(alice, keys=[second.pk], is_ready=True).agents == [first]
    assert agents_named(alice, [f"{agent.pk}:DEFAULT" for agent in (first, second, third)]) == [first]


def test_what_names_no_agent_is_left_out() -> None:
    assert keys_of_targets(["12:prod", "12:DEFAULT", "7", "", ":", "x:prod", "\u0663:a", "9" * 30]) == [12, 7]


@pytest.mark.agentcore
def test_ten_thousand_agents_are_a_short_list_and_each_is_found_by_a_piece_of_its_name(
    client: Client, make_session: Callable[..., Session], alice: User, django_assert_max_num_queries: Any
) -> None:
    session = make_session()
    add_agents(10_000)
    last = Agent.objects.get(name="agent 09999")
    client.force_login(alice)

    page = client.get(reverse("sessions:new")).content.decode()
    choice = page.partition('id="new-agent"')[2].partition("</select>")[0]
    assert choice.count("<option") == SHOWN and session.agent.name in choice.partition("</option>")[0]
    assert "data-options" in page and 'name="find"' in page and "<noscript>" in page
    found = client.get(reverse("sessions:new"), {"find": "09999"}).content.decode()
    assert re.findall(r"<option[^>]*>(.*?) ·", found.partition('id="new-agent"')[2].partition("</select>")[0]) == [
        "agent 09999"
    ]
    chosen = client.get(reverse("sessions:new"), {"agent": last.pk}).content.decode()
    assert f'<option value="{last.pk}" selected>' in chosen
    with django_assert_max_num_queries(6):
        assert values(client, q="09999") == [f"{last.pk}:DEFAULT"]
    assert values(client, q="09999", of="agent") == [str(last.pk)]
    assert len(values(client)) == SHOWN and "There are more" in client.get(OPTIONS).content.decode()
    # A form takes one that it did not list.
    run = Invocation.objects.create(
        session=session, number=1, status="completed", prompt="Hi", requested_at=timezone.now()
    )
    target = f"{last.pk}:DEFAULT"
    agents = offered_agents(alice, keys=keys_of_targets([target]), is_ready=True).agents
    form = AgainForm(QueryDict(f"where=fresh&target={target}"), run=run, agents=agents, has_prompt=True)
    assert form.is_valid(), form.errors
    fields = {"target_1": target, "target_2": targets_of(session.agent)[0][0], "prompt": "Hi", "max_cost_usd": "0"}
    refused = client.post(reverse("compare:new"), fields).content.decode()
    assert "cannot be chosen any more" not in refused and f'<option value="{target}" selected>' in refused


@pytest.mark.parametrize("text", ["x" * 201, "a\0b"])
def test_what_cannot_be_searched_for_is_refused_or_narrows_nothing(client: Client, alice: User, text: str) -> None:
    client.force_login(alice)
    assert client.get(OPTIONS, {"q": text}).status_code == 422
    assert client.get(reverse("sessions:new"), {"find": text}).status_code == 200


def test_names_stay_text(client: Client, make_agent: Callable[..., Agent], alice: User) -> None:
    make_agent(name="<script>alert(1)</script>")
    client.force_login(alice)
    assert "<script" not in client.get(OPTIONS).content.decode()
