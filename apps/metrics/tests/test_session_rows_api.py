"""Sessions of all agents over JSON, their titles, and one more look for a start."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.models import Measurement
from apps.metrics.tests.runs import make_due, make_run
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def call(client: Client, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = "" if body is None else json.dumps(body)
    answer = client.generic(method, f"/api{path}", data, content_type="application/json")
    return answer.status_code, answer.json() if answer.content else None


def path_of(session: Session) -> str:
    return f"/agents/{session.agent_id}/sessions/{session.runtime_session_id}"


def test_sessions_are_found_as_the_page_finds_them(
    as_alice: Client, bob: User, make_session: MakeSession, make_agent: Callable[..., Agent]
) -> None:
    agent = make_agent()
    old, trip = make_session(title="Old", agent=agent), make_session(title="Ghent by train", agent=make_agent())
    make_run(old, sent_s=0, status="failed")
    make_run(trip, sent_s=60)
    make_session(purpose="measure_start", agent=agent)
    make_session(owner=bob, title="Ghent as well", agent=agent)
    for query in ("", "q=ghent", f"agent={agent.pk}", "status=failed", "measure_start=only", "sort=title", "limit=1"):
        page = [session.runtime_session_id for session in as_alice.get(f"/sessions/?{query}").context["table"].rows]
        answer = as_alice.get(f"/api/sessions?{query}").json()
        found = [session["session_id"] for session in answer]
        assert (query, found) == (query, page[:1] if query == "limit=1" else page)
    [first] = as_alice.get("/api/sessions?q=train").json()
    assert (first["agent_name"], first["title"], first["invocation_count"]) == (trip.agent.name, "Ghent by train", 1)
    assert as_alice.get("/api/sessions?offset=1&limit=1").json()[0]["title"] == "Old"


@pytest.mark.parametrize(
    "query", ["status=odd", "sort=colour", "limit=0", "limit=201", "offset=-1", f"agent={2**63}", "measure_start=1"]
)
def test_what_sessions_cannot_be_asked_for_is_refused(as_alice: Client, query: str) -> None:
    assert call(as_alice, "GET", f"/sessions?{query}")[0] == 400


def test_the_list_costs_as_many_statements_for_many_as_for_few(
    as_alice: Client, make_session: MakeSession, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for number in range(30):
        make_run(make_session(title=f"Session {number}"))
    with django_assert_max_num_queries(9):
        assert len(as_alice.get("/api/sessions").json()) == 30


def test_a_session_gets_another_title_or_none(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session(title="Old")
    assert call(as_alice, "PATCH", path_of(session), {"title": "東京\nand more"})[1]["title"] == "東京"
    for body in ({"title": "x" * 81}, {}, {"title": "\0"}, {"title": "a", "tags": []}):
        assert call(as_alice, "PATCH", path_of(session), body)[0] == 400
    assert call(as_alice, "PATCH", path_of(session), {"title": ""})[0] == 200
    session.refresh_from_db()
    assert session.title == ""


def test_others_neither_rename_nor_search(client: Client, bob: User, make_session: MakeSession) -> None:
    session = make_session(title="Mine")
    run = make_run(session)
    client.force_login(bob)
    assert call(client, "PATCH", path_of(session), {"title": "Theirs"})[0] == 404
    assert call(client, "POST", f"/runs/{run.pk}/latency/check")[0] == 404
    assert call(client, "GET", "/sessions")[1] == []
    session.refresh_from_db()
    assert session.title == "Mine"


def test_the_start_of_a_run_is_looked_for_once_more(as_alice: Client, make_session: MakeSession) -> None:
    run = make_run(make_session())
    measurement = make_due(run, state="not_found", next_at=None, tries=6)
    assert call(as_alice, "POST", f"/runs/{run.pk}/latency/check") == (202, {"is_looking": True})
    assert Measurement.objects.get(pk=measurement.pk).state == "waiting"
    refused = make_run(make_session(), http_status=None, headers_at=None, status="failed")
    assert call(as_alice, "POST", f"/runs/{refused.pk}/latency/check") == (202, {"is_looking": False})
    assert call(as_alice, "POST", f"/runs/{2**62}/latency/check")[0] == 404
