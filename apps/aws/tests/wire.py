"""Answers as they look on the wire, and what becomes of them."""

from __future__ import annotations

import json

from apps.aws.stream import StreamEvent, StreamParser, TextEvent

SSE = "text/event-stream; charset=utf-8"


def text(value: str) -> TextEvent:
    return {"kind": "text", "text": value}


def parse(*pieces: bytes, content_type: str = SSE) -> list[StreamEvent]:
    parser = StreamParser(content_type)
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.close()


def merged(events: list[StreamEvent]) -> list[StreamEvent]:
    """The events with neighbouring texts joined."""
    result: list[StreamEvent] = []
    for event in events:
        if event["kind"] == "text" and result and result[-1]["kind"] == "text":
            result[-1] = text(result[-1]["text"] + event["text"])
        else:
            result.append(event)
    return result


def data(value: object) -> bytes:
    """One event as the AgentCore SDK frames it."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()
