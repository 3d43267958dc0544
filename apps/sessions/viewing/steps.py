"""What an agent does beside its answer: tool calls, reasoning, and whatever else happened, shown closed."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from loom_events.fold import is_answer, is_unread
from loom_events.recorded import RecordedEvent, RecordedReasoning, RecordedText, RecordedToolInput, RecordedToolResult

# The page tells these in places of their own, as what was not understood: in the figures, in how the run ended.
TOLD_ELSEWHERE = frozenset({"usage", "stop", "error", "headers", "invoked"})
ENVELOPE = frozenset({"seq", "offset_ms", "kind"})


@dataclass(slots=True)
class Step:
    """One of them: `tool`, `speech` (reasoning, or text inside a span) or `event`; updated as its parts arrive."""

    number: int
    kind: str
    name: str
    span: tuple[str, str] = ("", "")
    tool_use_id: str = ""
    input: str = ""
    result: str = ""
    status: str = "running"
    offset_ms: float = 0.0
    duration_ms: float | None = None
    is_shown: bool = False
    changed_at: int = 0

    def html(self) -> SafeString:
        return render_to_string("sessions/_step.html", {"step": self}).strip()  # type: ignore[return-value]


class Steps:
    """The steps of one run, in order."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def take(self, event: RecordedEvent) -> Step | None:
        """The step that an event makes or goes on with; None where it is none of them."""
        if event["kind"] == "reasoning" or event["kind"] == "text":
            return self._speech(event)
        self.end_speech(event)
        if event["kind"] == "tool":
            step = self._add("tool", event["name"], event)
            step.tool_use_id = event["tool_use_id"]
            return step
        if event["kind"] == "tool_input":
            step = self._call(event)
            step.input += event["text"]
            step.changed_at = event["seq"]
            return step
        if event["kind"] == "tool_result":
            return self._tool_result(event)
        is_told = is_answer(event) or is_unread(event) or event["kind"] in TOLD_ELSEWHERE
        return None if is_told else self._detail(event)

    def close(self) -> None:
        """Nothing comes after: no step goes on, and a call without its result will get none."""
        for step in self._steps:
            if step.status == "running":
                step.status = _("no result") if step.kind == "tool" else ""

    def _speech(self, event: RecordedReasoning | RecordedText) -> Step:
        step = self._steps[-1] if self._steps else None
        name = "Reasoning" if event["kind"] == "reasoning" else "Text"
        is_going_on = step is not None and step.kind == "speech" and step.status == "running"
        if step is None or not is_going_on or (step.name, step.span) != (name, _span(event)):
            self.end_speech(event)
            step = self._add("speech", name, event)
        step.result += event["text"]
        step.changed_at = event["seq"]
        return step

    def end_speech(self, event: RecordedEvent) -> None:
        """Something else follows, the answer's own text among it: what was thought before is over."""
        step = self._steps[-1] if self._steps else None
        if step is not None and step.kind == "speech" and step.status == "running":
            step.status = "success"
            step.duration_ms = event["offset_ms"] - step.offset_ms
            step.changed_at = event["seq"]

    def _tool_result(self, event: RecordedToolResult) -> Step:
        is_call_told = self._told_call(event) is not None
        step = self._call(event)
        step.result, step.status = event["text"], event["status"]
        if is_call_told:
            step.duration_ms = event["offset_ms"] - step.offset_ms
        step.changed_at = event["seq"]
        return step

    def _call(self, event: RecordedToolInput | RecordedToolResult) -> Step:
        """The step that a part of a call belongs to: a new one where the agent did not tell that it calls a tool."""
        step = self._told_call(event)
        if step is None:
            name = event.get("name") if event["kind"] == "tool_result" else None
            step = self._add("tool", name or _("tool"), event)
            step.tool_use_id = event["tool_use_id"]
        return step

    def _told_call(self, event: RecordedToolInput | RecordedToolResult) -> Step | None:
        """The call of this id; without an id every result is one of its own."""
        tool_use_id = event["tool_use_id"]
        calls = (step for step in reversed(self._steps) if step.kind == "tool" and step.tool_use_id == tool_use_id)
        return next((step for step in calls if tool_use_id or step.status == "running"), None)

    def _detail(self, event: RecordedEvent) -> Step:
        """An event that has no look of its own, one of a later Loom among them: what it says, key by key."""
        said = {key: value for key, value in event.items() if key not in ENVELOPE}
        step = self._add("event", event["kind"], event)
        step.status = ""
        step.result = "\n".join(f"{key}: {_words(value)}" for key, value in said.items())
        return step

    def _add(self, kind: str, name: str, event: RecordedEvent) -> Step:
        step = Step(
            len(self._steps) + 1, kind, name, _span(event), offset_ms=event["offset_ms"], changed_at=event["seq"]
        )
        self._steps.append(step)
        return step


def _span(event: RecordedEvent) -> tuple[str, str]:
    return event.get("span_id", ""), event.get("parent_id", "")


def _words(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
