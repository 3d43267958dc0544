"""The frames of a replay: until an instant they show exactly what a page shows of the events until then."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from apps.metrics.explaining.film import COARSE_MS, MOST_MOMENTS, KeptFilms, edit_of, film_of, moments_of, told_film
from apps.metrics.tests.runs import make_run
from apps.sessions.models import Invocation, Session
from apps.sessions.viewing.rendering import AnswerRenderer, render_turn
from apps.sessions.viewing.turns import answer_url_of
from loom_events.recorded import RecordedEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(make_session: Callable[..., Session]) -> Invocation:
    return make_run(make_session(), ended_s=9)


def recorded(*events: dict[str, Any]) -> list[RecordedEvent]:
    return cast("list[RecordedEvent]", [{"seq": seq, **event} for seq, event in enumerate(events, 1)])


def text(offset_ms: float, words: str) -> dict[str, Any]:
    return {"offset_ms": offset_ms, "kind": "text", "text": words}


EVERYTHING = recorded(
    {"offset_ms": 5, "kind": "headers", "http_status": 200, "content_type": "text/event-stream"},
    {"offset_ms": 100, "kind": "reasoning", "text": "Hm 🤔 "},
    {"offset_ms": 110, "kind": "reasoning", "text": "trains <b>go</b> 🚂."},
    text(200, "# Ghe"),
    text(210, "nt\n\nThe *tr"),
    text(220, "ain* leaves"),
    {"offset_ms": 300, "kind": "tool", "tool_use_id": "a", "name": "find_trains"},
    {"offset_ms": 310, "kind": "tool", "tool_use_id": "b", "name": "find_hotels"},
    {"offset_ms": 320, "kind": "tool_input", "tool_use_id": "a", "text": '{"to": "Ghent"}'},
    {"offset_ms": 900, "kind": "tool_result", "tool_use_id": "b", "status": "error", "text": "none 😞"},
    text(910, "\n\n| a | b |\n|---|---|\n| 1 "),
    text(920, "| 2 |\n\n```py\nx = 1\n"),
    {"offset_ms": 950, "kind": "tool_result", "tool_use_id": "a", "status": "success", "text": "08:12"},
    text(990, "y = '<script>'\n```\nbye 👋"),
    text(990, " now"),
    {"offset_ms": 1000, "kind": "usage", "input_tokens": 1, "output_tokens": 2},
)


def _edited(before: str, edit: list[Any]) -> str:
    """As the page does it: counted in units of UTF-16."""
    units = before.encode("utf-16-le")
    head, more, foot = cast("tuple[int, str, int]", edit)
    return (units[: head * 2] + more.encode("utf-16-le") + units[len(units) - foot * 2 :]).decode("utf-16-le")


def shown(frames: list[dict[str, Any]]) -> tuple[str, str]:
    """What is closed and what is open after these frames."""
    parts: list[str | int] = []
    steps: dict[int, str] = {}
    tail = ""
    for frame in frames:
        for number, *edit in frame.get("steps", []):
            steps[number] = _edited(steps[number], edit)
        for part in frame.get("closed", []):
            if isinstance(part, str):
                parts.append(part)
            else:
                steps[part[0]] = part[1]
                parts.append(part[0])
        tail = _edited(tail, frame["tail"]) if "tail" in frame else tail
    return "".join(steps[part] if isinstance(part, int) else part for part in parts), tail


def test_at_every_instant_it_is_what_a_live_page_showed_then(run: Invocation) -> None:
    frames = film_of(run, EVERYTHING)["frames"]
    for at_ms in sorted({event["offset_ms"] for event in EVERYTHING}):
        live = AnswerRenderer(run.pk, answer_url_of(run))
        for moment in moments_of([event for event in EVERYTHING if event["offset_ms"] <= at_ms])[0]:
            if live.extend(moment.events) is None:
                live.feed(moment.events)
        assert shown([frame for frame in frames if frame["at"] <= at_ms]) == (live.output, live.tail), at_ms


def test_at_the_end_it_is_the_turn_of_its_page(run: Invocation) -> None:
    told = film_of(run, EVERYTHING)
    assert shown(told["frames"]) == (render_turn(run, EVERYTHING).output_html, "")
    assert told["duration_ms"] == 9000
    assert told["frames"][-1]["at"] == 9000
    assert told["step_ms"] == 0
    assert [frame["at"] for frame in told["frames"]] == sorted(frame["at"] for frame in told["frames"])


def test_what_changes_nothing_on_the_page_is_no_frame(run: Invocation) -> None:
    ats = [frame["at"] for frame in film_of(run, EVERYTHING)["frames"]]
    assert 5 not in ats
    assert 1000 not in ats
    assert film_of(run, [])["frames"] == []


def test_a_call_without_a_result_runs_until_the_end(run: Invocation) -> None:
    events = recorded({"offset_ms": 300, "kind": "tool", "tool_use_id": "a", "name": "find_trains"})
    frames = film_of(run, events)["frames"]
    assert "running" in shown(frames[:1])[0]
    assert "no result" in shown(frames)[0]


def test_a_thought_of_many_words_is_not_told_anew_with_each(run: Invocation) -> None:
    words = [{"offset_ms": float(number), "kind": "reasoning", "text": f"word {number} "} for number in range(2_000)]
    frames = film_of(run, recorded(*words))["frames"]
    told = sum(len(edit[2]) for frame in frames for edit in frame.get("steps", []))
    assert told < 3 * sum(len(str(word["text"])) for word in words)
    assert shown(frames) == (render_turn(run, recorded(*words)).output_html, "")


def test_many_events_are_told_in_steps_and_none_before_it_came() -> None:
    events = recorded(*(text(number * 0.5, "x") for number in range(MOST_MOMENTS + 1)))
    moments, step_ms = moments_of(events)
    assert step_ms == COARSE_MS
    assert len(moments) == 1_001
    assert [event for moment in moments for event in moment.events] == events
    assert all(
        event["offset_ms"] <= moment.at_ms < event["offset_ms"] + step_ms
        for moment in moments
        for event in moment.events
    )
    slow = recorded(*(text(number * 15.0, "x") for number in range(3 * MOST_MOMENTS)))
    moments, step_ms = moments_of(slow)
    assert (len(moments) <= MOST_MOMENTS, step_ms) == (True, 80)


def test_a_large_answer_is_told_in_steps() -> None:
    moments, step_ms = moments_of(recorded(text(1, "x" * 1_000_001), text(2, "y" * 1_000_000)))
    assert (len(moments), step_ms) == (1, COARSE_MS)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "a"),
        ("abc", "abxc"),
        ("aaa", "aa"),
        ("aa", "aaa"),
        ("👋a", "👋👋a"),
        ("a👋", "b👋"),
        ("abc", ""),
        ("a🤔", "a🚂"),
    ],
)
def test_an_edit_makes_one_text_of_the_other(before: str, after: str) -> None:
    edit = edit_of(before, after)
    assert edit is not None
    assert _edited(before, edit) == after


def test_the_same_text_is_no_edit() -> None:
    assert edit_of("abc", "abc") is None


def test_films_are_kept_while_there_is_room_and_the_one_last_asked_for_stays() -> None:
    told = {key: random.Random(key).randbytes(1_000) for key in range(4)}
    films = KeptFilms(most_bytes=2_500)
    films.keep(0, "v", told[0])
    films.keep(1, "v", told[1])
    assert films.get(0, "v") == told[0]
    films.keep(2, "v", told[2])
    assert [films.get(key, "v") for key in (0, 1, 2)] == [told[0], None, told[2]]
    assert films.get(0, "w") is None
    films.keep(0, "w", told[3])
    assert films.get(0, "w") == told[3] and films.byte_count < 2_500
    films.keep(3, "v", random.Random(9).randbytes(9_000))
    assert films.get(3, "v") is None and films.get(0, "w") == told[3]


def test_a_film_that_many_ask_for_at_once_is_made_once(run: Invocation) -> None:
    read: list[int] = []

    def events() -> list[RecordedEvent]:
        read.append(run.pk)
        return EVERYTHING

    run.status = Invocation.Status.COMPLETED
    with ThreadPoolExecutor(4) as pool:
        told = set(pool.map(lambda _: told_film(run, events), range(8)))
    assert read == [run.pk]
    assert [json.loads(one) for one in told] == [json.loads(json.dumps(film_of(run, EVERYTHING)))]
