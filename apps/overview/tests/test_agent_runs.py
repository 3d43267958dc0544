"""Tokens in the list of runs, the runs of one agent, and where rows of tables lead."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.tests.runs import make_run
from apps.overview.models import SavedView
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def run(session: Session, prompt: str, *, minutes_ago: float = 1, **fields: Any) -> Invocation:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    instants = dict.fromkeys(("requested_at", "invoked_at", "first_token_at", "completed_at"), at)
    return make_run(session, prompt=prompt, **{**instants, **fields})


def prompts(client: Client, path: str, **query: str) -> list[str]:
    return re.findall(r'<b dir="auto" class="excerpt">(.*?)</b>', client.get(path, query).content.decode())


def cells(page: str, label: str) -> list[str]:
    return re.findall(rf'<td data-label="{label}"[^>]*>(.*?)</td>', page)


def test_tokens_are_told_as_they_were_reported_and_never_as_nothing(
    as_alice: Client, make_session: MakeSession
) -> None:
    session = make_session()
    run(session, "silent", minutes_ago=1)
    run(session, "much", minutes_ago=2, input_token_count=12_345, output_token_count=7)
    run(session, "none", minutes_ago=3, input_token_count=40, output_token_count=0)
    page = as_alice.get("/runs/").content.decode()
    assert cells(page, "Tokens in") == ["–", "12,345", "40"]
    assert cells(page, "Tokens out") == ["–", "7", "0"]
    told = [(one["input_tokens"], one["output_tokens"]) for one in as_alice.get("/api/runs").json()["items"]]
    assert told == [(None, None), (12_345, 7), (40, 0)]
    for sort, expected in (
        ("-tokens_in", ["much", "none", "silent"]), ("tokens_in", ["none", "much", "silent"]),
        ("-tokens_out", ["much", "none", "silent"]), ("tokens_out", ["none", "much", "silent"]),
    ):  # fmt: skip
        assert prompts(as_alice, "/runs/", sort=sort) == expected
        assert [one["prompt"] for one in as_alice.get(f"/api/runs?sort={sort}").json()["items"]] == expected


def test_the_runs_of_an_agent_stand_beside_its_other_pages(
    as_alice: Client, bob: User, make_agent: Callable[..., Agent], make_session: MakeSession
) -> None:
    one, other = make_agent(name="concierge"), make_agent(name="tutor")
    session = make_session(agent=one, title="Trip")
    run(session, "By train", minutes_ago=2)
    run(session, "By bus", minutes_ago=1, status="failed", error_code="Fall")
    run(make_session(agent=other), "Explain")
    run(make_session(agent=one, owner=bob), "Not yours")
    path = f"/agents/{one.pk}/runs/"
    assert f'href="{path}"' in as_alice.get(f"/agents/{one.pk}/").content.decode()
    page = as_alice.get(path).content.decode()
    assert prompts(as_alice, path) == ["By bus", "By train"]
    assert 'name="agent"' not in page and 'aria-current="page"' in page
    assert f'href="/runs/csv/?agent={one.pk}"' in page and f'/operate/?agent={one.pk}"' in page
    assert prompts(as_alice, path, status="failed") == ["By bus"]
    assert prompts(as_alice, path, agent=str(other.pk)) == ["By bus", "By train"]
    assert "No run matches" in as_alice.get(path, {"q": "ship"}).content.decode()
    assert f'href="{path}"' in as_alice.get(path, {"q": "ship"}).content.decode()
    part = as_alice.get(path, headers={"HX-Request": "true", "HX-Target": "run-table"}).content.decode()
    assert part.strip().startswith("<section") and "<h1" not in part
    kept = re.search(r'name="query" value="([^"]*)"', page)
    assert kept
    as_alice.post("/runs/views/", {"name": "Its runs", "query": kept[1]})
    assert prompts(as_alice, SavedView.objects.get().get_absolute_url()) == ["By bus", "By train"]


def test_an_agent_without_runs_says_what_to_do(as_alice: Client, make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()
    page = as_alice.get(f"/agents/{agent.pk}/runs/").content.decode()
    assert "No runs with this agent yet" in page and f'href="/agents/{agent.pk}/">' in page
    assert as_alice.get("/agents/99999/runs/").status_code == 404


def test_the_last_run_is_the_newest_that_its_reader_may_see(
    as_alice: Client, bob: User, carol: User, make_agent: Callable[..., Agent], make_session: MakeSession
) -> None:
    agent = make_agent()
    path = f"/agents/{agent.pk}/runs/last/"
    assert as_alice.get(path)["Location"] == f"/agents/{agent.pk}/runs/"
    old, new = make_session(agent=agent), make_session(agent=agent)
    run(new, "newest", minutes_ago=5)
    found = run(new, "newer", minutes_ago=2)
    run(old, "old", minutes_ago=9)
    make_session(agent=agent)  # not invoked yet
    others = run(make_session(agent=agent, owner=bob), "bob’s", minutes_ago=1)
    assert as_alice.get(path)["Location"] == f"/sessions/runs/{found.pk}/"
    as_alice.force_login(carol)  # of the staff
    assert as_alice.get(path)["Location"] == f"/sessions/runs/{others.pk}/"


def test_each_row_of_the_agents_leads_to_its_last_run_and_its_logs(
    as_alice: Client, make_agent: Callable[..., Agent], make_session: MakeSession
) -> None:
    used, unused = make_agent(name="used"), make_agent(name="unused")
    run(make_session(agent=used), "Hi", minutes_ago=1)
    Agent.objects.filter(pk=used.pk).update(last_invoked_at=timezone.now())
    for page in (as_alice.get("/agents/").content.decode(), as_alice.get("/operate/").content.decode()):
        assert f'href="/agents/{used.pk}/runs/last/" title="Last run" aria-label="Last run of used"' in page
        assert f'href="/sessions/logs/{used.pk}/" title="Logs" aria-label="Logs of used"' in page
        assert f"/agents/{unused.pk}/runs/last/" not in page
    operate = as_alice.get("/operate/").content.decode()
    assert f'href="/agents/{used.pk}/" title="Details" aria-label="Details of used"' in operate
