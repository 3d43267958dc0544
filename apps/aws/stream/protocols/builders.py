"""Builders of agents without code: what Dify's and Flowise's events tell besides the text."""

from __future__ import annotations

from apps.aws.stream.blocks import call_in, result_text
from apps.aws.stream.context import Context
from apps.aws.stream.values import JsonObject, dicts_in, key_at, text_at

_USED_TOOLS = frozenset({"usedTools", "used_tools", "calledTools"})
_SOUNDS = frozenset({"tts_message", "tts_message_end"})


def is_builder(value: JsonObject) -> bool:
    name = value.get("event")
    if not isinstance(name, str):
        return False
    return name in _SOUNDS or (name == "agent_thought" and "tool" in value) or (
        name in _USED_TOOLS and isinstance(value.get("data"), list)
    )  # fmt: skip


def read_builder(value: JsonObject, context: Context) -> None:
    name = text_at(value, "event")
    if name == "agent_thought":
        _read_thought(value, context)
    elif name in _USED_TOOLS:
        for tool in dicts_in(value["data"]):
            call = call_in(tool)
            context.calls.call(call.tool_use_id, call.name, call.given)
            context.calls.end(call.tool_use_id, "success", result_text(tool.get("toolOutput")))


def _read_thought(value: JsonObject, context: Context) -> None:
    """One step of an agent, which comes again as it fills: what it thought, the tool, what that gave back."""
    step, thought = key_at(value, "id"), text_at(value, "thought")
    if thought and f"thought:{step}" not in context.seen:
        context.seen.add(f"thought:{step}" if step else "")
        context.answer.think(thought)
    if name := text_at(value, "tool"):
        context.calls.call(step, name, value.get("tool_input"))
        if observation := text_at(value, "observation"):
            context.calls.end(step, "success", observation)
