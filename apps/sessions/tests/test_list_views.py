from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, Session

MakeSession = Callable[..., Session]
LIST = "/sessions/"


def titles(client: Client, **query: str) -> list[str]:
    """The titles that the list shows, from the top."""
    return re.findall(r'<b dir="auto" class="excerpt">(.*?)</b>', client.get(LIST, query).content.decode())


def add_run(session: Session, status: str) -> None:
    number = session.invocations.count() + 1
    Invocation.objects.create(session=session, number=number, status=status, prompt="go", requested_at=timezone.now())


@pytest.fixture
def listed(client: Client, make_agent: Any, make_session: MakeSession, alice: User, bob: User) -> dict[str, Session]:
    """Three sessions of alice's, the first the oldest, and one of bob's; alice is signed in."""
    concierge, tutor = make_agent(name="concierge"), make_agent(name="tutor", available_qualifiers=["DEFAULT", "prod"])
    now = timezone.now()
    sessions = {
        "Ghent by train": make_session(agent=concierge, title="Ghent by train"),
        "explain generators": make_session(agent=tutor, title="explain generators", qualifier="prod"),
        "A walk in Ghent": make_session(agent=concierge, title="A walk in Ghent"),
    }
    for hours, session in enumerate(reversed(sessions.values())):
        Session.objects.filter(pk=session.pk).update(created_at=now - timedelta(hours=hours))
    make_session(agent=concierge, title="Bob in Ghent", owner=bob)
    add_run(sessions["Ghent by train"], Invocation.Status.FAILED)
    add_run(sessions["Ghent by train"], Invocation.Status.COMPLETED)
    add_run(sessions["explain generators"], Invocation.Status.STREAMING)
    client.force_login(alice)
    return sessions


def test_the_list_shows_own_sessions_with_their_last_status(
    client: Client, make_session: MakeSession, alice: User, bob: User
) -> None:
    session = make_session(title="Plan a trip")
    start_invocation(session=session, prompt="go", process_id=None)
    client.force_login(alice)
    page = client.get(LIST).content.decode()

    assert "Plan a trip" in page and session.agent.name in page and "Pending" in page
    in_list = page[page.index("<main") :]
    assert re.findall(r'<a href="([^"]*)"(?:(?!<a ).)*New session</a>', in_list, re.DOTALL) == ["/sessions/new/"]
    client.force_login(bob)
    assert "Plan a trip" not in client.get(LIST).content.decode()


def test_the_table_of_one_agent_holds_only_its_sessions(client: Client, make_session: MakeSession, alice: User) -> None:
    session, other = make_session(title="Wanted"), make_session(title="Other")
    client.force_login(alice)
    address = reverse("agents:sessions", args=[session.agent.pk])
    page = client.get(address).content.decode()
    table = client.get(address, headers={"HX-Request": "true", "HX-Target": "session-table"}).content.decode()

    for text in (page.partition("<main")[2], table):  # beside it stand the reader's last sessions
        assert "Wanted" in text and other.title not in text
    assert ("<html" in page, "<html" in table) == (True, False)
    assert f'href="/sessions/csv/?agent={session.agent.pk}"' in page
    assert "No session matches" in client.get(address, {"q": "nothing"}).content.decode()


def test_the_table_of_an_archived_agent_asks_for_no_prompt(
    client: Client, make_session: MakeSession, alice: User
) -> None:
    agent = make_session().agent
    Session.objects.all().delete()
    client.force_login(alice)

    def empty_state() -> str:
        return client.get(reverse("agents:sessions", args=[agent.pk])).content.decode()

    assert "Send it a first prompt" in empty_state()
    agent.removed_at = timezone.now()
    agent.save()
    archived = empty_state()
    assert "Send it a first prompt" not in archived
    assert "It is archived: Loom sends it no prompts until somebody brings it back." in archived


def test_many_sessions_come_in_pages_with_a_constant_number_of_queries(
    client: Client, make_session: MakeSession, alice: User, django_assert_max_num_queries: Any
) -> None:
    agent = make_session().agent
    for number in range(60):
        start_invocation(session=make_session(agent=agent, title=f"Session {number}"), prompt="go", process_id=None)
    client.force_login(alice)

    with django_assert_max_num_queries(9):
        page = client.get(LIST).content.decode()
    assert page.count("row-link") == 50 and "Session 59" in page and "Session 3<" not in page
    last = client.get(LIST, {"page": "2", "q": "session"}).content.decode()
    assert (
        last.count("row-link") == 10
        and "51–60 of 60 sessions" in last
        and 'href="/sessions/?page=1&amp;q=session"' in last
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["A walk in Ghent", "explain generators", "Ghent by train"]),
        ({"q": "ghent"}, ["A walk in Ghent", "Ghent by train"]),
        ({"q": "train ghent"}, ["Ghent by train"]),
        ({"q": "TUTOR"}, ["explain generators"]),
        ({"q": "no such thing"}, []),
        ({"status": "completed"}, ["Ghent by train"]),
        ({"status": "failed"}, []),  # its last run did well
        ({"status": "running"}, ["explain generators"]),
        ({"status": "none"}, ["A walk in Ghent"]),
        ({"qualifier": "prod"}, ["explain generators"]),
        ({"qualifier": "canary"}, []),  # not all that there are, or were, can be listed
        ({"sort": "title"}, ["A walk in Ghent", "explain generators", "Ghent by train"]),
        ({"sort": "-title"}, ["Ghent by train", "explain generators", "A walk in Ghent"]),
        ({"sort": "active"}, ["Ghent by train", "explain generators", "A walk in Ghent"]),
        ({"sort": "-agent"}, ["explain generators", "A walk in Ghent", "Ghent by train"]),
        ({"q": "ghent", "sort": "-title", "status": "none"}, ["A walk in Ghent"]),
        # What cannot be meant asks for nothing.
        (
            {"status": "x", "agent": "x", "qualifier": "x" * 101, "sort": "x", "page": "x", "q": "\0"},
            ["A walk in Ghent", "explain generators", "Ghent by train"],
        ),
    ],
)
def test_the_list_is_searched_filtered_and_sorted_by_its_address(
    client: Client, listed: dict[str, Session], query: dict[str, str], expected: list[str]
) -> None:
    """S0-110."""
    assert titles(client, **query) == expected


def test_ids_and_agents_find_their_sessions_and_never_a_strangers(
    client: Client, listed: dict[str, Session], bob: User
) -> None:
    wanted = listed["Ghent by train"]

    assert titles(client, q=wanted.runtime_session_id) == ["Ghent by train"]
    assert titles(client, q=wanted.runtime_session_id[4:14]) == ["Ghent by train"]
    assert titles(client, q=str(wanted.public_id)) == ["Ghent by train"]
    assert titles(client, agent=str(wanted.agent_id)) == ["A walk in Ghent", "Ghent by train"]
    client.force_login(bob)
    assert titles(client, q=str(wanted.public_id)) == []


def test_a_filter_swaps_the_table_alone_and_the_page_says_when_nothing_matches(
    client: Client, listed: dict[str, Session], make_session: MakeSession
) -> None:
    table = {"HX-Request": "true", "HX-Target": "session-table"}
    fragment = client.get(LIST, {"q": "tutor"}, headers=table).content.decode()
    nothing = client.get(LIST, {"q": "tutor", "status": "completed"}).content.decode()

    assert fragment.lstrip().startswith('<section class="card" id="session-table"')
    assert "No session matches" in nothing and '<option value="completed" selected>' in nothing
    Session.objects.all().delete()
    empty = client.get(LIST).content.decode()
    assert "No sessions yet" in empty and 'class="filters"' not in empty


def test_a_session_is_renamed_and_the_filters_stay(client: Client, listed: dict[str, Session]) -> None:
    session = listed["Ghent by train"]
    url = reverse("sessions:rename", args=[session.public_id])
    answer = client.post(url, {"title": "Ghent & back", "next": "/sessions/?q=ghent"}, follow=True)

    assert answer.redirect_chain == [("/sessions/?q=ghent", 302)]
    assert titles(client, q="back") == ["Ghent &amp; back"]
    refused = client.post(url, {"title": "x" * 81, "next": "https://elsewhere.example/"}, follow=True)
    assert refused.redirect_chain == [("/sessions/", 302)]
    told = "The session was not renamed. A title has at most 80 characters; this one has 81."
    assert told in refused.content.decode()
    assert titles(client, q="back") == ["Ghent &amp; back"]


def test_strangers_rename_and_delete_nothing_and_staff_sees_the_owners(
    client: Client, listed: dict[str, Session], bob: User, carol: User
) -> None:
    session = listed["Ghent by train"]
    client.force_login(bob)
    asked = {"title": "x", "action": "delete"}
    for name in ("rename", "keep"):
        assert client.post(reverse(f"sessions:{name}", args=[session.public_id]), asked).status_code == 404
    client.force_login(carol)
    page = client.get(LIST).content.decode()

    assert titles(client, q="ghent") == ["Bob in Ghent", "A walk in Ghent", "Ghent by train"]
    assert "<small>alice@example.com</small>" in page and "<small>bob@example.com</small>" in page


def test_sessions_of_measure_start_are_hidden_and_counted_until_asked_for(
    client: Client, listed: dict[str, Session], make_session: MakeSession, bob: User
) -> None:
    agent = listed["Ghent by train"].agent
    for title in ("Two days in Ghent", "Three days in Bruges"):
        made = make_session(agent=agent, title=title, purpose=Session.Purpose.MEASURE_START)
        Session.objects.filter(pk=made.pk).update(created_at=timezone.now() - timedelta(days=1))
    make_session(agent=agent, title="Bob's", owner=bob, purpose=Session.Purpose.MEASURE_START)
    conversations = ["A walk in Ghent", "explain generators", "Ghent by train"]

    def count_line(address: str, **query: str) -> str:
        page = client.get(address, query).content.decode()
        found = re.search(r'<p class="card-foot">(.*?) <a class="link" href="(.*?)">', page)
        return " ".join(found.groups()) if found else ""

    assert titles(client) == conversations
    assert titles(client, measure_start="shown") == [*conversations, "Three days in Bruges", "Two days in Ghent"]
    assert titles(client, measure_start="only") == ["Three days in Bruges", "Two days in Ghent"]
    assert titles(client, measure_start="only", q="ghent") == ["Two days in Ghent"]
    assert titles(client, measure_start="x") == conversations
    assert count_line(LIST) == "2 sessions of Measure start are hidden. /sessions/?measure_start=shown"
    assert count_line(LIST, q="bruges", page="1") == (
        "1 session of Measure start is hidden. /sessions/?q=bruges&amp;measure_start=shown"
    )
    assert count_line(LIST, q="walk") == count_line(LIST, measure_start="shown") == ""
    page = client.get(LIST, {"measure_start": "shown"}).content.decode()
    assert page.count('<span class="chip">Measure start</span>') == 2
    assert '<option value="shown" selected>Measure start: shown</option>' in page
    table = reverse("agents:sessions", args=[agent.pk])
    assert count_line(table) == f"2 sessions of Measure start are hidden. {table}?measure_start=shown"
    Session.objects.filter(purpose=Session.Purpose.CONVERSATION).delete()
    assert "No conversations yet" in client.get(LIST).content.decode()
    assert "No conversations with this agent yet" in client.get(table).content.decode()
