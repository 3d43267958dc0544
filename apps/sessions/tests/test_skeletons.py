"""A fragment whose holes are filled is the one that its template makes in one go."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from apps.agents.models import Agent
from apps.sessions.engine.host import Environment
from apps.sessions.models import Invocation, Session
from apps.sessions.viewing import skeletons
from apps.sessions.viewing.environment_card import ENVIRONMENT, EnvironmentCard
from apps.sessions.viewing.rendering import environment_message, state_message, turn_message
from apps.sessions.viewing.skeletons import ShapeError, Skeleton
from apps.sessions.viewing.turns import STATE, TURN, Turn

NOON = datetime(2026, 11, 29, 12, 0, 0, 123_456, tzinfo=UTC)
TEXTS = st.one_of(
    st.text(max_size=100),
    st.sampled_from([
        "", "\0pk\0", "\0", "\0\0prompt\0\0", "<b>&\"'</b>", "&amp;", "{{ turn.pk }}{% if x %}", "%(prompt)s %s %",
        "\u202eabc",
        "مرحبا", "a" * 200, "e\u0301" * 90, "two\nlines", "</article><script>", "None", "0",
    ]),
)  # fmt: skip
INSTANTS = st.none() | st.integers(0, 10**8).map(lambda ms: NOON + timedelta(milliseconds=ms))
COUNTS = st.sampled_from([0, 1, 2, 999, 1000, 1_234_567])


def session_of(name: str) -> Session:
    agent = Agent(pk=2, name=name)
    runtime = apps.get_model("agentcore", "Runtime")  # of an app above this one
    agent.runtime = runtime(agent=agent, idle_timeout_ms=900_000, max_lifetime_ms=90_000)
    return Session(pk=3, public_id=uuid.UUID(int=5), agent=agent, ended_at=NOON)


def turn_of(**given: Any) -> Turn:
    fields: dict[str, Any] = {"pk": 7, "number": 1, "prompt": "Hello", "requested_at": NOON, "session": session_of("A")}
    shown: dict[str, Any] = {"output_html": mark_safe("<p>Said</p>"), "tail_html": mark_safe("")}
    shown |= {name: given.pop(name) for name in ("position", "place_in_queue", "output_html") if name in given}
    return Turn(Invocation(**{**fields, **given}), **shown)


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    status = draw(st.sampled_from(Invocation.Status.values))
    return turn_of(
        pk=draw(st.integers(1, 2**40)),
        number=draw(COUNTS),
        status=status,
        session=session_of(draw(TEXTS)),
        prompt=draw(TEXTS),
        payload=draw(TEXTS),
        request_key=draw(TEXTS),
        response_text=draw(TEXTS),
        version=draw(TEXTS),
        is_version_assumed=draw(st.booleans()),
        is_unsent=draw(st.booleans()),
        content_type=draw(st.sampled_from(["", "text/html; charset=utf-8", "text/event-stream"])),
        content_removed_at=draw(INSTANTS),
        claimed_at=draw(INSTANTS),
        invoked_at=draw(INSTANTS),
        first_token_at=draw(INSTANTS),
        completed_at=draw(INSTANTS),
        waited_ms=draw(st.none() | st.floats(0, 1e6)),
        chunk_count=draw(COUNTS),
        byte_count=draw(COUNTS),
        input_token_count=draw(st.none() | COUNTS),
        output_token_count=draw(st.none() | COUNTS),
        model=draw(st.none() | TEXTS),
        cost_usd=draw(st.sampled_from([None, Decimal(0), Decimal("0.000142"), Decimal("1234.5")])),
        cost_source=draw(st.sampled_from([None, "estimate", "priced", "reported", "unknown"])),
        attempt_count=draw(COUNTS),
        last_sequence=draw(COUNTS),
        position=draw(st.sampled_from(["", "7:ab12:3"])),
        place_in_queue=draw(st.sampled_from([None, 1, 12])),
        output_html=draw(st.sampled_from([mark_safe(""), mark_safe("<p>\0pk\0 said</p>")])),
    )


def html_of(text: str) -> str:
    """What a page gets of it."""
    return str(json.loads(text)["html"])


@given(turns())
def test_a_turn_is_what_its_template_makes_of_it(turn: Turn) -> None:
    assert html_of(turn_message(turn)) == TURN.render_whole(turn)
    assert html_of(state_message(turn)) == STATE.render_whole(turn)


@given(st.sampled_from(["none", "busy", "kept", "gone", "ended"]), INSTANTS)
def test_a_card_is_what_its_template_makes_of_it(state: str, expires_at: datetime | None) -> None:
    session, environment = session_of("A"), Environment(state, expires_at)
    assert html_of(environment_message(session, environment)) == ENVIRONMENT.render_whole(
        EnvironmentCard(session, environment)
    )


def test_a_card_says_how_long_an_environment_is_kept() -> None:
    html = html_of(environment_message(session_of("A"), Environment("busy")))
    assert "for 15 min of idleness, and for 90 s in all" in html

    of_another_kind = Session(pk=3, agent=Agent(pk=2, name="B"))
    vars(of_another_kind.agent._state)["fields_cache"] = {"runtime": None}
    assert "for – of idleness" in html_of(environment_message(of_another_kind, Environment("busy")))


@pytest.mark.parametrize(
    "more",
    [
        {"status": "failed", "error_message": "It <fell>", "error_code": "Fall"},
        {"status": "completed", "unread_event_count": 2, "byte_count": 9},
        {"status": "completed", "byte_count": 9, "output_html": mark_safe("")},
    ],
)
def test_a_turn_that_has_more_to_say_is_no_skeleton(more: dict[str, Any]) -> None:
    turn = turn_of(**more)
    assert not turn.is_usual and html_of(turn_message(turn)) == TURN.render_whole(turn)


def test_a_skeleton_is_of_one_language_and_of_no_time_zone() -> None:
    turn = turn_of(status="completed", invoked_at=NOON, chunk_count=12_345)
    shown = html_of(turn_message(turn))
    with override("de"):
        assert html_of(turn_message(turn)) == TURN.render_whole(turn)
    with timezone.override("Asia/Tokyo"):
        elsewhere = html_of(turn_message(turn))
    assert elsewhere != shown == html_of(turn_message(turn))
    assert "2026-11-29T21:00:00" in elsewhere


def test_a_template_may_ask_only_for_what_is_told_of_it() -> None:
    skeleton = Skeleton("sessions/_turn_state.html", "turn", shape=["status"], holes=["pk"])
    with pytest.raises(ShapeError, match="is_unfinished"):
        skeleton.render(turn_of(status="pending"))


def test_no_more_shapes_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skeletons, "MOST_SHAPES", 3)
    skeleton = Skeleton("sessions/_environment.html", "environment", shape=["state", "can_be_ended", "ended"], holes=[])
    for day in range(10):
        session = session_of("A")
        session.ended_at = NOON + timedelta(days=day)
        skeleton.render(EnvironmentCard(session, Environment("ended")))
        assert len(skeleton._skeletons) <= 3


def test_a_template_that_is_worked_on_is_rendered_anew(settings: Any) -> None:
    settings.DEBUG = True
    skeleton = Skeleton("sessions/_turn_state.html", "turn", shape=["status"], holes=[])
    turn = turn_of(status="pending")
    assert skeleton.render(turn) == skeleton.render_whole(turn)
