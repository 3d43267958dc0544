"""What is read of a line in `aws/spans`, whoever has written it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.aws.logs.spans import LONGEST_NAME, TraceSpan, parse_span

TRACE, SPAN, PARENT = "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8", "eee19b7ec3c1b174"
START = 1_795_694_400_000_000_000
LINE: dict[str, Any] = {
    "resource": {"attributes": {"service.name": "my_agent.DEFAULT"}},
    "scope": {"name": "strands.telemetry.tracer", "version": ""},
    "traceId": TRACE, "spanId": SPAN, "parentSpanId": PARENT, "flags": 256, "name": "execute_tool find_trains",
    "kind": "INTERNAL", "startTimeUnixNano": START, "endTimeUnixNano": START + 250_000_000, "durationNano": 250_000_000,
    "attributes": {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.id": "tooluse_1", "session.id": "s" * 36,
        "gen_ai.input.messages": "a secret prompt",
    },
    "status": {"code": "OK"},
}  # fmt: skip
READ = TraceSpan(
    TRACE, SPAN, PARENT, "execute_tool find_trains", "tool", START, START + 250_000_000, tool_call_id="tooluse_1"
)


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in LINE.items() if name not in names}


def test_a_line_as_cloudwatch_keeps_it() -> None:
    assert parse_span(json.dumps(LINE)) == READ


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ({"traceId": "1-5759e988-bd862e3fe1be46a994272793"}, {}),
        ({"traceId": TRACE.upper(), "spanId": SPAN.upper()}, {}),
        ({"startTimeUnixNano": str(START), "endTimeUnixNano": str(START + 250_000_000)}, {}),
        ({"endTimeUnixNano": None}, {}),
        ({"endTimeUnixNano": START, "durationNano": 7}, {"end_ns": START}),
        ({"parentSpanId": ""}, {"parent_id": ""}),
        ({"parentSpanId": "0000000000000000"}, {"parent_id": ""}),
        ({"attributes": [{"key": "gen_ai.tool.call.id", "value": {"stringValue": "tooluse_1"}}]}, {}),
        ({"attributes": None}, {"tool_call_id": ""}),
        ({"name": "chat", "attributes": {}}, {"name": "chat", "kind": "model", "tool_call_id": ""}),
        ({"name": "execute_event_loop_cycle", "attributes": {}},
         {"name": "execute_event_loop_cycle", "kind": "cycle", "tool_call_id": ""}),
        ({"name": "GET", "attributes": {}}, {"name": "GET", "kind": "other", "tool_call_id": ""}),
        ({"name": "x\x1b[31m\ny" + "z" * 900}, {"name": "x y" + "z" * (LONGEST_NAME - 3)}),
        ({"name": 7}, {"name": SPAN}),
        ({"status": {"code": "ERROR", "message": "…"}}, {"has_failed": True}),
        ({"status": {"code": 2}}, {"has_failed": True}),
        ({"status": "STATUS_CODE_ERROR"}, {"has_failed": True}),
        ({"status": {"code": 1}}, {}),
    ],
)  # fmt: skip
def test_the_ways_in_which_exporters_write(changes: dict[str, Any], read: dict[str, Any]) -> None:
    expected = {name: getattr(READ, name) for name in TraceSpan.__slots__} | read
    assert parse_span(json.dumps({**LINE, **changes})) == TraceSpan(**expected)


@pytest.mark.parametrize(
    "message",
    [
        "", "Traceback", "[]", "{", json.dumps(LINE)[:-20],
        *(json.dumps(without(name)) for name in ("traceId", "spanId", "startTimeUnixNano")),
        json.dumps(without("endTimeUnixNano", "durationNano")),
        json.dumps({**LINE, "endTimeUnixNano": START - 1}),
        json.dumps({**LINE, "startTimeUnixNano": 12}),
        json.dumps({**LINE, "startTimeUnixNano": True}),
        json.dumps({**LINE, "spanId": "0" * 16}),
        json.dumps({**LINE, "endTimeUnixNano": None, "durationNano": 10**18 * 9}),
    ],
)  # fmt: skip
def test_what_is_no_whole_span(message: str) -> None:
    assert parse_span(message) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.sampled_from([TRACE, SPAN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(LINE)), values), st.integers(0, 2_000))
def test_whatever_a_line_holds_it_is_a_span_within_bounds_or_none(changes: dict[str, Any], cut: int) -> None:
    for message in (json.dumps({**LINE, **changes}), json.dumps({**LINE, **changes})[:cut]):
        span = parse_span(message)
        if span is not None:
            assert 10**18 <= span.start_ns <= span.end_ns < 10**19
            assert len(span.trace_id) == 32 and len(span.span_id) == 16 and len(span.parent_id) in {0, 16}
            assert 1 <= len(span.name) <= LONGEST_NAME and "\n" not in span.name
            assert len(span.tool_call_id) <= LONGEST_NAME


@given(st.text(max_size=300))
def test_no_text_is_taken_for_one(message: str) -> None:
    assert parse_span(message) is None
