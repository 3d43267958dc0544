"""How one JSON value of an agent's stream becomes events of `loom_events`.

Agents on AgentCore send what their framework yields: strings, Bedrock's Converse events (`event`), Strands Agents'
callback dictionaries (`data`, `current_tool_use`, `message`), the SDK's error object, or `{"chunk": …}`. What is none
of these is not text; it is used only as the answer of a stream that brought no text at all.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable

from loom_events.kinds import (
    ErrorEvent,
    JsonValue,
    RunEvent,
    Spanned,
    ToolEvent,
    ToolInputEvent,
    ToolResultEvent,
    UsageEvent,
)
from loom_events.storable import storable_text

_MOST_TOKENS = 2**53  # beyond it JavaScript and databases no longer count exactly
_ANSWER_KEYS = ("result", "response", "output", "answer", "message", "content", "text")
_DEEPEST_ANSWER = 4
_DEEPEST_JSON = 100  # far below where Python, writing it again, runs out of stack
_BEDROCK_KEYS = frozenset({"contentBlockStart", "contentBlockDelta", "messageStop", "metadata"})
# A Strands event that the SDK could not serialise arrives as its Python repr: a duplicate that may hold the prompt.
_REPR_MARKS = ("'event_loop_cycle", "AgentResult(", " object at 0x")
_UNSTORABLE_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class UnreadableJsonError(ValueError):
    """A text that is not JSON, or nested too deeply to be read."""


def read_json(text: str) -> JsonValue:
    """Read one JSON value; NaN and infinities become null, what no database stores becomes U+FFFD.

    Raises `UnreadableJsonError`.
    """
    try:
        value = _decoded(text)
    except (ValueError, RecursionError):
        raise UnreadableJsonError from None
    # The cheap questions first, this is done for every token: only a long text can be that deep, and hardly any is.
    if len(text) > _DEEPEST_JSON and text.count("[") + text.count("{") > _DEEPEST_JSON and _is_too_deep(value):
        raise UnreadableJsonError
    return _storable(value) if "\\u" in text and _UNSTORABLE_ESCAPE.search(text) else value


def answer_text(value: JsonValue, depth: int = 0) -> str | None:
    """The obvious answer inside a JSON value: the string itself, or what `result`, `response` and the like hold."""
    if isinstance(value, str):
        return value
    if depth == _DEEPEST_ANSWER:
        return None
    if isinstance(value, list):
        parts = [answer_text(part["text"], depth + 1) for part in _dicts_in(value) if "text" in part]
        return "".join(part for part in parts if part is not None) if parts else None
    if isinstance(value, dict):
        answers = (answer_text(value[key], depth + 1) for key in _ANSWER_KEYS if key in value)
        return next((answer for answer in answers if answer is not None), None)
    return None


class StreamReader:
    """Turns the values of one stream into events; it remembers the tool being called and what is a duplicate."""

    def __init__(self) -> None:
        self._tool_use_id = ""
        self._tool_span: Spanned = {}
        self._has_bedrock_events = False
        self._has_text = False
        self._unused_answer: str | None = None

    def read(self, value: JsonValue, raw: str) -> list[RunEvent]:
        """The events of one value; `raw` is the text it was read from."""
        if value is None:
            return []
        if isinstance(value, dict):
            return self._read_dict(value)
        return self.read_text(value if isinstance(value, str) else raw)

    def read_text(self, text: str) -> list[RunEvent]:
        """The events of one string: its text, unless it is a repr to drop or an event framed a second time."""
        if text.startswith("{'") and any(mark in text for mark in _REPR_MARKS):
            return []
        if text.startswith("data:") and text.endswith("\n\n"):
            return self._read_framed(text)
        return self._text(text)

    def finish(self) -> list[RunEvent]:
        """At the end: the answer found in a value that was not text, if there was no text at all."""
        if self._has_text or self._unused_answer is None:
            return []
        return self._text(self._unused_answer)

    def _text(self, text: str) -> list[RunEvent]:
        if not text:
            return []
        self._has_text = True
        return [{"kind": "text", "text": storable_text(text)}]

    def _read_framed(self, text: str) -> list[RunEvent]:
        """An agent that yields its own `data: …` lines has them framed once more by the SDK."""
        events: list[RunEvent] = []
        for line in text.split("\n"):
            content = line.removesuffix("\r").removeprefix("data:").removeprefix(" ")
            if not line.startswith("data:") or content == "[DONE]":
                continue
            try:
                value = read_json(content)
            except UnreadableJsonError:
                value = content
            events += self._text(value) if isinstance(value, str) else self.read(value, content)
        return events

    def _read_dict(self, value: dict[str, JsonValue]) -> list[RunEvent]:
        bedrock = value.get("event")
        if isinstance(bedrock, dict):
            return self._read_plain_text(bedrock) or self._read_bedrock(bedrock)
        if len(value) == 1 and not _BEDROCK_KEYS.isdisjoint(value):
            return self._read_bedrock(value)
        error, message = value.get("error"), value.get("message")
        if isinstance(error, str) and (error or _text_at(value, "error_type")):
            return [_error(value)]
        if isinstance(message, dict):
            return self._read_message(message)
        if "delta" in value:
            return self._read_strands(value)
        if isinstance(value.get("data"), str):
            return self._text(_text_at(value, "data"))
        if "chunk" in value:
            return self._text(answer_text(value["chunk"]) or "")
        self._unused_answer = answer_text(value) or self._unused_answer
        return []

    def _read_plain_text(self, event: dict[str, JsonValue]) -> list[RunEvent]:
        """A piece of text and nothing else, as nearly every event of a stream is; empty for any other."""
        if len(event) == 1:
            delta = _dict_at(event, "contentBlockDelta", "delta")
            if len(delta) == 1 and (text := _text_at(delta, "text")):
                self._has_bedrock_events = True
                return self._text(text)
        return []

    def _read_bedrock(self, event: dict[str, JsonValue]) -> list[RunEvent]:
        """An event of Bedrock's ConverseStream, which Strands hands through under the key `event`."""
        self._has_bedrock_events |= not _BEDROCK_KEYS.isdisjoint(event)
        events: list[RunEvent] = []
        if tool := _dict_at(event, "contentBlockStart", "start", "toolUse"):
            events += self._begin_tool(tool)
        events += self._read_delta(_dict_at(event, "contentBlockDelta", "delta"))
        if reason := _text_at(_dict_at(event, "messageStop"), "stopReason"):
            events.append({"kind": "stop", "reason": reason})
        if usage := _dict_at(event, "metadata", "usage"):
            events.append(_usage(usage))
        return events

    def _read_delta(self, delta: dict[str, JsonValue]) -> list[RunEvent]:
        events = self._text(_text_at(delta, "text"))
        if reasoning := _text_at(_dict_at(delta, "reasoningContent"), "text"):
            events.append({"kind": "reasoning", "text": reasoning})
        if tool_input := _text_at(_dict_at(delta, "toolUse"), "input"):
            events.append(self._tool_input(tool_input))
        return events

    def _read_strands(self, value: dict[str, JsonValue]) -> list[RunEvent]:
        """A callback dictionary of Strands, which repeats what the Bedrock event before it said."""
        if self._has_bedrock_events:
            return []
        if text := _text_at(value, "data"):
            return self._text(text)
        if reasoning := _text_at(value, "reasoningText"):
            return [{"kind": "reasoning", "text": reasoning}]
        tool = _dict_at(value, "current_tool_use")
        events = self._begin_tool(tool) if _text_at(tool, "toolUseId") not in ("", self._tool_use_id) else []
        return events + self._read_delta(_dict_at(value, "delta"))

    def _begin_tool(self, tool: dict[str, JsonValue]) -> list[RunEvent]:
        self._tool_use_id = _text_at(tool, "toolUseId")
        self._tool_span = _span(self._tool_use_id)
        event: ToolEvent = {
            "kind": "tool",
            "tool_use_id": self._tool_use_id,
            "name": _text_at(tool, "name"),
            **self._tool_span,
        }
        return [event]

    def _tool_input(self, text: str) -> ToolInputEvent:
        return {"kind": "tool_input", "tool_use_id": self._tool_use_id, "text": text, **self._tool_span}

    def _read_message(self, message: dict[str, JsonValue]) -> list[RunEvent]:
        """A complete message: a copy of what was streamed, of which only the tools' results are new."""
        content = message.get("content")
        if message.get("role") == "assistant":
            self._unused_answer = answer_text(content) or self._unused_answer
        results = (_dict_at(block, "toolResult") for block in _dicts_in(content))
        return [_tool_result(result) for result in results if result]


def _error(value: dict[str, JsonValue]) -> ErrorEvent:
    """The SDK's error object, whose `error` says what happened and whose `message` is always the same."""
    return {
        "kind": "error",
        "error_type": _text_at(value, "error_type") or "AgentError",
        "message": _text_at(value, "error") or _text_at(value, "message"),
    }


def _usage(usage: dict[str, JsonValue]) -> UsageEvent:
    input_tokens, output_tokens = _count(usage.get("inputTokens")), _count(usage.get("outputTokens"))
    total_tokens = _count(usage.get("totalTokens")) or input_tokens + output_tokens
    return {"kind": "usage", "input_tokens": input_tokens, "output_tokens": output_tokens, "total_tokens": total_tokens}


def _span(tool_use_id: str) -> Spanned:
    """A tool call is a span by itself; one without an id is none."""
    return {"span_id": tool_use_id} if tool_use_id else {}


def _tool_result(result: dict[str, JsonValue]) -> ToolResultEvent:
    texts = [
        _text_at(part, "text") if "text" in part else json.dumps(part["json"], ensure_ascii=False)
        for part in _dicts_in(result.get("content"))
        if "text" in part or "json" in part
    ]
    tool_use_id = _text_at(result, "toolUseId")
    return {
        "kind": "tool_result",
        "tool_use_id": tool_use_id,
        "status": _text_at(result, "status") or "success",
        "text": "\n".join(texts),
        **_span(tool_use_id),
    }


def _dicts_in(value: JsonValue) -> list[dict[str, JsonValue]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _dict_at(value: dict[str, JsonValue], *keys: str) -> dict[str, JsonValue]:
    """The dictionary under a path of keys, empty where anything else is found."""
    for key in keys:
        inner = value.get(key)
        if not isinstance(inner, dict):
            return {}
        value = inner
    return value


def _text_at(value: dict[str, JsonValue], key: str) -> str:
    text = value.get(key)
    return text if isinstance(text, str) else ""


def _count(value: JsonValue) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else 0


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _is_too_deep(value: JsonValue) -> bool:
    level = [value]
    for _ in range(_DEEPEST_JSON):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(value: JsonValue) -> Iterable[JsonValue]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _storable(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {storable_text(key): _storable(item) for key, item in value.items()}
    return value


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=lambda _: None)


def _decoded(text: str) -> JsonValue:
    """`decode` without its search for blanks around the value, unless there are any: half the time for a token."""
    try:
        value: JsonValue
        value, end = _DECODER.scan_once(text, 0)  # type: ignore[attr-defined]
    except StopIteration:
        end = -1
    return value if end == len(text) else _DECODER.decode(text)
