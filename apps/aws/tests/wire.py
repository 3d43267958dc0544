"""Answers as they look on the wire, and what becomes of them."""

from __future__ import annotations

import json

from apps.aws.stream.parsing import StreamParser
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
