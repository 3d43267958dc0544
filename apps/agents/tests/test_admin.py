from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import path, reverse

from apps.agents.models import Agent, Endpoint

urlpatterns = [path("admin/", admin.site.urls)]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("alice@example.com"))
    return client


@pytest.fixture
def agent() -> Agent:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    return Agent.objects.create(
        arn="arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/weather-AbCdEf1234",
        origin=Agent.Origin.EMULATOR,
        runtime_id="weather-AbCdEf1234",
        name="weather",
        status="READY",
        region="us-east-1",
        account_id="123456789012",
        log_group="/aws/bedrock-agentcore/runtimes/weather-AbCdEf1234-DEFAULT",
        registered_at=now,
        last_refreshed_at=now,
    )


def test_only_what_is_ours_can_be_changed(staff: Client, agent: Agent) -> None:
    response = staff.post(
        reverse("admin:agents_agent_change", args=[agent.pk]),
        {
            "payload_template": '{"input": "{{prompt}}"}',
            "read_timeout_ms": "5000",
            "retry_unproven": "on",
            "name": "other",
        },
    )

    agent.refresh_from_db()
    assert response.status_code == 302
    assert (agent.payload_template, agent.read_timeout_ms, agent.retry_unproven, agent.name) == (
        {"input": "{{prompt}}"},
        5000,
        True,
        "weather",
    )


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
