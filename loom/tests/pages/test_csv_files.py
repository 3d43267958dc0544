"""The lists' CSV files: what the same address of the page finds, of all pages, and for nobody more than that."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.tests.runs import make_measured, make_run
from apps.sessions.models import Session

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
