"""LangChain's messages and LangGraph's streams of them: chunks, pairs, updates, values, events."""

from __future__ import annotations

from apps.aws.stream.blocks import content_of, result_text
from apps.aws.stream.context import HUMANS, TOOLS, Context, has_messages
from apps.aws.stream.values import JsonObject, dict_at, dicts_in, key_at, list_at, text_at
from loom_events.kinds import JsonValue

MODES = frozenset({"messages", "updates", "values", "custom", "debug", "tasks", "checkpoints"})
_AI = frozenset({"ai", "AIMessage", "AIMessageChunk", "assistant"})
_KINDS = frozenset({"human", "system", "tool", "ai", "AIMessage", "AIMessageChunk", "HumanMessage", "HumanMessageChunk",
    "SystemMessage", "SystemMessageChunk", "ToolMessage", "ToolMessageChunk", "RemoveMessage", "remove"})  # fmt: skip
_SIGNS = frozenset({"additional_kwargs", "response_metadata", "tool_call_chunks", "usage_metadata", "tool_calls", "id",
    "name", "tool_call_id", "artifact", "example", "kwargs"})  # fmt: skip
_METADATA = frozenset({"langgraph_node", "langgraph_step", "langgraph_path", "ls_provider", "thread_id", "tags"})
_PLAIN = frozenset({"type", "content"})
_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def is_message(value: JsonObject) -> bool:
    if value.get("lc") == 1 and isinstance(value.get("kwargs"), dict):
        return True
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        return False
    if isinstance(value.get("data"), dict):
        return "content" in dict_at(value, "data")
    return "content" in value and (kind.endswith(("Message", "Chunk")) or value.keys() <= {"type", "content"}
                                   or not _SIGNS.isdisjoint(value))  # fmt: skip


def read_message(value: JsonObject, context: Context) -> None:
    """A message by itself; one that is nothing but a text may be the next piece of one."""
    if value.keys() <= _PLAIN and value.get("type") == "ai" and isinstance(value["content"], str):
        context.pieces.add("langchain", value["content"], may_be_sentence=True)
    else:
        _read_message(value, context)


def _read_message(value: JsonObject, context: Context) -> None:
    message = _unwrapped(value)
    kind = text_at(message, "type", "role")
    if kind in HUMANS:
        return
    if kind in TOOLS:
        context.tell_message({**message, "role": "tool"})
    elif kind == "AIMessageChunk" and context.event_name != "messages/partial":
        _read_chunk(message, context)
    elif kind in _AI:
        _read_whole(message, context)


def is_state(value: JsonObject) -> bool:
    """The state of a graph, or what its nodes change in it."""
    if has_messages(value):
        return all(_is_any_message(message) for message in dicts_in(value["messages"]))
    states = [state for state in value.values() if isinstance(state, dict)]
    if "__interrupt__" in value:
        return True
    return (
        bool(states)
        and all(state is None or isinstance(state, (dict, list)) for state in value.values())
        and any(has_messages(state) or _is_any_message(dict_at(state, "messages")) for state in states)
    )


def read_state(value: JsonObject, context: Context) -> None:
    if isinstance(value.get("messages"), list):
        context.tell_messages(list_at(value, "messages"))
        return
    for key, state in value.items():
        if key == "__interrupt__":
            _read_interrupts(state, context)
        elif isinstance(state, dict):
            messages = state.get("messages")
            for message in dicts_in(messages if isinstance(messages, list) else [messages]):
                if is_message(message):
                    _read_message(message, context)
                else:
                    context.read(message)


def is_event(value: JsonObject) -> bool:
    name = value.get("event")
    return isinstance(name, str) and name.startswith("on_") and isinstance(value.get("data"), dict)


def read_event(value: JsonObject, context: Context) -> None:
    """One of `astream_events`: the model's chunks and the tools'; chains repeat both."""
    name, data, run = text_at(value, "event"), dict_at(value, "data"), text_at(value, "run_id")
    calls = context.calls
    if name in ("on_chat_model_stream", "on_llm_stream"):
        chunk = data.get("chunk")
        if isinstance(chunk, str):
            context.answer.say(chunk, run)
        elif isinstance(chunk, dict):
            context.read(chunk if "lc" in chunk else {"type": "AIMessageChunk", **chunk})
    elif name == "on_chat_model_end" and isinstance(data.get("output"), dict):
        message = dict_at(data, "output")
        context.read(message if "lc" in message else {"type": "ai", **message})
    elif name == "on_tool_start":
        calls.call(run, text_at(value, "name"), data.get("input"))
    elif name == "on_tool_end":
        output = data.get("output")
        inner = _unwrapped(output) if isinstance(output, dict) else {}
        calls.end(run, text_at(inner, "status") or "success", result_text(inner.get("content", output)))
    elif name == "on_custom_event":
        context.answer.other(text_at(value, "name") or name, data)


def is_patch(value: JsonObject) -> bool:
    return isinstance(value.get("ops"), list)


def read_patch(value: JsonObject, context: Context) -> None:
    """One of LangServe's `stream_log`: of all that it patches, the next pieces of the answer."""
    for operation in dicts_in(value["ops"]):
        if text_at(operation, "path") == "/streamed_output/-":
            piece = operation.get("value")
            context.answer.say(piece) if isinstance(piece, str) else context.read(piece)


def is_part(value: JsonObject) -> bool:
    kind = value.get("type")
    return isinstance(kind, str) and kind in MODES and "data" in value and ("ns" in value or kind == "messages")


def read_part(value: JsonObject, context: Context) -> None:
    read_mode(text_at(value, "type"), value["data"], context)


def read_list(values: list[JsonValue], context: Context) -> bool:
    """A chunk with its metadata, a mode with its part, or both in a namespace; tells whether it was one of them."""
    if len(values) == 3 and isinstance(values[0], list):
        values = values[1:]
    if len(values) != 2:
        return False
    first, second = values
    if isinstance(first, str) and first in MODES:
        read_mode(first, second, context)
        return True
    if isinstance(first, list) and isinstance(second, dict):  # a namespace with its part
        if all(isinstance(name, str) for name in first):
            context.read(second)
            return True
        return False
    is_pair = isinstance(first, dict) and isinstance(second, dict) and not _METADATA.isdisjoint(second)
    if is_pair or (
        isinstance(first, dict) and is_message(first) and isinstance(second, dict) and not is_message(second)
    ):
        context.read(first)
        return True
    return False


def read_mode(mode: str, part: JsonValue, context: Context) -> None:
    if mode in ("messages", "updates", "values"):
        context.read(part)
    elif mode == "custom":
        if isinstance(part, str):
            context.answer.say(part)
        else:
            context.read(part)


def _is_any_message(message: JsonObject) -> bool:
    return is_message(message) or ("role" in message and ("content" in message or "tool_calls" in message))


def _unwrapped(value: JsonObject) -> JsonObject:
    """A message as it is, out of `kwargs` of LangChain's own serialisation or `data` of its storage."""
    if isinstance(value.get("kwargs"), dict) and "lc" in value:
        names = list_at(value, "id")
        name = names[-1] if names and isinstance(names[-1], str) else "AIMessage"
        return {**dict_at(value, "kwargs"), "type": name}
    if isinstance(value.get("data"), dict) and "content" not in value:
        return {"type": text_at(value, "type"), **dict_at(value, "data")}
    return value


def _read_chunk(message: JsonObject, context: Context) -> None:
    answer, name = context.answer, key_at(message, "id")
    content = content_of(message.get("content"))
    reasoning = text_at(dict_at(message, "additional_kwargs"), "reasoning_content")
    if reasoning or content.reasoning:
        answer.think(reasoning or content.reasoning)
    if content.text:
        answer.say(content.text, name)
    chunks = dicts_in(message.get("tool_call_chunks"))
    for chunk in chunks:
        index = f"{name}:{key_at(chunk, 'index')}"
        tool_use_id, called = text_at(chunk, "id"), text_at(chunk, "name")
        if called and not context.calls.is_begun(tool_use_id):
            context.calls.begin(tool_use_id, called, index)
        context.calls.input(text_at(chunk, "args"), index=index)
    if not chunks:
        _read_calls(message, context)
    _read_end(message, context)


def _read_whole(message: JsonObject, context: Context) -> None:
    name = key_at(message, "id")
    is_copy = bool(name) and context.answer.is_message(name)
    content = content_of(message.get("content"))
    content.reasoning = content.reasoning or text_at(dict_at(message, "additional_kwargs"), "reasoning_content")
    context.tell(content, name)
    _read_calls(message, context)
    if not is_copy:
        _read_end(message, context)


def _read_calls(message: JsonObject, context: Context) -> None:
    for call in dicts_in(message.get("tool_calls")):
        function = dict_at(call, "function")
        name = text_at(call, "name") or text_at(function, "name")
        if name:
            context.calls.call(text_at(call, "id"), name, call.get("args", function.get("arguments")))


def _read_end(message: JsonObject, context: Context) -> None:
    """Token counts, which LangChain adds up over the chunks, and why the model stopped."""
    usage, name = dict_at(message, "usage_metadata"), key_at(message, "id")
    metadata = dict_at(message, "response_metadata")
    reason = text_at(metadata, "stop_reason", "finish_reason", "stopReason")
    if (usage or reason) and f"end:{name}:{reason}" not in context.seen:
        if usage:
            context.answer.usage(usage)
        if reason:
            context.seen.add(f"end:{name}:{reason}" if name else "")
            context.answer.stop(_REASONS.get(reason, reason))


def _read_interrupts(interrupts: JsonValue, context: Context) -> None:
    """A graph that waits for a person: its question."""
    for interrupt in dicts_in(interrupts):
        question = interrupt.get("value")
        if isinstance(question, str):
            context.answer.whole(question)
        else:
            context.answer.other("interrupt", question)
