"""Anthropic's Messages, as events and as bodies, and what its Agent SDK makes of them."""

from __future__ import annotations

from apps.aws.stream.blocks import content_of
from apps.aws.stream.context import Context
from apps.aws.stream.values import JsonObject, counts_of, dict_at, key_at, text_at

_EVENTS = frozenset({"message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta",
    "content_block_stop"})  # fmt: skip
_SDK_TYPES = frozenset({"assistant", "user", "result", "system", "stream_event"})


def is_anthropic(value: JsonObject) -> bool:
    kind = value.get("type")
    if kind == "content_block_delta" or kind == "content_block_start":
        return "delta" in value or "content_block" in value
    return isinstance(kind, str) and (
        (kind in _EVENTS and len(value.keys() & _EVENT_KEYS) > 0)
        or kind == "message_stop"
        or (kind == "message" and value.get("role") == "assistant" and isinstance(value.get("content"), list))
    )


_EVENT_KEYS = frozenset({"message", "delta", "usage", "index", "content_block"})


def read_anthropic(value: JsonObject, context: Context) -> None:
    kind, answer = text_at(value, "type"), context.answer
    index = f"{context.scope}:{key_at(value, 'index')}"
    if kind == "content_block_delta":
        _read_delta(dict_at(value, "delta"), index, context)
    elif kind == "content_block_start":
        _begin_block(dict_at(value, "content_block"), index, context)
    elif kind == "message_start":
        context.started_usage = dict_at(value, "message", "usage")
        answer.pause()
    elif kind == "message_delta":
        answer.stop(text_at(dict_at(value, "delta"), "stop_reason"))
        if usage := dict_at(value, "usage"):
            _tell_usage({**context.started_usage, **usage}, context)
            context.started_usage = {}
    elif kind == "message":
        context.tell_message(value)
        answer.stop(text_at(value, "stop_reason"))
        if usage := dict_at(value, "usage"):
            _tell_usage(usage, context)


def _read_delta(delta: JsonObject, index: str, context: Context) -> None:
    kind = text_at(delta, "type")
    if text := text_at(delta, "text"):
        context.answer.say(text)
    elif kind == "thinking_delta":
        context.answer.think(text_at(delta, "thinking"))
    elif kind == "input_json_delta":
        context.calls.input(text_at(delta, "partial_json"), index=index)


def _begin_block(block: JsonObject, index: str, context: Context) -> None:
    if text_at(block, "type") in ("tool_use", "server_tool_use", "mcp_tool_use"):
        context.calls.begin(text_at(block, "id"), text_at(block, "name"), index)
        return
    content = content_of(block)
    content.unread.clear()
    context.tell(content, is_whole=False)


def _tell_usage(usage: JsonObject, context: Context) -> None:
    if any(counts_of(usage)):
        context.answer.usage(usage)


def is_agent_sdk(value: JsonObject) -> bool:
    kind = value.get("type")
    if isinstance(kind, str) and kind in _SDK_TYPES:
        return (
            isinstance(value.get("message"), dict)
            or isinstance(value.get("event"), dict)
            or "subtype" in value
            or "num_turns" in value
        )
    return "num_turns" in value or (
        "model" in value and isinstance(value.get("content"), list) and "parent_tool_use_id" in value
    )


def read_agent_sdk(value: JsonObject, context: Context) -> None:
    kind = text_at(value, "type")
    if isinstance(value.get("event"), dict):
        context.read(value["event"])
    elif isinstance(value.get("message"), dict):
        context.tell_message({"role": kind, **dict_at(value, "message")})
    elif kind == "system":
        return
    elif "num_turns" in value or kind == "result":
        context.answer.whole(text_at(value, "result"))
        if (usage := dict_at(value, "usage")) and not context.answer.has_usage:
            _tell_usage(usage, context)
    else:
        context.tell_message({"role": "assistant", "content": value.get("content")})
