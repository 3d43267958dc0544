from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.agentcore.importing.discovery import DISCOVER_ADVICE
from apps.agentcore.importing.forms import MAX_CHOSEN
from apps.agentcore.importing.views import CHUNK_SIZE
from apps.agentcore.services import register_agent
from apps.agentcore.tests.conftest import OrderFault
from apps.agentcore.tests.runtimes import JWT_AUTHORIZER, create_runtime, create_runtimes, dead_address, unknown_arn
from apps.agents.models import Agent

REGION = "ap-southeast-1"
IMPORT, CHOSEN = "/agents/import/", "/agents/import/chosen/"
OPEN = {"HX-Request": "true", "HX-Target": "import-panel"}
GO_ON = {"HX-Request": "true", "HX-Target": "import-state"}
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("emulator")]


@pytest.fixture
def signed_in(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def text(response: Any) -> str:
    """What a reader sees of an answer: its text, blanks joined."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def offered(response: Any) -> list[str]:
    return re.findall(r'<input type="checkbox" name="arn" value="([^"]*)"', response.content.decode())


def hidden(response: Any) -> dict[str, list[str]]:
    """The hidden fields of the form that goes on, with all their values."""
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', response.content.decode()):
        if name != "csrfmiddlewaretoken":
            fields.setdefault(name, []).append(value)
    return fields


def test_the_dialog_offers_what_is_not_registered(signed_in: Client) -> None:
    region = "ap-southeast-2"
    first, known, second = (create_runtime(region, f"offer_{name}") for name in ("a", "known", "b"))
    register_agent(arn=known, user=None)

    fragment = signed_in.get(IMPORT, {"region": region}, headers=OPEN)
    page = signed_in.get(IMPORT, {"region": region})

    assert fragment.status_code == page.status_code == 200
    assert offered(fragment) == offered(page) == [first, second]
    assert fragment.content.decode().lstrip().startswith('<div id="import-panel"')
    assert "Select all 2" in text(fragment)
    assert "1 more are registered already." in text(fragment)
    assert "<html" in page.content.decode()


def test_without_a_region_the_configured_one_is_asked_and_known_ones_are_suggested(
    signed_in: Client, make_agent: Callable[..., Agent]
) -> None:
    make_agent(region="eu-central-1")
    page = signed_in.get(IMPORT).content.decode()

    assert 'value="us-east-1"' in page
    assert re.findall(r'<option value="([^"]*)"', page) == ["us-east-1", "eu-central-1"]


def test_empty_regions_say_what_to_do(signed_in: Client) -> None:
    empty = signed_in.get(IMPORT, {"region": "ap-northeast-1"}, headers=OPEN)
    register_agent(arn=create_runtime("ap-northeast-2", "only"), user=None)
    complete = signed_in.get(IMPORT, {"region": "ap-northeast-2"}, headers=OPEN)

    assert "The account has no runtimes in ap-northeast-1 Choose another region" in text(empty)
    assert "All 1 runtimes of ap-northeast-2 are registered" in text(complete)
    assert offered(empty) == offered(complete) == []


def test_a_missing_permission_is_named(signed_in: Client, order_fault: OrderFault) -> None:
    order_fault(kind="error", operation="ListAgentRuntimes", code="AccessDeniedException", message="Not authorized.")

    response = signed_in.get(IMPORT, {"region": REGION}, headers=OPEN)

    assert response.status_code == 200
    assert f"Not authorized. {DISCOVER_ADVICE}" in text(response)
    assert "bedrock-agentcore:ListAgentRuntimes" in DISCOVER_ADVICE
    assert "AWS request id" in text(response)


def test_what_is_no_region_comes_back_with_the_reason(signed_in: Client) -> None:
    response = signed_in.get(IMPORT, {"region": 'moon"><b>'}, headers=OPEN)

    assert response.status_code == 422
    assert "This is not an AWS region; write it like us-east-1." in text(response)
    assert b'value="moon&quot;&gt;&lt;b&gt;"' in response.content


def test_an_unreachable_aws_is_said(signed_in: Client, settings: Any) -> None:
    with dead_address() as url:
        settings.EMULATOR_URL = url
        response = signed_in.get(IMPORT, {"region": "us-west-1"}, headers=OPEN)

    assert response.status_code == 200
    assert "The connection could not be made." in text(response)


def test_the_chosen_are_registered_and_each_is_reported(signed_in: Client, alice: User) -> None:
    plain = create_runtime(REGION, "chosen_plain")
    jwt = create_runtime(REGION, "chosen_jwt", authorizerConfiguration=JWT_AUTHORIZER)
    lost = unknown_arn(REGION)

    response = signed_in.post(CHOSEN, {"arn": [plain, jwt, lost]}, headers=OPEN)

    assert {agent.runtime.arn: agent.registered_by for agent in Agent.objects.all()} == {plain: alice, jwt: alice}
    said = text(response)
    assert said.startswith("2 registered, 0 known already, 1 refused. ")
    assert "registered chosen_plain" in said
    assert "chosen_jwt Loom cannot invoke this agent: it accepts only JWT bearer tokens" in said
    assert f"refused {lost} " in said
    assert "It does not exist in this account and region." in said
    assert json.loads(response["HX-Trigger"]) == {"loom:agents-changed": {}}


def test_many_are_registered_in_steps_that_show_how_far_it_is(signed_in: Client) -> None:
    arns = create_runtimes(REGION, "steps", CHUNK_SIZE + 2)

    first = signed_in.post(CHOSEN, {"arn": arns}, headers=OPEN)
    assert Agent.objects.count() == CHUNK_SIZE
    assert f"{CHUNK_SIZE} of {CHUNK_SIZE + 2}" in text(first)
    assert 'hx-trigger="load, submit"' in first.content.decode()
    assert "HX-Trigger" not in first
    assert hidden(first) == {
        "total": [str(CHUNK_SIZE + 2)],
        "registered": [str(CHUNK_SIZE)],
        "known": ["0"],
        "refused": ["0"],
        "arn": arns[CHUNK_SIZE:],
    }

    last = signed_in.post(CHOSEN, hidden(first), headers=GO_ON)
    assert Agent.objects.count() == CHUNK_SIZE + 2
    assert text(last).startswith(f"{CHUNK_SIZE + 2} registered, 0 known already, 0 refused.")
    assert hidden(last) == {}
    assert '<ul id="import-report" hx-swap-oob="beforeend">' in last.content.decode()
    assert last.content.decode().count("<li>") == 2
    assert json.loads(last["HX-Trigger"]) == {"loom:agents-changed": {}}


def test_without_htmx_all_are_registered_at_once(signed_in: Client) -> None:
    arns = create_runtimes(REGION, "plainly", CHUNK_SIZE + 1)

    response = signed_in.post(CHOSEN, {"arn": arns})

    assert Agent.objects.count() == CHUNK_SIZE + 1
    assert f"{CHUNK_SIZE + 1} registered, 0 known already, 0 refused." in text(response)
    assert "<html" in response.content.decode()


def test_a_lost_connection_ends_it_and_says_how_many_were_not_tried(signed_in: Client, settings: Any) -> None:
    arns = [unknown_arn("us-west-2", number) for number in range(CHUNK_SIZE + 5)]
    with dead_address() as url:
        settings.EMULATOR_URL = url
        response = signed_in.post(CHOSEN, {"arn": arns}, headers=OPEN)

    assert "AWS could not be reached. 5 were not tried." in text(response)
    assert hidden(response) == {}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "Choose at least one runtime."),
        ({"arn": [str(number) for number in range(MAX_CHOSEN + 1)]}, "Choose at most 500 runtimes at a time."),
    ],
)
def test_nothing_or_too_much_chosen_is_refused(signed_in: Client, data: dict[str, Any], reason: str) -> None:
    response = signed_in.post(CHOSEN, data, headers=OPEN)

    assert response.status_code == 422
    assert reason in text(response)


def test_only_who_is_signed_in_may_import(client: Client) -> None:
    assert client.get(IMPORT).status_code == 302
    assert client.post(CHOSEN, {"arn": [unknown_arn(REGION)]}).status_code == 302


def test_the_agents_page_opens_the_dialog(signed_in: Client) -> None:
    page = signed_in.get(reverse("agents:list")).content.decode()

    assert re.search(r'<a href="/agents/import/"[^>]*data-dialog="import-dialog"[^>]*hx-get="/agents/import/"', page)
    assert '<dialog class="dialog" id="import-dialog"' in page


def test_what_keeps_loom_from_invoking_is_shown_in_list_and_detail(
    signed_in: Client, make_agent: Callable[..., Agent]
) -> None:
    jwt = make_agent(authorizer_kind="jwt", raw_metadata={"metadataConfiguration": {"requireMMDSV2": True}})
    old = make_agent(raw_metadata={"agentRuntimeId": "x"})
    fine = make_agent(raw_metadata={"metadataConfiguration": {"requireMMDSV2": True}})

    rows = text(signed_in.get(reverse("agents:list")))
    jwt_page, old_page, fine_page = (
        text(signed_in.get(reverse("agents:detail", args=[agent.pk]))) for agent in (jwt, old, fine)
    )

    assert (rows.count("Ready JWT"), rows.count("Ready No MMDSv2"), rows.count(" Ready ")) == (1, 1, 3)
    assert "Loom cannot invoke this agent: it accepts only JWT bearer tokens" in jwt_page
    assert "Start session" not in jwt_page
    assert "AWS refuses invocations since 2026-06-30" in old_page
    assert "metadataConfiguration.requireMMDSV2 = true" in old_page
    assert "Start session" in old_page
    assert "MMDSv2" not in fine_page.replace("requireMMDSV2", "")
