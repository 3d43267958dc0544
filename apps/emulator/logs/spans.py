"""The spans that an agent's telemetry writes, as CloudWatch's Transaction Search keeps them: one JSON object a line.

The shape is that of `aws/spans`: OpenTelemetry's fields by their names, instants as numbers of nanoseconds, attributes
as a plain object. A span is written once it has ended, by the clock of the environment that it was in.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SPANS_GROUP = "aws/spans"
SPANS_STREAM = "default"
SERVER_SPAN, AGENT_SPAN = "server", "agent"
_XRAY = re.compile(r"1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})")
_SCOPES = {SERVER_SPAN: "opentelemetry.instrumentation.starlette"}
_OWN_SCOPE = "strands.telemetry.tracer"


@dataclass(frozen=True, slots=True)
class SpanMark:
    """A span begins, or, with `is_end`, ends; `key` and `parent` name spans within one request."""

    key: str
    name: str = ""
    parent: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    is_end: bool = False


@dataclass(slots=True)
class _Span:
    span_id: str
    name: str
    parent: str
    began_at: float
    attributes: dict[str, Any]
    ended_at: float | None = None


class SpanWriter:
    """The spans of one request. `began_at` and all other instants are seconds of this machine's wall clock."""

    def __init__(self, *, trace_header: str, resource: Mapping[str, str], session_id: str, skew_s: float) -> None:
        self.trace_id = trace_id_in(trace_header)
        self._resource = resource
        self._session_id = session_id
        self._skew_s = skew_s
        self._spans: dict[str, _Span] = {}

    def take(self, mark: SpanMark, at: float) -> None:
        """Begin or end a span at an instant; what ends is known."""
        if mark.is_end:
            span = self._spans[mark.key]
            span.ended_at = at
            span.attributes |= mark.attributes
        else:
            self._spans[mark.key] = _Span(uuid.uuid4().hex[:16], mark.name, mark.parent, at, dict(mark.attributes))

    def span_id(self, key: str) -> str:
        return self._spans[key].span_id

    def close(self, at: float, *, has_failed: bool) -> Iterator[tuple[float, str]]:
        """End what is open, and return each span as (its end by the environment's clock, its line), as they ended."""
        was_open = [span for span in self._spans.values() if span.ended_at is None]
        for span in was_open:
            span.ended_at = at
        for key, span in sorted(self._spans.items(), key=lambda item: item[1].ended_at or at):
            record = self._record(key, span, "ERROR" if has_failed and span in was_open else "UNSET")
            yield (span.ended_at or at) + self._skew_s, json.dumps(record, ensure_ascii=False)

    def _record(self, key: str, span: _Span, status: str) -> dict[str, Any]:
        began, ended = (_nanoseconds(at + self._skew_s) for at in (span.began_at, span.ended_at or span.began_at))
        parent = self._spans.get(span.parent)
        return {
            "resource": {"attributes": dict(self._resource)},
            "scope": {"name": _SCOPES.get(key, _OWN_SCOPE), "version": ""},
            "traceId": self.trace_id,
            "spanId": span.span_id,
            **({"parentSpanId": parent.span_id} if parent else {}),
            "flags": 256,
            "name": span.name,
            "kind": "SERVER" if key == SERVER_SPAN else "INTERNAL",
            "startTimeUnixNano": began,
            "endTimeUnixNano": ended,
            "durationNano": ended - began,
            "attributes": {"session.id": self._session_id, "aws.local.service": self._resource["service.name"],
                           **span.attributes},
            "status": {"code": status},
        }  # fmt: skip


def trace_id_in(header: str) -> str:
    """The 32 digits of the trace that a header names; new ones where it names none."""
    found = _XRAY.search(header)
    return "".join(found.groups()).lower() if found else uuid.uuid4().hex


def _nanoseconds(at: float) -> int:
    return int(at * 1_000_000) * 1000
