"""Frameworks with shapes of their own: CrewAI, LlamaIndex, pydantic-ai, AutoGen, Microsoft's, Agno, Ollama, Haystack,
smolagents."""

from __future__ import annotations

from apps.aws.stream.blocks import Content, call_in, content_of, result_in, result_text
from apps.aws.stream.context import HUMANS, Context, latest
from apps.aws.stream.pieces import found_text
from apps.aws.stream.values import JsonObject, dict_at, dicts_in, key_at, list_at, text_at
from loom_events.kinds import JsonValue


def is_crew(value: JsonObject) -> bool:
    return "tasks_output" in value or "chunk_type" in value or value.get("type") == "llm_stream_chunk"


def read_crew(value: JsonObject, context: Context) -> None:
    if "tasks_output" in value:
        context.answer.whole(text_at(value, "raw") or found_text(value.get("json_dict")))
        context.answer.usage_so_far(dict_at(value, "token_usage"), "crew")
        return
    call = dict_at(value, "tool_call")
    if call and text_at(value, "chunk_type").lower() == "tool_call":
        called = call_in(call)
        if called.name and not context.calls.is_begun(called.tool_use_id):
            context.calls.begin(called.tool_use_id, called.name)
        given = called.given
        context.calls.input(given if isinstance(given, str) else "", tool_use_id=called.tool_use_id)
        return
    context.answer.say(text_at(value, "content", "chunk"))


def is_llama_index(value: JsonObject) -> bool:
    if "__is_pydantic" in value:
        return isinstance(value.get("value"), dict)
    if "current_agent_name" in value:
        return True
    return "tool_kwargs" in value and ("tool_id" in value or "tool_name" in value)


def read_llama_index(value: JsonObject, context: Context) -> None:
    if "__is_pydantic" in value:
        context.read(value["value"])
    elif "tool_output" in value:
        output = dict_at(value, "tool_output")
        failed = output.get("is_error") is True
        blocks = output.get("blocks") or output.get("content") or value.get("tool_output")
        context.calls.end(text_at(value, "tool_id"), "error" if failed else "success", result_text(blocks))
    elif "tool_kwargs" in value:
        context.calls.call(text_at(value, "tool_id"), text_at(value, "tool_name"), value.get("tool_kwargs"))
    elif isinstance(value.get("delta"), str):
        context.answer.say(text_at(value, "delta"))
        context.answer.think(text_at(value, "thinking_delta"))
    elif isinstance(value.get("response"), dict):
        response = dict_at(value, "response")
        content = content_of(response.get("blocks", response.get("content")))
        content.calls.clear()
        context.tell(content)


def is_pydantic_ai(value: JsonObject) -> bool:
    return "event_kind" in value or (
        value.get("kind") in ("request", "response") and isinstance(value.get("parts"), list)
    )


def read_pydantic_ai(value: JsonObject, context: Context) -> None:
    kind = text_at(value, "event_kind")
    part, answer = dict_at(value, "part"), context.answer
    index = f"part:{key_at(value, 'index')}"
    if kind == "part_delta":
        _read_part_delta(dict_at(value, "delta"), index, context)
    elif kind == "part_start":
        answer.pause()
        _begin_part(part, index, context)
    elif kind in ("function_tool_call", "builtin_tool_call"):
        call = call_in(part)
        context.calls.call(call.tool_use_id, call.name, call.given)
    elif kind in ("function_tool_result", "builtin_tool_result"):
        result = result_in(dict_at(value, "result") or dict_at(value, "part"))
        context.calls.end(result.tool_use_id, result.status, result.text, result.name)
    elif kind == "agent_run_result":
        answer.whole(found_text(dict_at(value, "result")))
    elif not kind:
        content = content_of(value.get("parts"))
        context.tell(Content(results=content.results) if value.get("kind") == "request" else content)
        if usage := dict_at(value, "usage"):
            answer.usage(usage)


def _begin_part(part: JsonObject, index: str, context: Context) -> None:
    content = content_of(part)
    for call in content.calls:
        context.calls.begin(call.tool_use_id, call.name, index)
        if isinstance(call.given, str):
            context.calls.input(call.given, tool_use_id=call.tool_use_id)
    content.calls.clear()
    context.tell(content, is_whole=False)


def _read_part_delta(delta: JsonObject, index: str, context: Context) -> None:
    kind = text_at(delta, "part_delta_kind")
    if kind == "tool_call":
        context.calls.input(text_at(delta, "args_delta"), index=index)
    elif kind == "thinking":
        context.answer.think(text_at(delta, "content_delta"))
    else:
        context.answer.say(text_at(delta, "content_delta"))


_AUTOGEN = frozenset({"ModelClientStreamingChunkEvent", "TextMessage", "ToolCallRequestEvent", "ToolCallExecutionEvent",
    "ToolCallSummaryMessage", "ThoughtEvent", "StopMessage", "HandoffMessage", "MultiModalMessage", "MemoryQueryEvent",
    "StructuredMessage", "SelectSpeakerEvent", "UserInputRequestedEvent", "CodeGenerationEvent",
    "CodeExecutionEvent"})  # fmt: skip


def is_autogen(value: JsonObject) -> bool:
    if value.get("type") in _AUTOGEN if isinstance(value.get("type"), str) else False:
        return True
    messages = dicts_in(value.get("messages"))
    return bool(messages) and "stop_reason" in value and all("source" in message for message in messages)


def read_autogen(value: JsonObject, context: Context) -> None:
    kind, answer = text_at(value, "type"), context.answer
    content = value.get("content")
    if not kind:
        for message in latest([{**entry, "role": text_at(entry, "source")} for entry in dicts_in(value["messages"])]):
            context.read(message)
    elif kind == "ModelClientStreamingChunkEvent":
        answer.say(text_at(value, "content"), text_at(value, "full_message_id"))
    elif kind == "ThoughtEvent":
        answer.think(text_at(value, "content"))
    elif kind == "ToolCallRequestEvent":
        for call in map(call_in, dicts_in(content)):
            context.calls.call(call.tool_use_id, call.name, call.given)
    elif kind == "ToolCallExecutionEvent":
        for result in map(result_in, dicts_in(content)):
            context.calls.end(result.tool_use_id, result.status, result.text, result.name)
    elif kind in ("TextMessage", "StopMessage", "ToolCallSummaryMessage", "MultiModalMessage", "StructuredMessage",
                  "HandoffMessage") and text_at(value, "source") not in HUMANS:  # fmt: skip
        answer.whole(content_of(content).text or found_text(content))
    _tell_autogen_usage(dict_at(value, "models_usage"), key_at(value, "id"), context)


def _tell_autogen_usage(usage: JsonObject, name: str, context: Context) -> None:
    if usage and f"usage:{name}" not in context.seen:
        context.seen.add(f"usage:{name}" if name else "")
        context.answer.usage(usage)


_MICROSOFT_STREAM = frozenset({"choice_index", "ChoiceIndex", "message_id", "response_id", "messageId"})
_MICROSOFT_TYPES = {
    "streaming_text": "text", "TextContent": "text", "StreamingTextContent": "text",
    "FunctionCallContent": "function_call", "functionCall": "function_call", "FunctionResultContent": "function_result",
    "functionResult": "function_result",
}  # fmt: skip


def is_microsoft(value: JsonObject) -> bool:
    """Semantic Kernel's `items`, the Agent Framework's `contents`."""
    if isinstance(value.get("contents"), list):
        return True
    items = dicts_in(value.get("items")) or dicts_in(value.get("Items"))
    return bool(items) and all("content_type" in item or "$type" in item for item in items)


def read_microsoft(value: JsonObject, context: Context) -> None:
    is_next = not _MICROSOFT_STREAM.isdisjoint(value)
    parts = [_typed_part(part) for part in dicts_in(value.get("contents", value.get("items", value.get("Items"))))]
    is_next = is_next or any(text_at(part, "$type").startswith("Streaming") for part in parts)
    content = content_of([part for part in parts if part.get("type") != "usage"])
    for part in parts:
        if part.get("type") == "usage":
            context.answer.usage(dict_at(part, "details") or dict_at(part, "usage_details"))
    if text_at(value, "role") in HUMANS:
        content.text = ""
    name = key_at(value, "message_id", "messageId")
    context.tell(content, name, is_whole=not is_next)


def _typed_part(part: JsonObject) -> JsonObject:
    kind = text_at(part, "type", "content_type", "$type")
    known = _MICROSOFT_TYPES.get(kind, kind)
    return {**part, "type": known} if kind else part


def is_agno(value: JsonObject) -> bool:
    name = text_at(value, "event").removeprefix("Team")
    return name.startswith("Run") or name in ("ToolCallStarted", "ToolCallCompleted", "ReasoningStep")


def read_agno(value: JsonObject, context: Context) -> None:
    name, answer = text_at(value, "event").removeprefix("Team"), context.answer
    if name in ("RunContent", "RunResponseContent", "RunResponse", "RunIntermediateContent"):
        answer.think(text_at(value, "reasoning_content"))
        answer.say(text_at(value, "content"))
    elif name in ("RunCompleted", "RunResponseCompleted"):
        answer.whole(text_at(value, "content"))
        answer.usage_so_far(dict_at(value, "metrics"), f"agno:{key_at(value, 'run_id')}")
    elif name.startswith("ToolCall"):
        call = call_in(dict_at(value, "tool"))
        context.calls.call(call.tool_use_id, call.name, call.given)
        if name == "ToolCallCompleted":
            context.calls.end(
                call.tool_use_id, "success", result_text(dict_at(value, "tool").get("result", value.get("content")))
            )


def is_ollama(value: JsonObject) -> bool:
    return isinstance(value.get("done"), bool) and (isinstance(value.get("message"), dict) or "response" in value)


def read_ollama(value: JsonObject, context: Context) -> None:
    message = dict_at(value, "message")
    if message:
        context.tell_message(message, is_whole=False)
    else:
        context.answer.think(text_at(value, "thinking"))
        context.answer.say(text_at(value, "response"))
    if "eval_count" in value:
        context.answer.usage(value)


def is_role_message(value: JsonObject) -> bool:
    return isinstance(value.get("role"), str) and ("content" in value or "tool_calls" in value) and bool(
        list_at(value, "content") or isinstance(value.get("content"), str) or list_at(value, "tool_calls")
    )  # fmt: skip


def read_role_message(value: JsonObject, context: Context) -> None:
    """A message with a role and nothing that says whose: whole, or the next piece of one."""
    if isinstance(value.get("content"), str) and text_at(value, "role") not in HUMANS and not value.get("tool_calls"):
        context.pieces.add(f"role:{key_at(value, 'id')}", text_at(value, "content"), may_be_sentence=True)
    else:
        context.tell_message(value)


def is_haystack(value: JsonObject) -> bool:
    """What a pipeline came to: the replies of one of its parts."""
    return any(_replies(inner) for inner in (value, *value.values()) if isinstance(inner, dict))


def read_haystack(value: JsonObject, context: Context) -> None:
    for inner in (value, *value.values()):
        for reply in _replies(inner) if isinstance(inner, dict) else []:
            context.answer.whole(reply if isinstance(reply, str) else found_text(reply))
        for meta in dicts_in(inner.get("meta")) if isinstance(inner, dict) else []:
            context.answer.usage_so_far(dict_at(meta, "usage"), "haystack")


def _replies(value: JsonObject) -> list[JsonValue]:
    return [reply for reply in list_at(value, "replies") if isinstance(reply, (str, dict))]


def is_smolagents(value: JsonObject) -> bool:
    return "step_number" in value and ("observations" in value or "model_output" in value)


def read_smolagents(value: JsonObject, context: Context) -> None:
    """One step: what the model thought, the tools it called, and what they gave back together."""
    context.answer.think(text_at(value, "model_output"))
    calls = [call_in(call) for call in dicts_in(value.get("tool_calls"))]
    for call in calls:
        context.calls.call(call.tool_use_id, call.name, call.given)
    if calls:
        context.calls.end(calls[-1].tool_use_id, "success", text_at(value, "observations"))
