"""The agent's own spans in a run's time: where its clock puts them, and what the recording tells of the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from apps.metrics.explaining.agent_spans import together
from apps.metrics.explaining.spans import Span
from apps.metrics.models import AgentTrace
from apps.metrics.tests.runs import NOON, make_measured, make_run
from apps.sessions.models import Invocation, Recording, Session

pytestmark = pytest.mark.django_db

NOON_NS = int(NOON.timestamp()) * 10**9
EVENTS: list[dict[str, Any]] = [
    {"seq": 1, "offset_ms": 2300, "kind": "tool", "tool_use_id": "tooluse_a", "name": "find_trains"},
    {"seq": 2, "offset_ms": 2350, "kind": "tool", "tool_use_id": "tooluse_b", "name": "find_hotels"},
    {"seq": 3, "offset_ms": 2800, "kind": "tool_result", "tool_use_id": "tooluse_a", "status": "success", "text": ""},
    {"seq": 4, "offset_ms": 2900, "kind": "text", "text": "The train leaves"},
]


def kept(number: int, parent: int, name: str, start_ms: float, end_ms: float, **more: Any) -> dict[str, Any]:
    return {
        "span_id": f"{number:016x}", "parent_id": f"{parent:016x}" if parent else "", "name": name, "kind": "other",
        "start_ns": NOON_NS + round(start_ms * 10**6), "end_ns": NOON_NS + round(end_ms * 10**6), "has_failed": False,
        "tool_call_id": "", **more,
    }  # fmt: skip


@pytest.fixture
def run(make_session: Callable[..., Session]) -> Invocation:
    run = make_run(make_session(), first_byte_s=2.3, ended_s=3, last_sequence=4)
    Recording.objects.create(invocation=run, events=EVENTS)
    make_measured(run, 1900)
    return run


def store(run: Invocation, by_ms: float = 0) -> None:
    """A trace of which the agent's clock is off by so much: the server's span, the agent's, its tool, and a request."""
    spans = [
        kept(1, 0, "POST /invocations", 1890 + by_ms, 2990 + by_ms),
        kept(2, 1, "invoke_agent Trips", 1900 + by_ms, 2980 + by_ms, kind="agent"),
        kept(3, 2, "execute_tool find_trains", 2310 + by_ms, 2790 + by_ms, kind="tool", tool_call_id="tooluse_a"),
        kept(4, 3, "GET", 2400 + by_ms, 2700 + by_ms, has_failed=True),
        kept(5, 9, "orphan", 2500 + by_ms, 2600 + by_ms),
    ]
    AgentTrace.objects.create(invocation=run, trace_id="a" * 32, state="found", log_group="aws/spans", spans=spans)


def timeline_of(client: Client, run: Invocation) -> dict[str, Any]:
    client.force_login(run.session.owner)
    body: dict[str, Any] = client.get(f"/api/runs/{run.pk}/timeline").json()
    return body


def page_of(client: Client, run: Invocation) -> str:
    client.force_login(run.session.owner)
    return client.get(reverse("sessions:timeline", args=[run.session.public_id, run.number])).content.decode()


def test_the_agent_s_spans_are_nested_and_name_the_recorded_call_that_they_are(client: Client, run: Invocation) -> None:
    store(run)
    body = timeline_of(client, run)
    told = body["agent_spans"]
    assert [(span["name"], span["depth"], span["start_ms"], span["same_as"]) for span in told["spans"]] == [
        ("POST /invocations", 0, 1890, ""), ("invoke_agent Trips", 1, 1900, ""),
        ("execute_tool find_trains", 2, 2310, "tooluse_a"), ("GET", 3, 2400, ""), ("orphan", 0, 2500, ""),
    ]  # fmt: skip
    assert (told["low_ms"], told["high_ms"], told["shift_ms"]) == (0, 2300, 0)
    assert [span["name"] for span in body["spans"]] == ["find_trains", "find_hotels"]
    assert sum(gap["end_ms"] - gap["start_ms"] for gap in body["gaps"]) == pytest.approx(body["wall_ms"], abs=1)


def test_a_call_that_both_tell_of_is_one_row_and_one_line(client: Client, run: Invocation) -> None:
    store(run)
    html = page_of(client, run)
    assert html.count("execute_tool find_trains") == 2
    assert html.replace("execute_tool find_trains", "").count("find_trains") == 0
    row = html.split(f'id="run-{run.pk}-span-0"')[1].split("</li>")[0]
    assert "execute_tool find_trains" in row and "480 ms" in row
    assert "in the answer from 2.30 s on, for 500 ms" in html
    assert f'id="run-{run.pk}-span-1"' in html and "find_hotels" in html
    root = html.split(f'id="run-{run.pk}-told-{1:016x}"')[1].split("</li>")[0]
    assert "bar-told" in root and "bar-range" in root
    assert "bar-range" not in html.split(f'id="run-{run.pk}-told-{2:016x}"')[1].split("</li>")[0]
    assert "bar-failed" in html.split(f'id="run-{run.pk}-told-{4:016x}"')[1].split("</li>")[0]


@pytest.mark.parametrize(("by_ms", "shift_ms"), [(-5000, 3110), (5000, -4590), (400, 0)])
def test_spans_that_causality_contradicts_are_moved_by_as_little_as_it_takes(
    client: Client, run: Invocation, by_ms: float, shift_ms: float
) -> None:
    store(run, by_ms)
    told = timeline_of(client, run)["agent_spans"]
    assert told["shift_ms"] == shift_ms
    first = told["spans"][0]
    assert 0 <= first["start_ms"] <= 2300
    assert first["end_ms"] - first["start_ms"] == 1100
    assert ("they are moved by" in page_of(client, run)) == bool(shift_ms)


def test_what_is_removed_with_the_answer_is_not_told_any_more(client: Client, run: Invocation) -> None:
    store(run)
    Invocation.objects.filter(pk=run.pk).update(content_removed_at=NOON)
    assert timeline_of(client, run)["agent_spans"] is None
    assert "invoke_agent" not in page_of(client, run)


keys = st.sampled_from(["a", "b", "c", "d", "e", ""])


@st.composite
def some_spans(draw: st.DrawFn, clock: Any) -> list[Span]:
    names = draw(st.lists(st.sampled_from("abcde"), unique=True, max_size=5))
    same = draw(st.permutations("abcde"))
    return [
        Span(
            f"{clock}-{name}", f"{clock}-{draw(keys)}", "tool", name, draw(st.floats(0, 9)), 9.0, clock=clock,
            same_as=f"loom-{other}" if clock == "agent" and draw(st.booleans()) else "",
        )
        for name, other in zip(names, same, strict=False)
    ]  # fmt: skip


@given(some_spans("loom"), some_spans("agent"))
def test_every_span_stands_there_once_whatever_it_says_it_is_inside_of(recorded: list[Span], told: list[Span]) -> None:
    known = {span.key for span in recorded}
    told = [span for span in told if not span.same_as or span.same_as in known]
    work = together(recorded, told)
    merged = {span.same_as for span in told}
    expected = [span.key for span in recorded if span.key not in merged] + [span.key for span in told]
    assert sorted(span.key for span in work) == sorted(expected)
