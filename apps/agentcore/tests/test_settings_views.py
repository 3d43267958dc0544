"""The settings' page without a script: previewing and filling in the defaults keep nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.agentcore.tests.test_views import is_page, text
from apps.agents.models import Agent
from apps.agents.services import archive_agent

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("action", "shown"),
    [
        ("preview", ['"question": "Two days?"', 'value="60"']),
        ("reset", ["The defaults are filled in.", 'value="900"', '"prompt": "{{prompt}}"']),
        ("A2A", ["The body for A2A is filled in.", 'value="60"', "message/send", "This agent speaks HTTP."]),
        ("AGUI", ["The body for AGUI is filled in.", "threadId", "01234567-89ab-4cde-8f01-23456789abcd"]),
    ],
)
def test_only_saving_keeps_anything(
    client: Client, alice: User, make_agent: Callable[..., Agent], action: str, shown: list[str]
) -> None:
    agent = make_agent(payload_template={"input": "{{prompt}}"}, read_timeout_ms=30_000, retry_unproven=True)
    client.force_login(alice)
    typed = {"payload_template": '{"question": "{{prompt}}"}', "read_timeout_s": "60", "sample": "Two days?"}
    answer = client.post(f"/agents/{agent.pk}/settings/", {**typed, "action": action})

    page = text(answer)
    assert (answer.status_code, is_page(answer)) == (200, True)
    assert [part for part in shown if part not in page] == []
    agent.refresh_from_db()
    assert (agent.runtime.payload_template, agent.runtime.read_timeout_ms, agent.runtime.retry_unproven) == (
        {"input": "{{prompt}}"}, 30_000, True
    )  # fmt: skip


@pytest.mark.parametrize("seconds", ["", "0", "3601", "1.5", "a while"])
def test_a_read_timeout_that_cannot_be_is_told_what_can(
    client: Client, alice: User, make_agent: Callable[..., Agent], seconds: str
) -> None:
    agent = make_agent()
    client.force_login(alice)
    typed = {"payload_template": '{"question": "{{prompt}}"}', "read_timeout_s": seconds, "sample": "x" * 2_001}
    answer = client.post(f"/agents/{agent.pk}/settings/", typed)

    assert answer.status_code == 422
    assert answer.context["form"].errors == {
        "read_timeout_s": ["Give whole seconds, from 1 to 3600 (an hour)."],
        "sample": ["A sample prompt has at most 2,000 characters; this one has 2001."],
    }
    agent.refresh_from_db()
    assert agent.runtime.read_timeout_ms == 900_000


def test_an_unknown_placeholder_is_refused_with_those_there_are(
    client: Client, alice: User, make_agent: Callable[..., Agent]
) -> None:
    agent = make_agent()
    client.force_login(alice)
    typed = {"payload_template": '{"q": "{{prompt}}", "s": "{{session}}"}', "read_timeout_s": "60", "sample": "x"}
    answer = client.post(f"/agents/{agent.pk}/settings/", typed)

    assert answer.status_code == 422
    assert "{{session}} is unknown. Loom fills in {{prompt}}" in answer.context["form"].errors["payload_template"][0]
    assert "{{session}} is unknown" in text(answer)


def test_the_page_shows_what_an_agent_of_another_protocol_is_sent(
    client: Client, alice: User, make_agent: Callable[..., Agent]
) -> None:
    agent = make_agent(protocol="AGUI")
    client.force_login(alice)

    page = text(client.get(f"/agents/{agent.pk}/settings/"))
    assert "This agent speaks AGUI." in page and "threadId" in page
    archive_agent(agent=agent)
    assert "threadId" in text(client.get(f"/agents/{agent.pk}/"))


def test_a_literal_log_stream_is_kept_and_may_be_taken_back(
    client: Client, alice: User, make_agent: Callable[..., Agent]
) -> None:
    """S0-067."""
    agent = make_agent()
    client.force_login(alice)
    typed = {"payload_template": '{"prompt": "{{prompt}}"}', "read_timeout_s": "60"}
    address, literal = f"/agents/{agent.pk}/settings/", "BedrockAgentCoreRuntime_ApplicationLogs"
    kept = []
    for name, status in ((literal, 302), ("a:b", 422), ("a*", 422), ("x" * 513, 422), ("", 302)):
        assert client.post(address, {**typed, "log_stream": name}).status_code == status
        agent.runtime.refresh_from_db()
        kept.append(agent.runtime.log_stream)
        if name == literal:
            assert f'value="{literal}"' in client.get(address).content.decode()

    assert kept == [literal, literal, literal, literal, None]
