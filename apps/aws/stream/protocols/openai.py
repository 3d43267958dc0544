"""OpenAI's Chat Completions and Responses, as chunks, as events and as bodies, and those of its Agents SDK."""

from __future__ import annotations

from apps.aws.stream.blocks import content_of, result_in, result_text
from apps.aws.stream.context import Context
from apps.aws.stream.values import JsonObject, dict_at, dicts_in, key_at, list_at, text_at

_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "function_call": "tool_use",
    "content_filter": "content_filtered"}  # fmt: skip
_SDK_TYPES = frozenset({"raw_response_event", "run_item_stream_event", "agent_updated_stream_event"})
_ITEM_TYPES = frozenset({
    "message", "function_call", "function_call_output", "reasoning", "mcp_call", "custom_tool_call",
    "message_output_item", "tool_call_item", "tool_call_output_item", "reasoning_item",
})  # fmt: skip


def is_chat(value: JsonObject) -> bool:
    choices = value.get("choices")
    return isinstance(choices, list) and (not choices or isinstance(choices[0], dict))


def read_chat(value: JsonObject, context: Context) -> None:
    answer, name = context.answer, key_at(value, "id")
    for choice in dicts_in(value.get("choices")):
        index = key_at(choice, "index")
        message = f"{name}:{index}" if index not in ("", "0") else name
        if message != name or "choices" in context.seen:  # several answers at a time, one after the other
            context.seen.add("choices")
            answer.enter(name or "0")
            answer.enter(message or "0")
            answer.speaker = message or "0"
        if isinstance(choice.get("delta"), dict):
            _read_delta(dict_at(choice, "delta"), message, context)
        elif isinstance(choice.get("message"), dict):
            context.tell_message({"id": message, **dict_at(choice, "message")})
        else:
            answer.say(text_at(choice, "text"), message)
        answer.speaker = ""
        reason = text_at(choice, "finish_reason")
        answer.stop(_REASONS.get(reason, reason))
    if usage := dict_at(value, "usage"):
        answer.usage_so_far(usage, name)


def _read_delta(delta: JsonObject, message: str, context: Context) -> None:
    answer = context.answer
    content = content_of(delta.get("content"))
    answer.think(text_at(delta, "reasoning_content", "reasoning") or content.reasoning)
    answer.say(content.text or text_at(delta, "refusal") or text_at(dict_at(delta, "audio"), "transcript"), message)
    legacy = [{**dict_at(delta, "function_call"), "index": 0}] if dict_at(delta, "function_call") else []
    for call in [*dicts_in(delta.get("tool_calls")), *legacy]:
        function = dict_at(call, "function") or dict_at(call, "custom") or call
        index = f"{message}:{key_at(call, 'index')}"
        tool_use_id, called = text_at(call, "id"), text_at(function, "name")
        if called and not context.calls.is_begun(tool_use_id):
            context.calls.begin(tool_use_id, called, index)
        context.calls.input(text_at(function, "arguments", "input"), index=index)


def is_responses(value: JsonObject) -> bool:
    kind = text_at(value, "type")
    return (
        kind.startswith("response.")
        or kind in _SDK_TYPES
        or (value.get("object") == "response" and isinstance(value.get("output"), list))
        or (kind in _ITEM_TYPES and ("call_id" in value or "raw_item" in value or kind == "function_call"))
    )


def read_responses(value: JsonObject, context: Context) -> None:
    kind = text_at(value, "type")
    if kind in _SDK_TYPES:
        context.read(dict_at(value, "data") or dict_at(value, "item"))
    elif not kind.startswith("response."):
        if value.get("object") == "response":
            _read_response(value, context)
        else:
            _read_item(value, context)
    elif kind.endswith(".delta"):
        _read_event(kind, value, context)
    elif kind == "response.output_item.added":
        _begin_item(dict_at(value, "item"), context)
    elif kind == "response.output_item.done":
        _read_item(dict_at(value, "item"), context)
    elif kind in ("response.output_text.done", "response.refusal.done"):
        context.answer.whole(text_at(value, "text", "refusal"), key_at(value, "item_id"))
    elif kind == "response.function_call_arguments.done":
        _end_arguments(value, context)
    elif kind in ("response.completed", "response.incomplete", "response.failed", "response.done"):
        _read_response(dict_at(value, "response"), context)


def _read_event(kind: str, value: JsonObject, context: Context) -> None:
    delta, item = text_at(value, "delta"), key_at(value, "item_id")
    if kind in ("response.output_text.delta", "response.refusal.delta", "response.text.delta"):
        context.answer.say(delta, item)
    elif "reasoning" in kind:
        context.answer.think(delta)
    elif "arguments" in kind or "input" in kind or "_code" in kind:
        context.calls.input(delta, index=item)
        context.seen.add(f"arguments:{item}")


def _begin_item(item: JsonObject, context: Context) -> None:
    kind = text_at(item, "type")
    if kind.endswith("_call"):
        tool_use_id = text_at(item, "call_id", "id")
        context.calls.begin(tool_use_id, text_at(item, "name") or kind.removesuffix("_call"), text_at(item, "id"))


def _end_arguments(value: JsonObject, context: Context) -> None:
    item = key_at(value, "item_id")
    if f"arguments:{item}" not in context.seen:
        context.seen.add(f"arguments:{item}")
        context.calls.input(text_at(value, "arguments"), index=item)


def _read_item(item: JsonObject, context: Context) -> None:
    """A complete item of a response, those of the Agents SDK around it."""
    raw = dict_at(item, "raw_item")
    kind = text_at(item, "type")
    if kind in ("tool_call_output_item", "function_call_output"):
        result = result_in({**raw, **item})
        context.calls.end(result.tool_use_id, result.status, result.text, result.name)
    elif raw:
        _read_item(raw, context)
    elif kind == "message":
        context.tell_message(item)
    elif kind == "reasoning":
        context.tell(content_of(item))
    elif kind.endswith("_call"):
        given = item.get("arguments", item.get("input", item.get("code", item.get("action"))))
        tool_use_id = text_at(item, "call_id", "id")
        context.calls.call(tool_use_id, text_at(item, "name") or kind.removesuffix("_call"), given)
        if item.get("output") is not None:
            context.calls.end(tool_use_id, "success", result_text(item["output"]))


def _read_response(response: JsonObject, context: Context) -> None:
    """The whole response, which repeats what its events said."""
    for item in dicts_in(list_at(response, "output")):
        _read_item(item, context)
    if usage := dict_at(response, "usage"):
        context.answer.usage_so_far(usage, key_at(response, "id"))
    if text_at(response, "status") == "incomplete":
        context.answer.stop({"max_output_tokens": "max_tokens"}.get(
            reason := text_at(dict_at(response, "incomplete_details"), "reason"), reason or "incomplete"))  # fmt: skip
    elif text_at(response, "status") == "completed":
        context.answer.stop("end_turn")
