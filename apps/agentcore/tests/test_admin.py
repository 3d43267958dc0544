from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import path, reverse

from apps.accounts.models import User
from apps.agents.models import Agent, Endpoint

urlpatterns = [path("admin/", admin.site.urls)]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("alice@example.com"))
    return client


@pytest.fixture
def agent(make_agent: Callable[..., Agent]) -> Agent:
    arn = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/weather-AbCdEf1234"
    return make_agent(name="weather", arn=arn, runtime_id="weather-AbCdEf1234")


def test_only_what_is_ours_can_be_changed(staff: Client, agent: Agent) -> None:
    response = staff.post(
        reverse("admin:agentcore_runtime_change", args=[agent.pk]),
        {
            "payload_template": '{"input": "{{prompt}}"}',
            "read_timeout_ms": "5000",
            "retry_unproven": "on",
            "region": "elsewhere",
        },
    )

    agent.refresh_from_db()
    assert response.status_code == 302
    runtime = agent.runtime
    assert (runtime.payload_template, runtime.read_timeout_ms, runtime.retry_unproven, runtime.region) == (
        {"input": "{{prompt}}"},
        5000,
        True,
        "us-east-1",
    )
    page = staff.get(reverse("admin:agents_agent_change", args=[agent.pk])).content.decode()
    assert "weather" in page and "ormer" not in page


def test_a_template_that_cannot_be_filled_in_is_refused(staff: Client, agent: Agent) -> None:
    response = staff.post(
        reverse("admin:agentcore_runtime_change", args=[agent.pk]),
        {"payload_template": '{"input": "{{prompt}} {{nobody}}"}', "read_timeout_ms": "5000"},
    )

    assert response.status_code == 200
    assert "{{nobody}} is unknown." in response.content.decode()
    agent.refresh_from_db()
    assert agent.runtime.payload_template == {"prompt": "{{prompt}}"}


def test_agents_are_neither_added_nor_deleted_here(staff: Client, agent: Agent) -> None:
    assert staff.get(reverse("admin:agents_agent_add")).status_code == 403
    assert staff.post(reverse("admin:agents_agent_delete", args=[agent.pk]), {"post": "yes"}).status_code == 403
    assert Agent.objects.count() == 1


def test_agents_and_endpoints_are_found(staff: Client, agent: Agent) -> None:
    Endpoint.objects.create(agent=agent, name="prod", live_version="3", status="READY")

    agents = staff.get(reverse("admin:agents_agent_changelist"), {"q": "weather"})
    endpoints = staff.get(reverse("admin:agents_endpoint_changelist"), {"q": "prod"})

    assert [row.name for row in agents.context["cl"].result_list] == ["weather"]
    assert [str(row.agent) for row in endpoints.context["cl"].result_list] == ["weather"]


def test_actions_refresh_and_archive_by_the_services(
    client: Client, carol: User, agent: Agent, demo_agent: Callable[[str], Agent]
) -> None:
    """S0-112: one that AWS does not know says so and keeps the others from nothing."""
    User.objects.filter(pk=carol.pk).update(is_superuser=True)
    client.force_login(carol)
    known = demo_agent("code_tutor")
    Agent.objects.update(version="0")
    chosen = {"_selected_action": [known.pk, agent.pk]}
    address = reverse("admin:agents_agent_changelist")
    refreshed = client.post(address, {"action": "refresh", **chosen}, follow=True).content.decode()

    assert "1 agent refreshed." in refreshed and "Weather: " in refreshed
    assert {row.name: row.version != "0" for row in Agent.objects.all()} == {"code_tutor": True, "weather": False}
    archived = client.post(address, {"action": "archive", **chosen}, follow=True).content.decode()
    assert "2 agents archived." in archived
    assert Agent.objects.filter(removed_at=None).count() == 0
