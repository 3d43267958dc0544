"""From events to HTML: the same code for the page, for the first frame of a late viewer and for every frame after it.

An answer has two parts: blocks that are closed and never change again, which are appended, and an open tail, which is
replaced. A frame is therefore small however long the answer is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.core.markdown import MarkdownStream, render
from apps.sessions.events import Event
from apps.sessions.models import Invocation


@dataclass(slots=True)
class Step:
    """A tool call or a piece of reasoning: shown closed, updated as its parts arrive."""

    dom_id: str
    kind: str
    name: str
    tool_use_id: str = ""
    input: str = ""
    result: str = ""
    status: str = "running"
    offset_ms: float = 0.0
    duration_ms: float | None = None
    is_shown: bool = False

    def html(self, *, is_replacement: bool) -> SafeString:
        return render_to_string("sessions/_step.html", {"step": self, "is_replacement": is_replacement}).strip()  # type: ignore[return-value]


class AnswerRenderer:
    """Renders one answer as its events come in; every event is given once, in order."""

    def __init__(self, invocation_id: int) -> None:
        self.prefix = f"invocation-{invocation_id}"
        self.tail: SafeString = mark_safe("")
        self._text = MarkdownStream()
        self._steps: list[Step] = []

    def feed(self, events: Iterable[Event]) -> tuple[SafeString, SafeString]:
        """Take events; return the HTML to append and the HTML of steps to replace. `tail` then holds the open end."""
        closed: list[str] = []
        changed: list[Step] = []
        text = ""
        for event in events:
            if event["kind"] == "text":
                text += event["text"]
                continue
            closed.append(self._flush(text))
            text = ""
            step = self._step(event)
            if event["kind"] == "json":
                closed.append(self._break() + json_answer(event))
            elif step is not None and not step.is_shown:
                closed.append(self._break())
                closed.append(f"\0{len(self._steps) - 1}\0")
                step.is_shown = True
                changed.append(step)
            elif step is not None and step not in changed:
                changed.append(step)
        closed.append(self._flush(text))
        return self._assemble("".join(closed), changed)

    def close(self) -> SafeString:
        """The HTML of what was still open; nothing comes after it."""
        html = self._break()
        self.tail = mark_safe("")
        return mark_safe(html)  # noqa: S308 -- made by MarkdownStream, which returns safe HTML

    def _flush(self, text: str) -> str:
        if not text:
            return ""
        closed, self.tail = self._text.feed(text)
        return closed

    def _break(self) -> str:
        html = self._text.close()
        self._text = MarkdownStream()
        self.tail = mark_safe("")
        return html

    def _step(self, event: Event) -> Step | None:
        kind = event["kind"]
        if kind == "reasoning":
            if not self._steps or self._steps[-1].kind != "reasoning" or self._steps[-1].status != "running":
                self._add("reasoning", "Reasoning", event)
            self._steps[-1].result += event["text"]
            return self._steps[-1]
        self._end_reasoning(event)
        if kind == "tool":
            return self._add("tool", event["name"], event, tool_use_id=event["tool_use_id"])
        if kind not in {"tool_input", "tool_result"}:
            return None
        step = next((step for step in reversed(self._steps) if step.tool_use_id == event["tool_use_id"]), None)
        if step is None:
            return None
        if kind == "tool_input":
            step.input += event["text"]
        else:
            step.result, step.status = event["text"], event["status"]
            step.duration_ms = event["offset_ms"] - step.offset_ms
        return step

    def _add(self, kind: str, name: str, event: Event, tool_use_id: str = "") -> Step:
        dom_id = f"{self.prefix}-step-{len(self._steps) + 1}"
        self._steps.append(Step(dom_id, kind, name, tool_use_id, offset_ms=event["offset_ms"]))
        return self._steps[-1]

    def _end_reasoning(self, event: Event) -> None:
        if self._steps and self._steps[-1].kind == "reasoning" and self._steps[-1].status == "running":
            self._steps[-1].status = "success"
            self._steps[-1].duration_ms = event["offset_ms"] - self._steps[-1].offset_ms

    def _assemble(self, closed: str, changed: list[Step]) -> tuple[SafeString, SafeString]:
        # A step that is new in this frame goes where its mark stands, with all that is known of it; an older one is
        # replaced in place.
        replaced: list[str] = []
        for step in changed:
            mark = f"\0{self._steps.index(step)}\0"
            if mark in closed:
                closed = closed.replace(mark, step.html(is_replacement=False))
            else:
                replaced.append(step.html(is_replacement=True))
        return mark_safe(closed), mark_safe("".join(replaced))  # noqa: S308 -- parts are safe HTML


def json_answer(event: Event) -> str:
    """A JSON body: a plain string as markdown, anything else as it is."""
    if isinstance(event["value"], str):
        return render(event["value"])
    text = json.dumps(event["value"], indent=2, ensure_ascii=False)
    return format_html('<pre class="json" tabindex="0"><code>{}</code></pre>', text)


@dataclass(frozen=True, slots=True)
class Turn:
    """A prompt and its answer as the transcript shows them."""

    invocation: Invocation
    output_html: SafeString
    tail_html: SafeString

    @property
    def is_running(self) -> bool:
        return self.invocation.is_running

    @property
    def agent_name(self) -> str:
        return self.invocation.session.agent.name


def render_turn(invocation: Invocation, events: Iterable[Event]) -> Turn:
    """The turn with everything that is in `events`; a running one keeps its end open."""
    renderer = AnswerRenderer(invocation.pk)
    closed, _ = renderer.feed(events)
    if invocation.is_running:
        return Turn(invocation, closed, renderer.tail)
    return Turn(invocation, mark_safe(closed + renderer.close()), mark_safe(""))  # noqa: S308 -- both are safe HTML


def turn_html(turn: Turn) -> str:
    """The turn's `<article>` as it goes over the socket.

    It replaces the one on the page, and live.js appends a new one.
    """
    return render_to_string("sessions/_turn.html", {"turn": turn, "oob": True})


def answer_frame(renderer: AnswerRenderer, events: Iterable[Event]) -> str:
    """The out-of-band elements that bring a page from the events before to these."""
    closed, replaced = renderer.feed(events)
    prefix = renderer.prefix
    parts: list[Any] = [replaced]
    if closed:
        parts.append(format_html('<div id="{}-output" hx-swap-oob="beforeend">{}</div>', prefix, closed))
    parts.append(format_html('<div id="{}-tail" class="md" hx-swap-oob="true">{}</div>', prefix, renderer.tail))
    return "".join(parts)
