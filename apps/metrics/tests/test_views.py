from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.tests.runs import at, make_due, make_measured, make_run
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
MakeAgent = Callable[..., Agent]


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def text_of(client: Client, address: str) -> str:
    """What a reader sees of a page: its text without tags, blanks joined."""
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def panel(session: Session) -> str:
    return reverse("metrics:latency-fragment", args=[session.public_id])


SKEW: dict[str, Any] = {"state": "measured", "tries": 1, "marker_rank": 1, "agent_started_at": at(-0.2)}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"tries": 3}, ["waiting for CloudWatch, try 3 of 12"]),
        (
            {"tries": 3, "marker_rank": 2, "marker": "Returning streaming response", "agent_started_at": at(1.5)},
            ["1.50 s", "A stronger line may still arrive: try 3 of 12.", "SDK log line Returning streaming response"],
        ),
        (
            {"state": "measured", "marker_rank": 1, "marker": "Agent invoked", "agent_started_at": at(1.5)},
            ["1.50 s", "cold: created", "0 ms – 2.00 s, by causality", "start line Agent invoked"],
        ),
        (
            {"state": "measured", "marker_rank": 4, "marker": "First log event", "agent_started_at": at(1.5)},
            ["1.50 s", "first line of the log stream (weak)"],
        ),
        (SKEW, ["Clock skew", "so there is no honest figure"]),
        (
            {"state": "not_found", "tries": 14},
            ["The logs do not say when the agent started.", "Loom looked 14 times.", "-DEFAULT"],
        ),
        (
            {"state": "failed", "tries": 14, "error_code": "X", "error_message": "You may not. Grant it."},
            ["The logs could not be read.", "You may not. Grant it."],
        ),
        ({"state": "not_found", "tries": 0}, ["Not measured: the request never reached the agent."]),
    ],
    ids=["waiting", "provisional", "measured", "weak", "clock_skew", "not_found", "failed", "none"],
)
def test_the_panel_says_where_the_search_stands(
    as_alice: Client, make_session: MakeSession, row: dict[str, Any], said: list[str]
) -> None:
    session = make_session()
    make_due(make_run(session), **row)

    shown = text_of(as_alice, panel(session))
    assert "Startup of invocation 1 " in shown
    assert [part for part in said if part not in shown] == []
    assert ("1.50 s" in shown) is ("1.50 s" in said)


def test_the_panel_of_a_run_that_goes_on(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    make_run(session, status="streaming", completed_at=None)

    assert "Measured when the answer has ended." in text_of(as_alice, panel(session))


def test_the_panel_lists_the_earlier_runs(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    make_measured(make_run(session), 1_250)
    make_measured(make_run(session, 10), 150)

    shown = text_of(as_alice, panel(session))
    assert "Startup of invocation 2 " in shown
    assert "# TTFT Total Startup Start 1 2.00 s 3.00 s 1.25 s created" in shown


def test_a_session_without_a_run_has_an_empty_panel(as_alice: Client, make_session: MakeSession) -> None:
    assert "Nothing measured yet" in text_of(as_alice, panel(make_session()))


def test_a_panel_belongs_to_its_owner_and_to_staff(
    client: Client, make_session: MakeSession, alice: User, bob: User, carol: User
) -> None:
    session = make_session()
    statuses = []
    for user in (alice, bob, carol):
        client.force_login(user)
        statuses.append(client.get(panel(session)).status_code)
    client.logout()

    assert statuses == [200, 404, 200]
    assert client.get(panel(session)).status_code == 302


OPERATE = "metrics:operate"


def run_now(session: Session, prompt: str, minutes_ago: float = 5) -> Invocation:
    sent_at = timezone.now() - timedelta(minutes=minutes_ago)
    return make_run(
        session,
        prompt=prompt,
        requested_at=sent_at,
        invoked_at=sent_at,
        first_token_at=sent_at + timedelta(seconds=2),
        completed_at=sent_at + timedelta(seconds=3),
    )


def tile(shown: str, label: str) -> str:
    """What stands in the tile with this label; the page's own words come before the tiles."""
    return shown.partition("made by Loom ")[2].partition(f"{label} ")[2]


def test_operate_shows_the_figures_of_all_but_only_the_readers_runs(
    client: Client, make_session: MakeSession, alice: User, bob: User, carol: User
) -> None:
    """S0-111."""
    run_now(make_session(owner=alice), "Asked by Alice")
    run_now(make_session(owner=bob), "Asked by Bob")
    run_now(make_session(owner=bob), "Asked the day before", minutes_ago=24 * 60 + 1)
    lists = {}
    for user in (alice, bob, carol):
        client.force_login(user)
        shown = text_of(client, reverse(OPERATE))
        assert tile(shown, "Invocations").startswith("2 0 running · 0 stopped")
        assert tile(shown, "Agents").startswith("3 registered")
        lists[user.email] = re.findall(r"Asked [a-zA-Z ]+?(?= agent_)", shown)

    assert lists == {
        "alice@example.com": ["Asked by Alice"],
        "bob@example.com": ["Asked by Bob"],
        "carol@example.com": ["Asked by Bob", "Asked by Alice"],
    }


def test_operate_before_the_first_run_says_what_to_do(as_alice: Client) -> None:
    shown = text_of(as_alice, reverse(OPERATE))

    assert "No invocations yet" in shown
    assert "Pick an agent" in shown


def test_operate_is_for_the_signed_in(client: Client) -> None:
    assert client.get(reverse(OPERATE)).status_code == 302


def test_operate_asks_the_database_as_often_for_300_runs_as_for_three(
    as_alice: Client, make_session: MakeSession
) -> None:
    def count_queries() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert as_alice.get(reverse(OPERATE)).status_code == 200
        return len(queries)

    agent = make_session().agent
    for _ in range(3):
        make_measured(run_now(make_session(agent=agent), "Two days?"), 1_500)
    as_alice.get(reverse(OPERATE))
    few = count_queries()
    for _ in range(99):
        session = make_session(agent=agent)
        for _ in range(3):
            make_measured(run_now(session, "Two days?"), 1_500)

    assert count_queries() == few
    assert few <= 10


def figures_of(agent: Agent) -> str:
    return reverse("metrics:agent-figures-fragment", args=[agent.pk])


def test_the_figures_of_an_agent_are_its_own(as_alice: Client, make_session: MakeSession, bob: User) -> None:
    session, other = make_session(owner=bob), make_session()
    make_measured(make_run(session), 1_500)
    make_run(other)

    shown = text_of(as_alice, figures_of(session.agent))
    assert shown.startswith("Invocations 1 0 running · 0 stopped")
    assert "1.50 s n = 1; the median needs 6 · start line" in shown


def test_an_agent_without_a_run_has_no_figures(as_alice: Client, make_agent: MakeAgent) -> None:
    assert text_of(as_alice, figures_of(make_agent())) == "No figures yet: they appear with the first invocation."


def test_there_are_no_figures_of_an_agent_of_the_other_mode(as_alice: Client, make_agent: MakeAgent) -> None:
    assert as_alice.get(figures_of(make_agent(origin="aws"))).status_code == 404
