"""The timeline of a run as a page, as a part of its session's page, and over the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.metrics.tests.runs import at, make_measured, make_run
from apps.sessions.models import Invocation, Recording, Session

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(make_session: Callable[..., Session]) -> Invocation:
    """A cold run with two tools beside each other, a stall of 1.6 s, and a start that its log tells."""
    session = make_session()
    run = make_run(
        session, 0, first_byte_s=2.3, ended_s=6, requested_at=at(-0.01), headers_at=at(2.2), last_sequence=8,
        output_token_count=40,
    )  # fmt: skip
    events: list[dict[str, Any]] = [
        {"offset_ms": 2300, "kind": "tool", "tool_use_id": "a", "span_id": "a", "name": "find_trains"},
        {"offset_ms": 2310, "kind": "tool", "tool_use_id": "b", "span_id": "b", "name": "find_hotels"},
        {"offset_ms": 2800, "kind": "tool_result", "tool_use_id": "b", "span_id": "b", "status": "error", "text": ""},
        {"offset_ms": 3000, "kind": "tool_result", "tool_use_id": "a", "span_id": "a", "status": "success", "text": ""},
        {"offset_ms": 3100, "kind": "text", "text": "The train"},
        {"offset_ms": 4700, "kind": "text", "text": " leaves"},
        {"offset_ms": 5300, "kind": "text", "text": " at"},
        {"offset_ms": 5900, "kind": "text", "text": " 08:12."},
    ]
    Recording.objects.create(invocation=run, events=[{"seq": seq, **event} for seq, event in enumerate(events, 1)])
    make_measured(run, 1900)
    return run


def page_of(run: Invocation) -> str:
    return reverse("sessions:timeline", args=[run.session.public_id, run.number])


def test_the_page_shows_every_gap_span_and_stall_and_what_they_add_up_to(client: Client, run: Invocation) -> None:
    client.force_login(run.session.owner)
    html = client.get(page_of(run)).content.decode()
    for words in (
        "Preparing the request", "10 ms", "Startup", "1.90 s", "Agent at work", "400 ms", "Answer", "3.70 s",
        "find_trains", "700 ms", "find_hotels", "490 ms", "failed", "1 stall", "1.60 s", "tokens/s", "6.01 s",
        "request sent to agent started", "between 0 ms and 2.30 s",
    ):  # fmt: skip
        assert words in html, words
    assert f"{reverse('sessions:logs', args=[run.session.public_id])}?run=1" in html


def test_the_part_of_the_page_is_all_that_the_session_fetches(client: Client, run: Invocation) -> None:
    client.force_login(run.session.owner)
    part = client.get(page_of(run), headers={"HX-Request": "true"}).content.decode()
    assert "find_trains" in part and "<html" not in part
    turns = client.get(run.session.get_absolute_url()).content.decode()
    assert f'hx-get="{page_of(run)}"' in turns and "find_trains" not in part.split("<table")[0].split("<svg")[0]


def test_a_stranger_finds_no_timeline(client: Client, run: Invocation, bob: User) -> None:
    client.force_login(bob)
    assert client.get(page_of(run)).status_code == 404
    assert client.get(f"/api/runs/{run.pk}/timeline").status_code == 404


def test_the_api_tells_the_same_in_milliseconds_since_the_prompt(client: Client, run: Invocation) -> None:
    client.force_login(run.session.owner)
    body = client.get(f"/api/runs/{run.pk}/timeline").json()
    assert [(gap["key"], round(gap["start_ms"]), round(gap["end_ms"]), gap["clock"]) for gap in body["gaps"]] == [
        ("preparing", 0, 10, "loom"), ("startup", 10, 1910, "agent"), ("agent", 1910, 2210, "agent"),
        ("agent", 2210, 2310, "loom"), ("answering", 2310, 6010, "loom"),
    ]  # fmt: skip
    assert sum(gap["end_ms"] - gap["start_ms"] for gap in body["gaps"]) == pytest.approx(body["wall_ms"], abs=1)
    assert body["start"] == {
        "at_ms": 1910, "low_ms": 10, "high_ms": 2310, "marker": "Agent invoked", "marker_rank": 1,
        "is_provisional": False,
    }  # fmt: skip
    assert [(span["name"], span["start_ms"], span["end_ms"], span["has_failed"]) for span in body["spans"]] == [
        ("find_trains", 2310, 3010, False), ("find_hotels", 2320, 2810, True),
    ]  # fmt: skip
    assert [(stall["start_ms"], stall["end_ms"]) for stall in body["stalls"]] == [(3110, 4710)]
    assert body["rate"]["unit"] == "tokens"


def test_a_slow_cold_run_says_why_and_each_figure_leads_to_its_evidence(
    client: Client, make_session: Callable[..., Session]
) -> None:
    session = make_session()
    for number in range(3):
        warm = make_run(session, 10 * number, first_byte_s=0.4, ended_s=0.9)
        make_measured(warm, 20, start_kind="reused")
    cold = make_run(make_session(agent=session.agent), 60, first_byte_s=2.3, ended_s=2.6)
    make_measured(cold, 1900)
    Session.objects.update(created_at=at(-1))
    client.force_login(session.owner)
    why = client.get(f"/api/runs/{cold.pk}/timeline").json()["why"]
    said = "Cold: 1.90 s of 2.30 s before its first token was the environment; the 3 runs before were warm."
    assert why == {"text": said, "cause": "environment", "took_ms": 1900, "of_ms": 2300}
    part = client.get(page_of(cold)).content.decode()
    sentence = part.split('class="timeline-why">')[1].split("</p>")[0]
    logs = reverse("sessions:logs", args=[cold.session.public_id])
    assert f'<a class="link" href="{logs}?run=1">1.90 s</a>' in sentence
    row = sentence.split('href="#')[1].split('"')[0]
    assert f'id="{row}"' in part
    compared = sentence.split(">the 3 runs<")[0].rsplit('href="', 1)[1].removesuffix('"').replace("&amp;", "&")
    assert "from=2026-11-20T12:00" in compared and client.get(compared).status_code == 200


def test_a_start_that_cannot_be_is_not_drawn(client: Client, make_session: Callable[..., Session]) -> None:
    run = make_run(make_session())
    make_measured(run, -800)
    client.force_login(run.session.owner)
    body = client.get(f"/api/runs/{run.pk}/timeline").json()
    assert (body["start"], body["start_state"]) == (None, "clock_skew")
    assert [gap["key"] for gap in body["gaps"]] == ["first_byte", "answering"]
    assert "clock and this machine" in client.get(page_of(run)).content.decode()


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"status": "failed", "invoked_at": None, "headers_at": None, "first_chunk_at": None, "first_token_at": None,
          "is_unsent": True}, "Until it failed"),
        ({"status": "streaming", "completed_at": None, "first_token_at": None}, "Receiving the answer"),
        ({"status": "interrupted", "first_token_at": None, "first_chunk_at": None}, "Until it was interrupted"),
    ],
)  # fmt: skip
def test_runs_that_went_otherwise_have_one_too(
    client: Client, make_session: Callable[..., Session], changes: dict[str, Any], shown: str
) -> None:
    run = make_run(make_session(), **changes)
    client.force_login(run.session.owner)
    assert shown in client.get(page_of(run)).content.decode()


def test_a_run_that_ended_in_the_instant_it_began_has_nothing_to_draw(
    client: Client, make_session: Callable[..., Session]
) -> None:
    run = make_run(make_session(), first_byte_s=0, ended_s=0)
    client.force_login(run.session.owner)
    assert client.get(page_of(run)).status_code == 200
    body = client.get(f"/api/runs/{run.pk}/timeline").json()
    assert (body["gaps"], body["wall_ms"]) == ([], 0)
    assert run.completed_at == run.requested_at + timedelta()
