"""What a run's recording tells of its time: tools and sub-agents in their nesting, stalls, how fast text came. Pure.

Offsets count from the instant at which the prompt was sent. A span that nobody ended lasts as long as its run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from loom_events.recorded import RecordedEvent

STALL_MS = 1000.0
MOST_SPANS = 60
RATE_STEPS = 40
LEAST_RATE_STEP_MS = 100.0
_OVER = frozenset({"completed", "failed", "skipped"})
# Nothing that the agent said: what Loom itself notes of the way there.
_OWN_KINDS = frozenset({"invoked", "headers", "retry"})


Kind = Literal["tool", "node", "agent", "cycle", "model", "other"]
"""What was at work. The last three are told by the agent's own spans only."""


@dataclass(frozen=True, slots=True)
class Span:
    """A tool call, a node or a sub-agent: when it was at work, and how deep inside others.

    `clock` is `agent` for a span that the agent itself has told of; `same_as` is then the key of the recorded one that
    tells of the same, "" where none does.
    """

    key: str
    parent: str
    kind: Kind
    name: str
    start_ms: float
    end_ms: float
    is_over: bool = False
    has_failed: bool = False
    depth: int = 0
    clock: Literal["loom", "agent"] = "loom"
    same_as: str = ""

    @property
    def duration_ms(self) -> float:
        return self.end_ms - self.start_ms


@dataclass(frozen=True, slots=True)
class Stall:
    """More than a second between two events of an answer."""

    start_ms: float
    end_ms: float
    is_in_tool: bool = False

    @property
    def duration_ms(self) -> float:
        return self.end_ms - self.start_ms


@dataclass(frozen=True, slots=True)
class Rate:
    """How much text came in each step of time, a second: tokens where the agent reported how many, else characters.

    The tokens of one run are spread over its text, so that each character counts the same.
    """

    unit: Literal["tokens", "characters"]
    start_ms: float
    step_ms: float
    per_second: Sequence[float]

    @property
    def highest(self) -> float:
        return max(self.per_second, default=0.0)


def spans_of(events: Iterable[RecordedEvent], end_ms: float) -> list[Span]:
    """The spans of a run, each behind the one it happened inside, in the order in which they began."""
    collected = _Collected(end_ms)
    for event in events:
        collected.take(event)
    return nested(list(collected.spans.values()))


def stalls_of(events: Sequence[RecordedEvent], end_ms: float | None, spans: Sequence[Span] = ()) -> list[Stall]:
    """The stalls of an answer, from its first event on; the last may reach to the run's end."""
    offsets = [event["offset_ms"] for event in events if event["kind"] not in _OWN_KINDS]
    if offsets and end_ms is not None:
        offsets.append(max(end_ms, offsets[-1]))
    tools = [span for span in spans if span.kind == "tool"]
    return [
        Stall(start, end, any(tool.start_ms <= start and end <= tool.end_ms for tool in tools))
        for start, end in pairwise(offsets)
        if end - start > STALL_MS
    ]


def rate_of(events: Iterable[RecordedEvent], output_token_count: int | None) -> Rate | None:
    """How fast the text of an answer came; None where it has too little of it, or came in one piece."""
    pieces = [
        (event["offset_ms"], len(event["text"]))
        for event in events
        if event["kind"] in ("text", "reasoning") and event["text"]
    ]
    total = sum(length for _, length in pieces)
    if len(pieces) < 3 or not total:
        return None
    start, last = pieces[0][0], pieces[-1][0]
    if last - start < LEAST_RATE_STEP_MS:
        return None
    step = max(LEAST_RATE_STEP_MS, (last - start) / RATE_STEPS)
    counts = [0.0] * (int((last - start) / step) + 1)
    share = output_token_count / total if output_token_count else 1.0
    for offset, length in pieces:
        counts[max(0, int((offset - start) / step))] += length * share
    per_second = [round(count * 1000 / step, 1) for count in counts]
    return Rate("tokens" if output_token_count else "characters", start, step, per_second)


class _Collected:
    """Spans on their way: open ones reach to the run's end until something ends them."""

    def __init__(self, end_ms: float) -> None:
        self.spans: dict[str, Span] = {}
        self._end_ms = end_ms

    def take(self, event: RecordedEvent) -> None:
        if event["kind"] == "tool":
            key = event.get("span_id") or event["tool_use_id"] or f"#{event['seq']}"
            self._open(key, "tool", event["name"], event)
        elif event["kind"] == "tool_result":
            self._end_tool(event["tool_use_id"], event, has_failed=event["status"] == "error")
        elif event["kind"] == "node":
            key = event.get("span_id") or event["node_id"]
            self._open(key, "node", event["node_id"], event)
            if event["status"] in _OVER:
                self._end(key, event["offset_ms"], has_failed=event["status"] == "failed")
        else:
            self._take_part(event)

    def _open(self, key: str, kind: Kind, name: str, event: RecordedEvent) -> None:
        known = self.spans.get(key)
        if known is None or (known.is_over and kind == "tool"):
            while key in self.spans:  # an agent that gives two calls one id
                key += "'"
            start = event["offset_ms"]
            parent = event.get("parent_id", "")
            self.spans[key] = Span(key, parent, kind, name, start, max(start, self._end_ms))
        elif known.kind == "agent":
            self.spans[key] = replace(known, kind=kind, name=name)

    def _end_tool(self, tool_use_id: str, event: RecordedEvent, *, has_failed: bool) -> None:
        wanted = event.get("span_id") or tool_use_id
        open_tools = [span for span in self.spans.values() if span.kind == "tool" and not span.is_over]
        named = [span for span in open_tools if span.key.rstrip("'") == wanted or span.key == tool_use_id]
        unnamed = [] if tool_use_id else [span for span in open_tools if span.key.startswith("#")]
        for span in (named or unnamed)[-1:]:
            self._end(span.key, event["offset_ms"], has_failed=has_failed)

    def _end(self, key: str, at_ms: float, *, has_failed: bool) -> None:
        span = self.spans[key]
        self.spans[key] = replace(span, end_ms=max(span.start_ms, at_ms), is_over=True, has_failed=has_failed)

    def _take_part(self, event: RecordedEvent) -> None:
        """Text and the like inside a span that nobody opened: a sub-agent, at work for as long as it is heard of."""
        key = event.get("span_id", "")
        if not key or event["kind"] == "tool_input":
            return
        span = self.spans.get(key)
        if span is None:
            self._open(key, "agent", key, event)
            self._end(key, event["offset_ms"], has_failed=False)
        elif span.kind == "agent":
            self._end(key, event["offset_ms"], has_failed=event["kind"] == "error")


def nested(spans: list[Span]) -> list[Span]:
    """The same, each behind its parent, with its depth; one whose parents turn in a circle stands at the top."""
    known = {span.key for span in spans}
    children: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda span: span.start_ms):
        parent = span.parent if span.parent in known and span.parent != span.key else ""
        children.setdefault(parent, []).append(span)
    ordered: list[Span] = []
    waiting = [(span, 0) for span in reversed(children.get("", []))]
    while waiting:
        span, depth = waiting.pop()
        ordered.append(replace(span, depth=depth))
        waiting += [(child, depth + 1) for child in reversed(children.pop(span.key, []))]
    placed = {span.key for span in ordered}
    return ordered + [span for span in spans if span.key not in placed]
