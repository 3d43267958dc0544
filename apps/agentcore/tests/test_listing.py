"""The list of agents and the page of one: what stands there, in which order, and where a form leads back to."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.tests.conftest import OrderFault
from apps.agentcore.tests.test_views import LIST, REGISTER, TRAVEL, said, text
from apps.agents.models import Agent

pytestmark = pytest.mark.django_db

MakeAgent = Callable[..., Agent]


@pytest.fixture
def signed_in(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def test_an_agent_is_told_by_name_id_status_region_qualifiers_and_when_it_was_registered(
    emulator: Any, signed_in: Client, alice: User
) -> None:
    """S0-107: registered with a toast, in the list with a coloured status, refreshed and archived from there."""
    response = signed_in.post(REGISTER, {"arn": TRAVEL})
    agent = Agent.objects.get()
    assert said(response) == [("success", "travel_concierge is registered.")]

    row = text(signed_in.get(LIST)).partition('id="agent-table"')[2]
    seen = " ".join(re.sub(r"<[^>]*>", " ", row).split())
    told = (
        "travel_concierge", "travel_concierge-Xk29QmT7aB", "Plans short trips by train", "Ready", "us-east-1",
        "DEFAULT → 3", "prod → 2", "registered",
    )  # fmt: skip
    assert [part for part in told if part not in seen] == []
    assert re.search(r'class="badge badge-ok[^"]*"[^>]*>(?:<[^>]+>)*\s*Ready', row)
    assert f'action="/agents/{agent.pk}/refresh/"' in row and f'data-dialog-action="/agents/{agent.pk}/archive/"' in row
    facts = " ".join(re.sub(r"<[^>]*>", " ", text(signed_in.get(f"/agents/{agent.pk}/"))).split())
    assert "Runtime id travel_concierge-Xk29QmT7aB" in facts
    assert f"Registered {agent.registered_at:%Y-%m-%d %H:%M:%S} UTC by {alice.email}" in facts


def test_refreshing_and_archiving_lead_back_to_the_list_as_it_was_but_never_elsewhere(
    order_fault: OrderFault, signed_in: Client, make_agent: MakeAgent
) -> None:
    agent = make_agent(arn=TRAVEL)
    here = f"{LIST}?q=travel&sort=-active&page=2"
    for action in ("refresh", "archive"):
        assert signed_in.post(f"/agents/{agent.pk}/{action}/", {"next": here})["Location"] == here
    Agent.objects.update(removed_at=None)
    away = signed_in.post(f"/agents/{agent.pk}/archive/", {"next": "https://evil.example/"})
    assert away["Location"] == LIST


def test_an_archived_agent_that_aws_refuses_stays_archived_and_says_why(
    order_fault: OrderFault, signed_in: Client, make_agent: MakeAgent
) -> None:
    agent = make_agent(arn=TRAVEL, name="weather", removed_at=timezone.now())
    order_fault(kind="error", operation="GetAgentRuntime", code="AccessDeniedException", message="You may not")

    response = signed_in.post(f"/agents/{agent.pk}/revive/")

    agent.refresh_from_db()
    [(level, message)] = said(response)
    assert (response["Location"], level, agent.removed_at is None) == (f"/agents/{agent.pk}/", "error", False)
    assert message.startswith("weather stays archived. You may not")
