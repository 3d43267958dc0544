"""Tools and sub-agents in their nesting, stalls and the rate of text, from recordings."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrics.explaining.spans import rate_of, spans_of, stalls_of
from loom_events.recorded import RecordedEvent


def recording(*events: tuple[float, dict[str, Any]]) -> list[RecordedEvent]:
    return [cast("RecordedEvent", {"seq": seq, "offset_ms": ms, **event}) for seq, (ms, event) in enumerate(events, 1)]


def tool(key: str, name: str = "search", **more: str) -> dict[str, Any]:
    return {"kind": "tool", "tool_use_id": key, "span_id": key, "name": name, **more}


def result(key: str, status: str = "success", **more: str) -> dict[str, Any]:
    return {"kind": "tool_result", "tool_use_id": key, "span_id": key, "status": status, "text": "", **more}


def text(words: str = "word ", **more: str) -> dict[str, Any]:
    return {"kind": "text", "text": words, **more}


def drawn(events: list[RecordedEvent], end_ms: float) -> list[tuple[int, str, str, float, float]]:
    return [(span.depth, span.kind, span.name, span.start_ms, span.end_ms) for span in spans_of(events, end_ms)]


def test_parallel_tools_stand_beside_each_other_and_their_children_inside() -> None:
    events = recording(
        (100, tool("a", "flights")),
        (110, tool("b", "hotels")),
        (300, tool("c", "cache", parent_id="a")),
        (400, result("c", parent_id="a")),
        (800, result("b", "error")),
        (900, result("a")),
    )
    assert drawn(events, 1000) == [
        (0, "tool", "flights", 100, 900),
        (1, "tool", "cache", 300, 400),
        (0, "tool", "hotels", 110, 800),
    ]
    assert [span.has_failed for span in spans_of(events, 1000)] == [False, False, True]


def test_a_sub_agent_is_at_work_for_as_long_as_it_is_heard_of() -> None:
    events = recording(
        (50, {"kind": "node", "node_id": "plan", "span_id": "n1", "status": "started", "message": ""}),
        (200, text(span_id="researcher", parent_id="n1")),
        (700, text(span_id="researcher", parent_id="n1")),
        (800, {"kind": "node", "node_id": "plan", "span_id": "n1", "status": "completed", "message": ""}),
    )
    assert drawn(events, 5000) == [(0, "node", "plan", 50, 800), (1, "agent", "researcher", 200, 700)]


def test_a_call_without_its_result_lasts_as_long_as_the_run() -> None:
    [span] = spans_of(recording((100, tool("a"))), 4000)
    assert (span.end_ms, span.is_over) == (4000, False)


def test_calls_without_ids_and_with_the_same_id_are_calls_of_their_own() -> None:
    bare = {"kind": "tool", "tool_use_id": "", "name": "x"}
    events = recording((1, bare), (2, result("") | {"span_id": ""}), (3, bare), (5, result("") | {"span_id": ""}))
    assert [span.duration_ms for span in spans_of(events, 9)] == [1, 2]
    twice = recording((1, tool("a")), (2, result("a")), (3, tool("a")), (7, result("a")))
    assert [span.duration_ms for span in spans_of(twice, 9)] == [1, 4]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), max_size=12), st.booleans())
def test_no_span_is_lost_however_they_claim_to_be_nested(pairs: list[tuple[str, str]], is_ended: bool) -> None:
    events = recording(*((number, tool(key, parent_id=parent)) for number, (key, parent) in enumerate(pairs)))
    if is_ended:
        events += recording(*((99, result(key)) for key, _ in pairs))
    found = spans_of(events, 100)
    assert {span.key for span in found} >= {key for key, _ in pairs}
    assert all(span.duration_ms >= 0 for span in found)


def test_a_stall_is_more_than_a_second_without_an_event() -> None:
    events = recording(
        (0, {"kind": "headers", "http_status": 200, "content_type": ""}), (2000, text()), (3000, text()), (5500, text())
    )
    assert [(stall.start_ms, stall.end_ms) for stall in stalls_of(events, 6600)] == [(3000, 5500), (5500, 6600)]
    assert stalls_of(events[:1], 9000) == []


def test_a_stall_inside_a_tool_says_so() -> None:
    events = recording((0, text()), (10, tool("a")), (3010, result("a")), (3020, text()))
    assert [stall.is_in_tool for stall in stalls_of(events, 3100, spans_of(events, 3100))] == [True]


@pytest.mark.parametrize(("tokens", "unit", "sum_per_step"), [(500, "tokens", 500), (None, "characters", 1000)])
def test_the_rate_of_an_answer_adds_up_to_all_of_it(tokens: int | None, unit: str, sum_per_step: float) -> None:
    events = recording(*((100 + 20 * number, text("0123456789")) for number in range(100)))
    rate = rate_of(events, tokens)
    assert rate is not None and rate.unit == unit
    assert sum(rate.per_second) * rate.step_ms / 1000 == pytest.approx(sum_per_step, rel=0.01)


def test_an_answer_in_one_piece_has_no_rate() -> None:
    assert rate_of(recording((5, text("all at once"))), 10) is None
    assert rate_of(recording((5, text("a")), (5, text("b")), (5, text("c"))), 10) is None
