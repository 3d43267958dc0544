"""Answers as they look on the wire, and what becomes of them."""

from __future__ import annotations

import json
from typing import NamedTuple

from apps.aws.stream.parsing import StreamParser
from loom_events.fold import answer_text, token_counts
from loom_events.kinds import RunEvent, TextEvent

SSE = "text/event-stream; charset=utf-8"


def text(value: str) -> TextEvent:
    return {"kind": "text", "text": value}


def parse(*pieces: bytes, content_type: str = SSE) -> list[RunEvent]:
    parser = StreamParser(content_type)
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.close()


def merged(events: list[RunEvent]) -> list[RunEvent]:
    """The events with neighbouring texts joined."""
    result: list[RunEvent] = []
    for event in events:
        if event["kind"] == "text" and result and result[-1]["kind"] == "text":
            result[-1] = text(result[-1]["text"] + event["text"])
        else:
            result.append(event)
    return result


def data(value: object) -> bytes:
    """One event as the AgentCore SDK frames it."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


class Told(NamedTuple):
    """What the events of an answer add up to for a reader."""

    text: str = ""
    reasoning: str = ""
    tools: tuple[tuple[str, ...], ...] = ()  # name, input, result, "error" if it failed
    errors: tuple[tuple[str, str], ...] = ()  # type and message
    usage: tuple[int, int] | None = None
    others: tuple[str, ...] = ()


def told(events: list[RunEvent]) -> Told:
    tools: dict[str, list[str]] = {}
    others = []
    for event in events:
        if event["kind"] == "tool":
            tools[event["tool_use_id"]] = [event["name"], "", ""]
        elif event["kind"] == "tool_input":
            tools[event["tool_use_id"]][1] += event["text"]
        elif event["kind"] == "tool_result":
            tool = tools.setdefault(event["tool_use_id"], [event.get("name", ""), "", ""])
            tool[2] += event["text"]
            tool += ["error"] if event["status"] == "error" else []
        elif event["kind"] == "other":
            others.append(event["name"])
    input_tokens, output_tokens = token_counts(events)
    return Told(
        text=answer_text(events),
        reasoning="".join(event["text"] for event in events if event["kind"] == "reasoning"),
        tools=tuple(tuple(tool) for tool in tools.values()),
        errors=tuple((event["error_type"], event["message"]) for event in events if event["kind"] == "error"),
        usage=None if input_tokens is None or output_tokens is None else (input_tokens, output_tokens),
        others=tuple(others),
    )


def stream(*values: object) -> bytes:
    """Events as the AgentCore SDK frames them."""
    return b"".join(data(value) for value in values)
