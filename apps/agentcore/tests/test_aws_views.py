"""How an agent is invoked, and what AWS is asked for beside its page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.agentcore.tests.conftest import OrderFault
from apps.agentcore.tests.test_views import HTMX, REGISTER, TRAVEL, is_page, text
from apps.agents.models import Agent

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def test_settings_are_kept_only_when_they_can_be_sent(signed_in: Client, make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()
    address = f"/agents/{agent.pk}/settings/"
    good = {"payload_template": '{"input": "Q: {{prompt}}"}', "read_timeout_s": "60", "retry_unproven": "on"}

    refused = signed_in.post(address, {**good, "payload_template": '{"input": 1}', "read_timeout_s": "0"})
    preview = signed_in.post(address, {**good, "sample": 'say "hi"'}, headers={**HTMX, "HX-Target": "payload-preview"})
    defaults = signed_in.post(address, {**good, "action": "reset"})

    assert (refused.status_code, "no prompt would reach the agent" in text(refused)) == (422, True)
    assert '"input": "Q: say \\"hi\\""' in text(preview) and not is_page(preview)
    assert "The defaults are filled in." in text(defaults)
    agent.refresh_from_db()
    assert (agent.runtime.payload_template, agent.runtime.read_timeout_ms) == ({"prompt": "{{prompt}}"}, 900_000)
    saved = signed_in.post(address, good)
    agent.refresh_from_db()
    assert (saved.status_code, saved["Location"]) == (302, address)
    assert (agent.runtime.payload_template, agent.runtime.read_timeout_ms, agent.runtime.retry_unproven) == (
        {"input": "Q: {{prompt}}"}, 60_000, True,
    )  # fmt: skip


def test_an_agent_of_another_account_is_warned_of(
    emulator: Any, signed_in: Client, make_agent: Callable[..., Agent]
) -> None:
    own, foreign = make_agent(), make_agent(account_id="111122223333")

    assert "belongs to account 111122223333, Loom's credentials to 123456789012" in text(
        signed_in.get(f"/agents/{foreign.pk}/account/")
    )
    assert text(signed_in.get(f"/agents/{own.pk}/account/")).strip() == ""


def test_versions_are_listed_or_the_missing_permission_is_named(order_fault: OrderFault, signed_in: Client) -> None:
    signed_in.post(REGISTER, {"arn": TRAVEL})
    address = f"/agents/{Agent.objects.get().pk}/versions/"

    part = {**HTMX, "HX-Target": "agent-versions"}
    versions, asked = text(signed_in.get(address, headers=part)), text(signed_in.get(address, {"ask": ""}))
    order_fault(kind="error", operation="ListAgentRuntimeVersions", code="AccessDeniedException")
    denied = text(signed_in.get(address, headers=part))

    for shown in (versions, asked):
        assert all(f"<td><b>{number}</b></td>" in shown for number in (3, 2, 1))
    assert ("<html" in versions, "<html" in asked) == (False, True)
    # The page itself asks nobody, and says with what it will.
    page = text(signed_in.get(address))
    assert "<td><b>1</b></td>" not in page and f'hx-get="{address}"' in page and f'href="{address}?ask"' in page
    assert "bedrock-agentcore:ListAgentRuntimeVersions" in denied and "Try again" in denied


def test_awss_own_metrics_say_what_is_missing(order_fault: OrderFault, signed_in: Client) -> None:
    signed_in.post(REGISTER, {"arn": TRAVEL})
    address = f"/agents/{Agent.objects.get().pk}/aws-metrics/?range=1h"
    order_fault(kind="error", operation="GetMetricData", code="AccessDenied", status=403)

    denied, allowed = text(signed_in.get(address)), text(signed_in.get(address))

    assert "cloudwatch:GetMetricData" in denied and "iac/policies/metrics.json" in denied
    assert "cloudwatch:GetMetricData" not in allowed and "AWS's own metrics" in allowed
