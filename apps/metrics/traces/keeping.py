"""What is kept of a trace: as many spans as a page can show, as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from apps.aws.logs.spans import TraceSpan, parse_span
from apps.aws.logs.streams import LogEvent

MOST_SPANS = 200
MOST_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Trace:
    """The spans of one run as they are kept, the first to begin first, and how many there were beyond them."""

    spans: Sequence[TraceSpan] = ()
    damaged_count: int = 0
    left_out_count: int = 0


def traces_in(events: Iterable[LogEvent], trace_ids: Iterable[str]) -> dict[str, Trace]:
    """The traces among the lines; those of which there is no line are left out.

    A line that is no whole span counts as damaged for each trace that it names.
    """
    spans: dict[str, dict[str, TraceSpan]] = {trace_id: {} for trace_id in trace_ids}
    damaged = dict.fromkeys(spans, 0)
    for event in events:
        span = parse_span(event.message)
        if span is None:
            for trace_id in spans:
                damaged[trace_id] += trace_id in event.message
        elif span.trace_id in spans:
            # Exporters send again what they do not know to have arrived.
            spans[span.trace_id][span.span_id] = span
    return {
        trace_id: _within_bounds(found.values(), damaged[trace_id])
        for trace_id, found in spans.items()
        if found or damaged[trace_id]
    }


def _within_bounds(spans: Iterable[TraceSpan], damaged_count: int) -> Trace:
    ordered = sorted(spans, key=lambda span: (span.start_ns, -span.end_ns, span.span_id))
    kept: list[TraceSpan] = []
    size = 0
    for span in ordered[:MOST_SPANS]:
        size += len(json.dumps(as_kept(span)))
        if size > MOST_BYTES:
            break
        kept.append(span)
    return Trace(kept, damaged_count, len(ordered) - len(kept))


def as_kept(span: TraceSpan) -> dict[str, Any]:
    """A span as its row has it; the row has its trace."""
    return {name: value for name, value in asdict(span).items() if name != "trace_id"}


def from_kept(trace_id: str, rows: Iterable[dict[str, Any]]) -> list[TraceSpan]:
    """The spans of a row; what a later release may have added is left out."""
    known = {field.name for field in fields(TraceSpan)}
    return [
        TraceSpan(trace_id=trace_id, **{name: value for name, value in row.items() if name in known}) for row in rows
    ]
