"""AG-UI, the protocol of agents and their front ends: events by `type` in capitals."""

from __future__ import annotations

from apps.aws.stream.blocks import result_text
from apps.aws.stream.context import HUMANS, Context
from apps.aws.stream.pieces import found_text
from apps.aws.stream.values import JsonObject, dict_at, list_at, text_at

_SAID = frozenset({"TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_CHUNK"})
_THOUGHT = frozenset({"THINKING_TEXT_MESSAGE_CONTENT", "REASONING_MESSAGE_CONTENT", "REASONING_MESSAGE_CHUNK"})
_KEPT = frozenset({"STATE_SNAPSHOT", "STATE_DELTA", "ACTIVITY_SNAPSHOT", "ACTIVITY_DELTA", "RAW"})
_SILENT = frozenset({"RUN_STARTED", "STEP_STARTED", "STEP_FINISHED", "TOOL_CALL_END", "RUN_ERROR",
    "THINKING_START", "THINKING_END", "THINKING_TEXT_MESSAGE_START", "THINKING_TEXT_MESSAGE_END", "REASONING_START",
    "REASONING_END", "REASONING_MESSAGE_START", "REASONING_MESSAGE_END", "REASONING_ENCRYPTED_VALUE"})  # fmt: skip
_TOOLS = frozenset({"TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_CHUNK", "TOOL_CALL_RESULT"})
_MORE = frozenset({"TEXT_MESSAGE_START", "RUN_FINISHED", "MESSAGES_SNAPSHOT", "CUSTOM"})
TYPES = _SAID | _THOUGHT | _KEPT | _SILENT | _TOOLS | _MORE


def is_agui(value: JsonObject) -> bool:
    return value.get("type") in TYPES if isinstance(value.get("type"), str) else False


def read_agui(value: JsonObject, context: Context) -> None:
    kind, answer = text_at(value, "type"), context.answer
    message = text_at(value, "messageId", "message_id")
    if kind in _SAID:
        if text_at(value, "role") in HUMANS or f"human:{message}" in context.seen:
            return
        answer.speaker = message
        answer.say(text_at(value, "delta"), message)
        answer.speaker = ""
    elif kind in _THOUGHT:
        answer.think(text_at(value, "delta"))
    elif kind in _TOOLS:
        _read_tool(kind, value, context)
    elif kind == "TEXT_MESSAGE_START" and text_at(value, "role") in HUMANS:
        context.seen.add(f"human:{message}")
    elif kind == "TEXT_MESSAGE_START":
        answer.enter(message)
    elif kind == "TEXT_MESSAGE_END":
        answer.leave(message)
    elif kind == "MESSAGES_SNAPSHOT":
        context.tell_messages(list_at(value, "messages"))
    elif kind == "RUN_FINISHED" and not answer.has_text:
        answer.whole(found_text(value.get("result")))
    elif kind == "CUSTOM":
        answer.other(text_at(value, "name") or kind, value.get("value"))
    elif kind in _KEPT:
        kept = next((value[key] for key in ("snapshot", "delta", "content", "patch", "event") if key in value), None)
        answer.other(kind, kept)


def _read_tool(kind: str, value: JsonObject, context: Context) -> None:
    calls = context.calls
    tool_use_id = text_at(value, "toolCallId", "tool_call_id")
    name = text_at(value, "toolCallName", "tool_call_name")
    if kind == "TOOL_CALL_RESULT":
        status = "error" if text_at(value, "error") or dict_at(value, "error") else "success"
        calls.end(tool_use_id, status, result_text(value.get("content")))
        return
    if kind == "TOOL_CALL_START" or (name and not calls.is_begun(tool_use_id)):
        calls.begin(tool_use_id, name)
    calls.input(text_at(value, "delta"), tool_use_id=tool_use_id)
