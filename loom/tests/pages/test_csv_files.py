"""The lists' CSV files: what the same address of the page finds, of all pages, and for nobody more than that."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.tests.runs import make_measured, make_run
from apps.overview.runs import finding
from apps.sessions.models import Session
from apps.sessions.services import tag_invocations

pytestmark = pytest.mark.django_db


def rows(client: Client, path: str) -> list[dict[str, str]]:
    response: Any = client.get(path)
    assert (response.status_code, response["Content-Type"]) == (200, "text/csv; charset=utf-8; header=present")
    assert response["Content-Disposition"].startswith("attachment; ")
    text = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def linked(client: Client, page: str, words: str) -> str:
    """The file that a page leads to."""
    text = client.get(page).content.decode()
    address = text.partition(f'href="{words}')[2].partition('"')[0].replace("&amp;", "&")
    assert f'href="{words}' in text, re.findall(r'href="[^"]*csv[^"]*"', text)
    return f"{words}{address}".replace("&amp;", "&")


def test_agents(client: Client, alice: User, make_agent: Callable[..., Agent]) -> None:
    for number in range(60):  # more than a page
        make_agent(name=f"agent z{number:02}", region="us-east-1" if number % 2 else "eu-west-1")
    make_agent(name="=HYPERLINK()")
    make_agent(name="gone", removed_at=timezone.now())
    client.force_login(alice)

    assert len(rows(client, linked(client, "/agents/", "/agents/csv/"))) == 61
    found = rows(client, linked(client, "/agents/?q=z1&sort=-name&page=2", "/agents/csv/"))
    assert [row["name"] for row in found][:2] == ["agent z19", "agent z18"]
    assert {row["name"] for row in rows(client, "/agents/csv/?q=HYPERLINK")} == {"'=HYPERLINK()"}
    assert {row["region"] for row in rows(client, "/agents/csv/?region=eu-west-1")} == {"eu-west-1"}
    assert [row["name"] for row in rows(client, "/agents/csv/?state=archived")] == ["gone"]


def test_sessions(client: Client, alice: User, bob: User, make_session: Callable[..., Session]) -> None:
    for number in range(55):
        make_session(title=f"Question z{number}")
    make_session(owner=bob, title="Not yours")
    client.force_login(alice)

    found = rows(client, linked(client, "/sessions/", "/sessions/csv/"))
    assert len(found) == 55 and "Not yours" not in {row["title"] for row in found}
    assert [row["title"] for row in rows(client, "/sessions/csv/?q=Question+z54")] == ["Question z54"]
    assert {row["owner"] for row in found} == {alice.email}


def test_runs(client: Client, alice: User, bob: User, make_session: Callable[..., Session]) -> None:
    session, now = make_session(title="=HYPERLINK()"), timezone.now()
    for number in range(1, 121):  # more than a page, and than is read at once
        make_run(
            session, number=number, prompt=f"@run z{number}", requested_at=now - timedelta(minutes=number),
            status="failed" if number % 40 == 0 else "completed", error_code="Fall" if number % 40 == 0 else "",
            cost_usd=None if number == 1 else Decimal(number) / 1_000_000, cost_source="estimate",
            input_token_count=None if number == 1 else number, output_token_count=None if number == 1 else 0,
        )  # fmt: skip
    make_run(make_session(owner=bob), prompt="not yours")
    tag_invocations(invocations=list(session.invocations.filter(number=7)), name="good")
    client.force_login(alice)

    found = rows(client, linked(client, "/runs/", "/runs/csv/"))
    assert [row["number"] for row in found] == [str(number) for number in range(1, 121)]
    assert {row["session_title"] for row in found} == {"'=HYPERLINK()"} and found[0]["prompt"] == "'@run z1"
    assert (found[0]["cost_usd"], found[6]["cost_usd"], found[6]["tags"]) == ("", "0.000007", "good")
    assert [(row["input_tokens"], row["output_tokens"]) for row in found[:2]] == [("", ""), ("2", "0")]
    failed = rows(client, linked(client, "/runs/?status=failed", "/runs/csv/?status=failed"))
    assert [(row["number"], row["error_code"]) for row in failed] == [("40", "Fall"), ("80", "Fall"), ("120", "Fall")]
    assert [row["number"] for row in rows(client, "/runs/csv/?sort=-cost&after=k1")][:2] == ["120", "119"]
    assert rows(client, "/runs/csv/?sort=-cost")[-1]["number"] == "1"  # of no known cost
    assert [row["number"] for row in rows(client, "/runs/csv/?tag=good")] == ["7"]


def test_the_file_of_runs_says_where_not_all_were_sorted(
    client: Client, alice: User, make_session: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "FEW_SESSIONS", 0)
    monkeypatch.setattr(finding, "SORTED_AT_MOST", 2)
    monkeypatch.setattr(finding, "LOOKED_AT", 2)
    session, now = make_session(), timezone.now()
    for number in range(1, 6):
        make_run(session, number=number, requested_at=now - timedelta(minutes=number))
    client.force_login(alice)

    found = rows(client, "/runs/csv/?sort=ttft")
    assert len(found) == 3 and found[-1]["id"].startswith("Sorted among the newest, back to ")
    assert len(rows(client, "/runs/csv/")) == 5  # page after page, each of which looks so far back


def test_figures(client: Client, alice: User, make_session: Callable[..., Session]) -> None:
    session = make_session()
    now = timezone.now()
    for number in range(1, 4):
        run = make_run(
            session, number=number, requested_at=now, invoked_at=now, first_token_at=None,
            first_chunk_at=now + timedelta(seconds=1), completed_at=now + timedelta(seconds=2),
        )  # fmt: skip
        make_measured(run, 100.0, start_kind="created" if number == 1 else "reused")
    client.force_login(alice)

    page = "/operate/?range=24h&metric=startup"
    (step,) = rows(client, linked(client, page, "/operate/csv/?range=24h&amp;metric=startup&amp;table=steps"))
    assert (step["origin"], step["metric"], step["invocation_count"]) == ("emulator", "startup", "3")
    figures = rows(client, "/operate/csv/?range=24h&table=figures")
    assert [(row["metric"], row["start"], row["n"]) for row in figures[:4]] == [
        ("ttft", "cold", "0"), ("ttft", "warm", "0"), ("startup", "cold", "1"), ("startup", "warm", "2"),
    ]  # fmt: skip
    (agent,) = rows(client, "/operate/csv/?range=24h&table=agents")
    assert (agent["agent_name"], agent["invocation_count"]) == (session.agent.name, "3")
    (own,) = rows(client, f"/operate/csv/?range=24h&metric=startup&of=agent&agent={session.agent_id}&table=steps")
    assert own | {"to": step["to"]} == step
