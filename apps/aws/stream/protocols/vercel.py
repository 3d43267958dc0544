"""Vercel's AI SDK: its events, its older lines of a letter and a value, and Mastra's envelope around the same."""

from __future__ import annotations

from apps.aws.stream.blocks import content_of, result_text
from apps.aws.stream.context import Context
from apps.aws.stream.failures import error_in
from apps.aws.stream.values import JsonObject, dict_at, key_at, text_at
from loom_events.kinds import JsonValue

_TOOLS = frozenset({
    "tool-input-start", "tool-input-delta", "tool-input-available", "tool-input-error", "tool-output-available",
    "tool-output-error", "tool-call", "tool-result", "tool-error", "tool-call-input-streaming-start", "tool-call-delta",
})  # fmt: skip
_TEXTS = frozenset({"text-delta", "reasoning-delta"})
_SILENT = frozenset({
    "text-start", "text-end", "reasoning-start", "reasoning-end", "reasoning-signature", "redacted-reasoning",
    "start-step", "finish-step", "step-start", "step-finish", "message-metadata", "source-url", "source-document",
    "tool-call-input-streaming-end", "tool-input-end", "response-metadata",
})  # fmt: skip
_ENVELOPE = frozenset({"type", "payload", "runId"})
_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool-calls": "tool_use", "content-filter": "content_filtered"}

# What stands before the colon of a line of the data stream protocol, version 1, as an event of today.
_LETTERS = {
    "0": "text-delta", "g": "reasoning-delta", "9": "tool-call", "a": "tool-result", "b": "tool-input-start",
    "c": "tool-call-delta", "d": "finish", "e": "finish-step", "f": "start-step", "i": "redacted-reasoning",
    "j": "reasoning-signature",
}  # fmt: skip
_NAMES = {"2": "data", "8": "annotations", "h": "source", "k": "file"}


def event_of_line(letter: str, value: JsonValue) -> JsonObject:
    """What a line of the older protocol says, as an event."""
    if letter == "3":
        return {"type": "error", "errorText": value if isinstance(value, str) else result_text(value)}
    if letter in ("0", "g"):
        return {"type": _LETTERS[letter], "delta": value}
    if letter == "k" and isinstance(value, dict):
        return {**value, "type": "file", "mediaType": value.get("mimeType")}
    if letter in _NAMES:
        return {"type": f"data-{_NAMES[letter]}", "data": value}
    return {**(value if isinstance(value, dict) else {}), "type": _LETTERS.get(letter, "step-start")}


def is_vercel(value: JsonObject) -> bool:
    kind = value.get("type")
    if not isinstance(kind, str):
        return False
    if value.keys() >= _ENVELOPE:
        return isinstance(value["payload"], dict)
    if kind == "finish":
        return "finishReason" in value or "messageMetadata" in value
    if kind == "file":
        return "mediaType" in value and isinstance(value.get("url", value.get("data")), str)
    return kind in _TEXTS or kind in _TOOLS or kind in _SILENT or kind == "abort" or kind.startswith("data-")


def read_vercel(value: JsonObject, context: Context) -> None:
    kind, answer = text_at(value, "type"), context.answer
    if value.keys() >= _ENVELOPE:
        _read_enveloped(kind, dict_at(value, "payload"), context)
    elif kind == "text-delta":
        answer.say(text_at(value, "delta", "textDelta", "text"), key_at(value, "id"))
    elif kind == "reasoning-delta":
        answer.think(text_at(value, "delta", "textDelta", "text"))
    elif kind in _TOOLS:
        _read_tool(kind, value, context)
    elif kind == "file":
        context.tell(content_of(value), is_whole=False)
    elif kind == "finish":
        _end(value, context)
    elif kind == "abort":
        answer.stop("aborted")
    elif kind.startswith("data-"):
        answer.other(kind, value.get("data"))


def _read_enveloped(kind: str, payload: JsonObject, context: Context) -> None:
    """An event of Mastra's: the same names, and what they are about in an envelope."""
    if kind == "finish":
        _end({"finishReason": dict_at(payload, "stepResult").get("reason"), **dict_at(payload, "output")}, context)
    elif kind not in ("start", "error") and kind not in _SILENT:
        context.read({**payload, "type": kind})


def _end(value: JsonObject, context: Context) -> None:
    """The end: why, and the token counts."""
    reason = text_at(value, "finishReason")
    context.answer.stop(_REASONS.get(reason, reason))
    metadata = dict_at(value, "messageMetadata")
    for holder in (value, metadata):
        if usage := dict_at(holder, "totalUsage") or dict_at(holder, "usage"):
            context.answer.usage_so_far(usage, "vercel")


def _read_tool(kind: str, value: JsonObject, context: Context) -> None:
    calls, tool_use_id, name = context.calls, text_at(value, "toolCallId"), text_at(value, "toolName")
    given: JsonValue = value.get("input", value.get("args"))
    if kind in ("tool-input-start", "tool-call-input-streaming-start"):
        calls.begin(tool_use_id, name)
    elif kind in ("tool-input-delta", "tool-call-delta"):
        if name and not calls.is_begun(tool_use_id):
            calls.begin(tool_use_id, name)
        calls.input(text_at(value, "inputTextDelta", "argsTextDelta"), tool_use_id=tool_use_id)
    elif kind in ("tool-input-available", "tool-call"):
        calls.call(tool_use_id, name, given)
    elif kind.endswith("-error"):
        if kind == "tool-input-error":
            calls.call(tool_use_id, name, given)
        error = error_in({"error": value.get("error")})
        calls.end(tool_use_id, "error", text_at(value, "errorText") or (error["message"] if error else ""))
    else:
        failed = value.get("isError") is True
        result = value.get("output", value.get("result"))
        calls.end(tool_use_id, "error" if failed else "success", result_text(result))
