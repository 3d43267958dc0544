"""The spans of OpenTelemetry as CloudWatch's Transaction Search keeps them: one JSON object a line.

They are what agents send, so nothing is taken for granted: ids and instants in any of the ways in which exporters write
them, attributes as an object or as the protocol's list. What has no id or no time is no span. Of the attributes only
those are read that say what a span is: the others may hold prompts and answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from apps.aws.logs.records import parse_record, plain
from apps.aws.traces import trace_hex

SPANS_GROUP = "aws/spans"
"""Where Transaction Search puts the spans of a whole account."""
OWN_SPANS_STREAM = "spans"
"""The stream of a runtime's own log group that has them where its traces go there instead."""

SpanKind = Literal["agent", "cycle", "model", "tool", "other"]
LONGEST_NAME = 200
_SPAN_ID = re.compile(r"[0-9a-f]{16}")
_BLANKS = re.compile(r"\s+")
# From 2001 to 2286; what lies outside is no instant that a span can have.
_FIRST_NS, _LAST_NS = 10**18, 10**19
_KIND_OF_OPERATION: Mapping[str, SpanKind] = {
    "invoke_agent": "agent", "create_agent": "agent", "chat": "model", "text_completion": "model",
    "generate_content": "model", "execute_tool": "tool",
}  # fmt: skip
_KIND_OF_NAME: Mapping[str, SpanKind] = {**_KIND_OF_OPERATION, "execute_event_loop_cycle": "cycle"}
_FAILED = frozenset({"ERROR", "STATUS_CODE_ERROR", "2"})


@dataclass(frozen=True, slots=True)
class TraceSpan:
    """Something that an agent did, from one instant to another by its own clock, in nanoseconds since 1970.

    `parent_id` is the span that it happened inside, "" for the outermost; that one need not be among those found.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: SpanKind
    start_ns: int
    end_ns: int
    has_failed: bool = False
    tool_call_id: str = ""


def parse_span(message: str) -> TraceSpan | None:
    """The span that a line is; None where it is none, or not a whole one."""
    record = parse_record(message)
    if record is None:
        return None
    trace_id, span_id = trace_hex(_text(record.get("traceId"))), _span_id(record.get("spanId"))
    start_ns, end_ns = _nanoseconds(record.get("startTimeUnixNano")), _nanoseconds(record.get("endTimeUnixNano"))
    if start_ns is not None and end_ns is None and (duration_ns := _number(record.get("durationNano"))) is not None:
        end_ns = start_ns + duration_ns
    if not trace_id or not span_id or start_ns is None or end_ns is None or not start_ns <= end_ns < _LAST_NS:
        return None
    name = _name(record.get("name"))
    attributes = record.get("attributes")
    return TraceSpan(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=_span_id(record.get("parentSpanId")),
        name=name or span_id,
        kind=_kind(_attribute(attributes, "gen_ai.operation.name"), name),
        start_ns=start_ns,
        end_ns=end_ns,
        has_failed=_has_failed(record.get("status")),
        tool_call_id=_attribute(attributes, "gen_ai.tool.call.id")[:LONGEST_NAME],
    )


def _kind(operation: str, name: str) -> SpanKind:
    return _KIND_OF_OPERATION.get(operation) or _KIND_OF_NAME.get(name.partition(" ")[0], "other")


def _span_id(value: object) -> str:
    text = _text(value).lower()
    return text if _SPAN_ID.fullmatch(text) and text.strip("0") else ""


def _name(value: object) -> str:
    """One line, without what would only mean something to a terminal."""
    return _BLANKS.sub(" ", plain(_text(value)[: 4 * LONGEST_NAME])).strip()[:LONGEST_NAME]


def _nanoseconds(value: object) -> int | None:
    number = _number(value)
    return number if number is not None and _FIRST_NS <= number < _LAST_NS else None


def _number(value: object) -> int | None:
    """A whole number from zero on, also as the text that OpenTelemetry's JSON makes of large ones."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _has_failed(status: object) -> bool:
    code = status.get("code") if isinstance(status, dict) else status
    return isinstance(code, str | int) and str(code).upper() in _FAILED


def _attribute(attributes: object, key: str) -> str:
    """The text of an attribute, "" where there is none."""
    if isinstance(attributes, dict):
        return _text(attributes.get(key))
    if isinstance(attributes, list):
        for item in attributes:
            if isinstance(item, dict) and item.get("key") == key:
                value: Any = item.get("value")
                return _text(value.get("stringValue") if isinstance(value, dict) else value)
    return ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
