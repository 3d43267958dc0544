"""What is done to several agents of the list, as a browser without scripts does it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.tables.bulk import ROWS_AT_ONCE

pytestmark = pytest.mark.django_db

MakeAgent = Callable[..., Agent]


@pytest.fixture
def signed_in(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def send(client: Client, action: str, *agents: Agent | int, **more: str) -> Any:
    rows = [agent.pk if isinstance(agent, Agent) else agent for agent in agents]
    return client.post(reverse("agents:bulk"), {"action": action, "row": rows, **more})


def text_of(response: Any) -> str:
    body = response.content.decode().partition("<main")[2].partition("</main>")[0].replace("<wbr>", "")
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def archived() -> set[str]:
    return set(Agent.objects.filter(removed_at__isnull=False).values_list("name", flat=True))


def test_archiving_is_asked_about_and_reported(signed_in: Client, make_agent: MakeAgent) -> None:
    first, second, other = make_agent(name="first"), make_agent(name="second"), make_agent(name="other")
    back = "/agents/?sort=-active"

    asked = send(signed_in, "archive", first, second, next=back)
    assert "Archive these 2 agents?" in text_of(asked) and archived() == set()
    form = asked.content.decode().partition('action="/agents/bulk/"')[2].partition("</form>")[0]
    fields = re.findall(r'name="(\w+)" value="([^"]*)"', form)
    sent = {name: [value for key, value in fields if key == name] for name, _ in fields}
    assert sent["row"] == [str(first.pk), str(second.pk)]

    report = signed_in.post(reverse("agents:bulk"), sent)
    assert archived() == {"first", "second"}
    assert "Archive 2 of 2 done" in text_of(report)
    assert "first archived, its history stays second archived, its history stays" in text_of(report)
    assert f'href="{back}"' in report.content.decode()
    assert other.name not in text_of(report)


def test_the_archived_come_back_each_with_its_own_outcome(
    signed_in: Client, make_agent: MakeAgent, demo_agent: Callable[..., Agent]
) -> None:
    now = timezone.now()
    there, gone = demo_agent("travel_concierge"), make_agent(name="gone", removed_at=now)
    Agent.objects.filter(pk=there.pk).update(removed_at=now)

    report = send(signed_in, "revive", there, gone)
    assert "Bring back 1 of 2 done" in text_of(report)
    assert "travel_concierge back, with its history" in text_of(report)
    assert archived() == {"gone"}
    assert re.search(r"gone Agent runtime \S+ was not found\. It does not exist in this account", text_of(report))


def test_refreshing_tells_what_changed_and_what_could_not_be_read(
    signed_in: Client, make_agent: MakeAgent, demo_agent: Callable[..., Agent]
) -> None:
    known, gone = demo_agent("travel_concierge"), make_agent(name="gone")
    Agent.objects.filter(pk=known.pk).update(version="1")
    old = make_agent(name="old", removed_at=timezone.now())

    report = text_of(send(signed_in, "refresh", known, gone, old))
    assert "Refresh 1 of 2 done" in report
    assert "travel_concierge version 1 → 3" in report
    assert "gone Agent runtime" in report
    assert Agent.objects.get(pk=known.pk).version == "3"
    assert "nothing changed on AWS" in text_of(send(signed_in, "refresh", known))


@pytest.mark.parametrize(
    ("action", "rows", "message"),
    [
        ("archive", [], "Nothing is checked. Check the rows that it is to be done to."),
        ("archive", [99_999, 0], "Nothing is checked. Check the rows that it is to be done to."),
        ("refresh", list(range(1, ROWS_AT_ONCE + 2)), "51 rows are checked. Check at most 50"),
        ("delete", [1], "Nothing was done: the button was not understood."),
        ("", [1], "Nothing was done: the button was not understood."),
    ],
)
def test_what_cannot_be_meant_changes_nothing_and_says_so(
    signed_in: Client, make_agent: MakeAgent, action: str, rows: list[int], message: str
) -> None:
    make_agent()
    response = send(signed_in, action, *rows, is_confirmed="yes", next="https://example.com/")

    assert (response.status_code, response["Location"]) == (302, "/agents/")
    [told] = said(response)
    assert told.startswith(message)
    assert archived() == set()


def test_agents_of_the_other_mode_and_of_the_wrong_state_are_as_if_not_checked(
    signed_in: Client, make_agent: MakeAgent
) -> None:
    foreign, old = make_agent(origin="aws"), make_agent(removed_at=timezone.now())

    assert said(send(signed_in, "archive", foreign, old, is_confirmed="yes")) == [
        "Nothing is checked. Check the rows that it is to be done to."
    ]
    assert Agent.objects.get(pk=foreign.pk).removed_at is None


def test_the_list_offers_what_can_be_done_and_says_ids_and_instants(signed_in: Client, make_agent: MakeAgent) -> None:
    """S0-107: runtime id and the time of registration of each."""
    agent = make_agent()
    make_agent(removed_at=timezone.now())
    shown = signed_in.get("/agents/").content.decode()

    assert f'<input type="checkbox" name="row" value="{agent.pk}" form="agents-bulk"' in shown
    assert 'value="refresh"' in shown and 'value="archive"' in shown and 'value="revive"' not in shown
    assert f"<code>{agent.runtime.runtime_id}</code>" in shown
    assert f'registered <time datetime="{agent.registered_at.isoformat(timespec="milliseconds")}"' in shown
    assert 'value="revive"' in signed_in.get("/agents/", {"state": "archived"}).content.decode()


def test_the_count_is_true_after_an_import(signed_in: Client, make_agent: MakeAgent) -> None:
    """The table is fetched alone then; what stands above it comes along."""
    for _ in range(3):
        make_agent()
    table = signed_in.get("/agents/", headers={"HX-Request": "true", "HX-Target": "agent-table"}).content.decode()

    assert '<p class="subtitle" id="agent-counts" hx-swap-oob="true">3 registered agents</p>' in table
    assert 'id="agent-counts">3 registered agents</p>' in signed_in.get("/agents/").content.decode()
