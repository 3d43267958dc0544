"""What an agent told of its own work, beside what was recorded of it. Pure, but for the row that it is told in.

Offsets count from the instant at which the prompt was sent, as those of recordings do, by the agent's clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from apps.aws.logs.spans import TraceSpan
from apps.metrics.explaining.spans import Span, nested
from apps.metrics.models import AgentTrace
from apps.metrics.starts.panel import LatencyPanel
from apps.metrics.traces.keeping import from_kept

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_NS_OF_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class AgentSpans:
    """The spans of a run's trace, each behind the one that it happened inside.

    The first began between `low_ms` and `high_ms`: after the prompt was sent, before the first byte was here, and as
    far as the clock of its environment is known. Where its clock says otherwise all are moved by `shift_ms`, the least
    that causality asks for. Where the reading of the lines `is_cut`, there may be more of them; while `is_looked_for`,
    more may come.
    """

    state: Literal["waiting", "found", "not_found", "failed"]
    log_group: str
    error_code: str
    spans: Sequence[Span]
    low_ms: float
    high_ms: float
    shift_ms: float
    damaged_count: int
    left_out_count: int
    is_cut: bool
    is_looked_for: bool


def agent_spans_of(
    trace: AgentTrace, panel: LatencyPanel, sent_at: datetime, lasted_ms: float, recorded: Sequence[Span]
) -> AgentSpans:
    """The spans that a row holds, as part of its run's time."""
    told = from_kept(trace.trace_id, trace.spans)
    sent_ns = (sent_at - _EPOCH) // timedelta(microseconds=1) * 1000
    first_ms = min(((span.start_ns - sent_ns) / _NS_OF_MS for span in told), default=0.0)
    low_ms, high_ms = _bounds(panel, first_ms, lasted_ms)
    latest_ms = panel.first_byte_ms if panel.first_byte_ms is not None else lasted_ms
    shift_ms = min(max(first_ms, 0.0), latest_ms) - first_ms
    since_ns = sent_ns - round(shift_ms * _NS_OF_MS)
    same_as = _same_as(told, recorded)
    spans = [_placed(span, since_ns, same_as.get(span.span_id, "")) for span in told]
    return AgentSpans(
        state=trace.state,  # type: ignore[arg-type]
        log_group=trace.log_group,
        error_code=trace.error_code,
        spans=nested(spans),
        low_ms=low_ms,
        high_ms=high_ms,
        shift_ms=shift_ms,
        damaged_count=trace.damaged_count,
        left_out_count=trace.left_out_count,
        is_cut=bool(trace.is_cut),
        is_looked_for=trace.next_at is not None,
    )


def together(recorded: Sequence[Span], told: Sequence[Span]) -> list[Span]:
    """Both as one tree: what a recording and the agent tell alike stands there once, as the agent's."""
    place_of: Mapping[str, str] = {span.same_as: span.key for span in told if span.same_as}
    alone = [
        replace(span, parent=place_of.get(span.parent, span.parent)) for span in recorded if span.key not in place_of
    ]
    return nested([*alone, *told]) if told else list(recorded)


def _bounds(panel: LatencyPanel, first_ms: float, lasted_ms: float) -> tuple[float, float]:
    low_ms, high_ms = 0.0, panel.first_byte_ms if panel.first_byte_ms is not None else lasted_ms
    if panel.ahead_low_ms is not None and panel.ahead_high_ms is not None:
        closer = max(low_ms, first_ms - panel.ahead_high_ms), min(high_ms, first_ms - panel.ahead_low_ms)
        if closer[0] <= closer[1]:
            return closer
    return low_ms, high_ms


def _same_as(told: Sequence[TraceSpan], recorded: Sequence[Span]) -> dict[str, str]:
    """By the id of a span the recorded one of the same id, or of the same call of a tool; each at most once."""
    keys = {span.key for span in recorded}
    found: dict[str, str] = {}
    for span in told:
        key = next((key for key in (span.span_id, span.tool_call_id) if key in keys), None)
        if key is not None:
            keys.remove(key)
            found[span.span_id] = key
    return found


def _placed(span: TraceSpan, since_ns: int, same_as: str) -> Span:
    return Span(
        key=span.span_id,
        parent=span.parent_id,
        kind=span.kind,
        name=span.name,
        start_ms=(span.start_ns - since_ns) / _NS_OF_MS,
        end_ms=(span.end_ns - since_ns) / _NS_OF_MS,
        is_over=True,
        has_failed=span.has_failed,
        clock="agent",
        same_as=same_as,
    )
