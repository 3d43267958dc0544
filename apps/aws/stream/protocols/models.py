"""Models in words of their own: Cohere's events, Amazon's Titan, and chunks that hold a model's bytes."""

from __future__ import annotations

import base64
import binascii

from apps.aws.stream.blocks import call_in, content_of
from apps.aws.stream.context import Context
from apps.aws.stream.reprs import read_bytes
from apps.aws.stream.values import JsonObject, dict_at, dicts_in, key_at, list_at, text_at

_EVENTS = frozenset({
    "message-start", "content-start", "content-delta", "content-end", "tool-plan-delta", "tool-call-start",
    "tool-call-delta", "tool-call-end", "citation-start", "citation-end", "message-end",
})  # fmt: skip
_REASONS = {"COMPLETE": "end_turn", "TOOL_CALL": "tool_use", "ERROR_TOXIC": "content_filtered"}


def is_cohere(value: JsonObject) -> bool:
    kind = value.get("type")
    return isinstance(kind, str) and kind in _EVENTS and (isinstance(value.get("delta"), dict) or "index" in value)


def read_cohere(value: JsonObject, context: Context) -> None:
    kind, answer, delta = text_at(value, "type"), context.answer, dict_at(value, "delta")
    message, index = dict_at(delta, "message"), f"cohere:{key_at(value, 'index')}"
    if kind in ("content-start", "content-delta"):
        content = content_of({"type": "text", **dict_at(message, "content")})
        answer.think(content.reasoning or text_at(dict_at(message, "content"), "thinking"))
        answer.say(content.text)
    elif kind == "tool-plan-delta":
        answer.think(text_at(message, "tool_plan"))
    elif kind in ("tool-call-start", "tool-call-delta"):
        called = dict_at(message, "tool_calls")
        if kind == "tool-call-start":
            context.calls.begin(text_at(called, "id"), call_in(called).name, index)
        context.calls.input(text_at(dict_at(called, "function"), "arguments"), index=index)
    elif kind == "message-end":
        reason = text_at(delta, "finish_reason")
        answer.stop(_REASONS.get(reason, reason.lower()))
        answer.usage_so_far(dict_at(delta, "usage"), "cohere")


def is_titan(value: JsonObject) -> bool:
    return "inputTextTokenCount" in value and isinstance(value.get("results"), list)


def read_titan(value: JsonObject, context: Context) -> None:
    results = dicts_in(list_at(value, "results"))
    for result in results:
        context.answer.whole(text_at(result, "outputText"))
    output_tokens = next((result.get("tokenCount") for result in results), None)
    context.answer.usage_so_far({"inputTokens": value["inputTextTokenCount"], "outputTokens": output_tokens}, "titan")


def has_bytes(value: JsonObject) -> bool:
    return isinstance(dict_at(value, "chunk").get("bytes"), str)


def read_bytes_chunk(value: JsonObject, context: Context) -> None:
    """A chunk of Bedrock as boto3 hands it out: bytes that hold a text or the event of a model."""
    found = text_at(dict_at(value, "chunk"), "bytes")
    text = read_bytes(found)
    if text is None:
        try:
            text = base64.b64decode(found, validate=True).decode()
        except (binascii.Error, ValueError):
            text = found
    if not context.decode(text):
        context.answer.say(text)
