from __future__ import annotations

import html
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.tests.conftest import OrderFault
from apps.agents.models import Agent
from apps.core.tables.table import PAGE_SIZE

pytestmark = pytest.mark.django_db

TRAVEL = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/travel_concierge-Xk29QmT7aB"
LIST, REGISTER = "/agents/", "/agents/register/"
HTMX = {"HX-Request": "true"}
SEARCH = {**HTMX, "HX-Target": "agent-table"}


@pytest.fixture
def signed_in(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def text(response: Any) -> str:
    return html.unescape(response.content.decode())


def is_page(response: Any) -> bool:
    return "<html" in text(response)


def said(response: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, str(message)) for message in get_messages(response.wsgi_request)]


def listed(response: Any) -> list[str]:
    return [agent.name for agent in response.context["table"].rows]


def test_an_empty_registry_says_what_to_do_next(signed_in: Client) -> None:
    page = text(signed_in.get(LIST))

    assert "0 registered agents" in page
    assert '<form id="agent-form"' in page and "Import from the account" in page
    assert ".venv/bin/python manage.py seed_demo" in page


def test_the_list_shows_each_agent_with_status_endpoints_and_place(
    signed_in: Client, make_agent: Callable[..., Agent]
) -> None:
    agent = make_agent(name="weather", description="Looks out", status="UPDATE_FAILED", invocation_count=1234)
    page = text(signed_in.get(LIST))

    for part in (
        f'href="/agents/{agent.pk}/"',
        "<b>weather</b>",
        '<small title="Looks out" dir="auto">Looks out</small>',
        '123456789012 · us-east-1 · <span class="nowrap">DEFAULT → 3</span>',
        "Update failed",
        "never",
        f'formaction="/agents/{agent.pk}/refresh/"',
        f'data-dialog-action="/agents/{agent.pk}/archive/"',
        "1 registered agent<",
    ):
        assert part in page, part


def test_search_keeps_the_page_with_what_was_typed(signed_in: Client, make_agent: Callable[..., Agent]) -> None:
    make_agent(name="weather")
    make_agent(name="order_desk")

    response = signed_in.get(LIST, {"q": " weath "})

    assert (is_page(response), listed(response)) == (True, ["weather"])
    assert 'value="weath"' in text(response)
    assert "2 registered agents" in text(response)


def test_search_over_htmx_answers_with_the_table_alone(signed_in: Client, make_agent: Callable[..., Agent]) -> None:
    make_agent(name="weather")
    make_agent(name="order_desk")

    response = signed_in.get(LIST, {"q": "weath"}, headers=SEARCH)

    assert (is_page(response), listed(response)) == (False, ["weather"])
    assert text(response).strip().startswith('<section class="card" id="agent-table"')
    assert {"HX-Request", "HX-Target", "Cookie"} <= set(response["Vary"].split(", "))


def test_what_is_not_found_leads_back_to_everything(signed_in: Client, make_agent: Callable[..., Agent]) -> None:
    make_agent(name="weather")

    page = text(signed_in.get(LIST, {"q": "<b>nothing</b>\0"}, headers=SEARCH))

    assert "No agent matches “<b>nothing</b>”" in page
    assert 'href="/agents/"' in page


def test_what_was_searched_is_escaped(signed_in: Client) -> None:
    response = signed_in.get(LIST, {"q": '"><script>alert(1)</script>'})

    assert b"<script>alert" not in response.content


def test_going_back_in_the_browser_gets_the_whole_page(signed_in: Client) -> None:
    """htmx restores a page of its history by a request of its own, without a target."""
    assert is_page(signed_in.get(LIST, headers={**HTMX, "HX-History-Restore-Request": "true"}))


def test_long_lists_come_in_pages_that_keep_the_search(signed_in: Client, make_agent: Callable[..., Agent]) -> None:
    for number in range(PAGE_SIZE + 1):
        make_agent(name=f"agent_{number:03}")

    first, second = signed_in.get(LIST, {"q": "agent"}), signed_in.get(LIST, {"q": "agent", "page": "2"})

    assert (len(listed(first)), listed(second)) == (PAGE_SIZE, [f"agent_{PAGE_SIZE:03}"])
    assert 'rel="next" href="/agents/?q=agent&page=2"' in text(first)
    assert 'rel="prev" href="/agents/?q=agent&page=1"' in text(second)
    for nonsense in ("0", "x", "999", "-1", "1e9"):
        assert signed_in.get(LIST, {"page": nonsense}).status_code == 200


def test_the_list_costs_the_same_for_any_number_of_agents(
    signed_in: Client, make_agent: Callable[..., Agent], django_assert_max_num_queries: Any
) -> None:
    for _ in range(20):
        make_agent()

    with django_assert_max_num_queries(15):
        signed_in.get(LIST)


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_registering_leads_to_the_agent(emulator: Any, signed_in: Client, alice: User, headers: dict[str, str]) -> None:
    """S0-094, with and without htmx."""
    response = signed_in.post(REGISTER, {"arn": f" {TRAVEL} "}, headers=headers)

    agent = Agent.objects.get()
    assert (agent.runtime.arn, agent.registered_by) == (TRAVEL, alice)
    where = "HX-Redirect" if headers else "Location"
    assert (response.status_code, response[where]) == (200 if headers else 302, f"/agents/{agent.pk}/")
    assert said(response) == [("success", "travel_concierge is registered.")]


def test_a_refusal_over_htmx_is_the_form_with_the_reason(emulator: Any, signed_in: Client) -> None:
    response = signed_in.post(REGISTER, {"arn": "my agent"}, headers=HTMX)

    form = text(response).strip()
    assert (response.status_code, form.startswith('<form id="agent-form"'), is_page(response)) == (422, True, False)
    assert 'value="my agent"' in form
    assert "This is not an ARN. An agent runtime's ARN looks like arn:aws:bedrock-agentcore" in form
    assert 'aria-invalid="true"' in form
    assert '<div id="toasts"' in form and 'hx-swap-oob="beforeend"' in form  # a toast beside what was typed
    assert "The agent was not registered. The form says why." in form
    assert Agent.objects.count() == 0


def test_a_refusal_without_htmx_is_the_page_with_the_reason(
    signed_in: Client, make_agent: Callable[..., Agent]
) -> None:
    make_agent(name="weather", arn=TRAVEL)

    response = signed_in.post(REGISTER, {"arn": TRAVEL})

    assert (response.status_code, is_page(response)) == (422, True)
    assert "weather is registered already. Refresh it to read its newest state." in text(response)
    assert f'value="{TRAVEL}"' in text(response)


@pytest.mark.parametrize(
    ("arn", "problem"),
    [("", "Paste the ARN of a runtime."), ("x" * 401, "An ARN has at most 400 characters; this one has 401.")],
)
def test_what_cannot_be_an_arn_is_said_at_the_field(signed_in: Client, arn: str, problem: str) -> None:
    assert problem in text(signed_in.post(REGISTER, {"arn": arn}, headers=HTMX))


def test_a_failure_of_aws_is_told_with_advice_and_request_id(order_fault: OrderFault, signed_in: Client) -> None:
    order_fault(kind="error", operation="GetAgentRuntime", code="AccessDeniedException", message="You may not")

    form = text(signed_in.post(REGISTER, {"arn": TRAVEL}, headers=HTMX))

    assert "You may not. The identity in use needs the actions of the policy iac/policies/describe.json" in form
    assert "AWS request id " in form
    assert Agent.objects.count() == 0


def test_one_agent_shows_facts_endpoints_metadata_and_a_prompt(emulator: Any, signed_in: Client) -> None:
    signed_in.post(REGISTER, {"arn": TRAVEL})
    agent = Agent.objects.get()

    page = text(signed_in.get(f"/agents/{agent.pk}/"))

    for part in (
        "<h1>travel_<wbr>concierge</h1>",
        "Plans short trips by train",
        f'data-copy="{TRAVEL}"',
        "15 min",
        "8 h",
        "IAM (SigV4)",
        '<option value="DEFAULT" selected>DEFAULT → version 3</option>',
        '<option value="prod">prod → version 2</option>',
        f'action="/sessions/start/{agent.pk}/"',
        f'hx-get="/operate/agents/{agent.pk}/figures/"',
        *(f'href="/agents/{agent.pk}/{tab}/"' for tab in ("sessions", "measure", "versions", "settings")),
    ):
        assert part in page, part


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "CREATING"}, "AWS says CREATING, and only a READY agent takes prompts."),
        ({"status": "CREATE_FAILED", "failure_reason": "No image."}, "This agent cannot be invoked: No image."),
    ],
)
def test_an_agent_that_is_not_ready_takes_no_prompt(
    signed_in: Client, make_agent: Callable[..., Agent], fields: dict[str, str], reason: str
) -> None:
    page = text(signed_in.get(f"/agents/{make_agent(**fields).pk}/"))

    assert reason in page
    assert "<textarea" not in page


def test_what_aws_says_is_escaped(signed_in: Client, make_agent: Callable[..., Agent]) -> None:
    evil = "</pre><script>alert(1)</script>"
    agent = make_agent(description=evil, raw_metadata={"x": evil}, failure_reason=evil, status="CREATE_FAILED")

    for address in (LIST, *(f"/agents/{agent.pk}/{tab}" for tab in ("", "settings/", "versions/", "measure/"))):
        assert b"<script>alert" not in signed_in.get(address).content


def test_refreshing_says_what_is_live(emulator: Any, signed_in: Client, make_agent: Callable[..., Agent]) -> None:
    signed_in.post(REGISTER, {"arn": TRAVEL})
    agent = Agent.objects.get()
    Agent.objects.update(version="1", status="CREATING")

    response = signed_in.post(f"/agents/{agent.pk}/refresh/")

    agent.refresh_from_db()
    assert (response.status_code, response["Location"]) == (302, f"/agents/{agent.pk}/")
    assert (agent.version, agent.status) == ("3", "READY")
    assert said(response)[-1] == ("success", "travel_concierge was refreshed: status CREATING → READY; version 1 → 3.")


def test_a_refresh_that_fails_says_why_and_changes_nothing(
    order_fault: OrderFault, signed_in: Client, make_agent: Callable[..., Agent]
) -> None:
    agent = make_agent(arn=TRAVEL, version="1")
    order_fault(kind="error", operation="GetAgentRuntime", code="ConflictException", message="Not now.")

    response = signed_in.post(f"/agents/{agent.pk}/refresh/")

    agent.refresh_from_db()
    [(level, message)] = said(response)
    assert (response.status_code, level, agent.version) == (302, "error", "1")
    assert message.startswith("agent_1 was not refreshed. Not now. Something else is changing this resource right now.")
    assert "AWS request id " in message


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (
            "AccessDeniedException",
            "The identity in use needs the actions of the policy iac/policies/describe.json, "
            "bedrock-agentcore:GetAgentRuntime first of all, on this runtime.",
        ),
        ("ValidationException", "AWS refused the request as malformed. Check the ARN and the region."),
        ("InternalServerException", "AWS failed on its side. Nothing was changed. Try again in a moment."),
    ],
)
def test_a_refused_refresh_advises_a_reader_and_says_nothing_of_a_run(
    order_fault: OrderFault, signed_in: Client, make_agent: Callable[..., Agent], code: str, advice: str
) -> None:
    agent = make_agent(arn=TRAVEL)
    order_fault(kind="error", operation="GetAgentRuntime", code=code, message="No.", count=3)

    [(_, message)] = said(signed_in.post(f"/agents/{agent.pk}/refresh/"))

    told, _, request_id = message.partition(" AWS request id ")
    assert (told, bool(request_id)) == (f"agent_1 was not refreshed. No. {advice}", True)


def test_archiving_hides_the_agent_and_keeps_its_page(signed_in: Client, make_agent: Callable[..., Agent]) -> None:
    agent = make_agent(name="weather")

    response = signed_in.post(f"/agents/{agent.pk}/archive/")

    assert (response.status_code, response["Location"]) == (302, LIST)
    assert said(response) == [
        ("success", "weather is archived, its history stays. Bring it back from the archived agents.")
    ]
    assert listed(signed_in.get(LIST)) == []
    assert listed(signed_in.get(LIST, {"state": "archived"})) == ["weather"]
    archived = text(signed_in.get(f"/agents/{agent.pk}/"))
    assert "Loom does not invoke it." in archived and "<textarea" not in archived
    assert Agent.objects.get(pk=agent.pk).removed_at is not None


def test_what_cannot_be_seen_cannot_be_changed(signed_in: Client, make_agent: Callable[..., Agent]) -> None:
    archived = make_agent(removed_at=timezone.now())
    hidden = make_agent(origin="aws")
    before = list(Agent.objects.values())

    assert signed_in.get(f"/agents/{hidden.pk}/").status_code == 404
    assert signed_in.post(f"/agents/{hidden.pk}/revive/").status_code == 404
    for pk in (archived.pk, hidden.pk, 99_999):
        for piece in ("settings", "account", "versions", "aws-metrics"):
            assert signed_in.get(f"/agents/{pk}/{piece}/").status_code == 404
        assert signed_in.post(f"/agents/{pk}/refresh/").status_code == 404
        assert signed_in.post(f"/agents/{pk}/archive/").status_code == 404
    assert list(Agent.objects.values()) == before


def test_every_signed_in_user_sees_and_keeps_the_same_registry(
    client: Client, bob: User, make_agent: Callable[..., Agent], alice: User
) -> None:
    agent = make_agent(registered_by=alice)
    client.force_login(bob)

    assert listed(client.get(LIST)) == [agent.name]
    assert client.get(f"/agents/{agent.pk}/").status_code == 200


def test_who_is_not_signed_in_is_asked_to_and_changes_nothing(client: Client, make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()
    before = list(Agent.objects.values())
    addresses = [
        ("get", LIST),
        ("get", f"/agents/{agent.pk}/"),
        ("get", "/agents/99999/"),
        ("post", REGISTER),
        ("post", f"/agents/{agent.pk}/refresh/"),
        ("post", f"/agents/{agent.pk}/archive/"),
    ]

    for method, address in addresses:
        response = getattr(client, method)(address)
        assert (response.status_code, response["Location"]) == (302, f"{reverse('accounts:login')}?next={address}")
    assert list(Agent.objects.values()) == before


def test_changes_are_posted_from_our_own_forms(alice: User, make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)

    for address in (REGISTER, f"/agents/{agent.pk}/refresh/", f"/agents/{agent.pk}/archive/"):
        assert strict.get(address).status_code == (200 if address == REGISTER else 405)
        assert strict.post(address).status_code == 403
    page = strict.get(LIST)
    removed = strict.post(
        f"/agents/{agent.pk}/archive/",
        {"csrfmiddlewaretoken": page.context["csrf_token"]},
        headers={"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"},
    )
    assert removed.status_code == 302


def test_filters_and_order_stand_in_the_address(signed_in: Client, make_agent: Callable[..., Agent]) -> None:
    now = timezone.now()
    make_agent(name="b_old", region="eu-west-1", last_invoked_at=now - timedelta(days=1))
    make_agent(name="a_never", status="CREATE_FAILED")
    make_agent(name="c_new", account_id="111122223333", last_invoked_at=now)

    assert listed(signed_in.get(LIST)) == ["c_new", "b_old", "a_never"]  # the last used first
    assert listed(signed_in.get(LIST, {"sort": "name"})) == ["a_never", "b_old", "c_new"]
    assert listed(signed_in.get(LIST, {"sort": "active"})) == ["b_old", "c_new", "a_never"]
    assert listed(signed_in.get(LIST, {"region": "eu-west-1"})) == ["b_old"]
    assert listed(signed_in.get(LIST, {"status": "CREATE_FAILED"})) == ["a_never"]
    assert listed(signed_in.get(LIST, {"account": "111122223333"})) == ["c_new"]
    nonsense = {"sort": "nonsense", "region": "nowhere", "state": "x"}
    assert listed(signed_in.get(LIST, nonsense)) == ["c_new", "b_old", "a_never"]


def test_an_archived_agent_comes_back_as_aws_knows_it_now(emulator: Any, signed_in: Client) -> None:
    signed_in.post(REGISTER, {"arn": TRAVEL})
    agent = Agent.objects.get()
    Agent.objects.update(removed_at=timezone.now(), version="1")

    response = signed_in.post(f"/agents/{agent.pk}/revive/")

    agent.refresh_from_db()
    assert (agent.removed_at, agent.version, response["Location"]) == (None, "3", f"/agents/{agent.pk}/")
    assert said(response)[-1] == ("success", "travel_concierge is back, with its history.")
