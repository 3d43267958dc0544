"""Bedrock's ConverseStream, Strands Agents' callback dictionaries around it, and graphs and swarms of such agents."""

from __future__ import annotations

from apps.aws.stream.blocks import call_in, content_of, result_in
from apps.aws.stream.context import HUMANS, Ahead, Context
from apps.aws.stream.pieces import found
from apps.aws.stream.values import JsonObject, dict_at, key_at, text_at
from loom_events.kinds import JsonValue

BEDROCK_KEYS = frozenset({"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop",
    "metadata", "redactContent"})  # fmt: skip
_DELTA_KEYS = frozenset({"text", "toolUse", "reasoningContent", "citation"})
_CALLBACK_KEYS = frozenset({"data", "current_tool_use", "reasoningText", "reasoning", "agent", "event_loop_cycle_id",
    "reasoning_signature", "reasoningRedactedContent", "citation"})  # fmt: skip
_MOST_AHEAD = 100
_COPY_KEYS = frozenset({"delta", "agent", "event_loop_cycle_id"})
_LIFECYCLE = frozenset({"start", "complete", "stop", "callback", "force_stop"})
_MULTI_AGENT = "multiagent_"
_OLD_MULTI_AGENT = (
    "multi_agent_node_start",
    "multi_agent_node_stream",
    "multi_agent_node_complete",
    "multi_agent_handoff",
)


def is_bedrock(value: JsonObject) -> bool:
    event = value.get("event")
    if isinstance(event, dict):
        return not BEDROCK_KEYS.isdisjoint(event)
    return len(value) == 1 and not BEDROCK_KEYS.isdisjoint(value)


def read_bedrock(value: JsonObject, context: Context) -> None:
    """An event of Bedrock's ConverseStream, which Strands hands through under the key `event`."""
    event = dict_at(value, "event") or value
    answer = context.answer
    context.seen.add("bedrock" + context.scope)
    start = dict_at(event, "contentBlockStart")
    if tool := dict_at(start, "start", "toolUse"):
        if context.scope + text_at(tool, "toolUseId") in context.ahead:
            context.calls.go_on(text_at(tool, "toolUseId"), _index(start, context))
        else:
            _begin_tool(tool, context, _index(start, context))
    if delta := dict_at(event, "contentBlockDelta"):
        _read_delta(dict_at(delta, "delta"), context, _index(delta, context))
    if dict_at(event, "redactContent"):
        answer.say(text_at(dict_at(event, "redactContent"), "redactAssistantContentMessage"))
    answer.stop(text_at(dict_at(event, "messageStop"), "stopReason"))
    if usage := dict_at(event, "metadata", "usage"):
        answer.usage(usage)


def is_converse_body(value: JsonObject) -> bool:
    return isinstance(dict_at(value, "output", "message").get("content"), list) and "stopReason" in value


def read_converse_body(value: JsonObject, context: Context) -> None:
    context.tell_message(dict_at(value, "output", "message"))
    context.answer.stop(text_at(value, "stopReason"))
    if usage := dict_at(value, "usage"):
        context.answer.usage(usage)


def is_callback(value: JsonObject) -> bool:
    delta = value.get("delta")
    if isinstance(delta, dict):
        is_known = not _DELTA_KEYS.isdisjoint(delta) or (not delta and isinstance(value.get("data"), str))
        return is_known and ("type" not in value or "current_tool_use" in value)
    return isinstance(value.get("data"), str) and value.keys() <= _CALLBACK_KEYS


def read_callback(value: JsonObject, context: Context) -> None:
    """A callback dictionary, which repeats what the Bedrock event beside it says."""
    is_copy = not _COPY_KEYS.isdisjoint(value)
    if is_copy and "bedrock" + context.scope in context.seen:
        return
    if text := text_at(value, "data"):
        if "delta" in value or not context.decode(text):
            context.answer.say(text)
            _tell_ahead(context, "text", text, is_copy=is_copy)
        return
    if reasoning := text_at(value, "reasoningText"):
        context.answer.think(reasoning)
        _tell_ahead(context, "reasoning", reasoning, is_copy=is_copy)
        return
    tool = dict_at(value, "current_tool_use")
    tool_use_id = text_at(tool, "toolUseId")
    if tool_use_id and not context.calls.is_begun(tool_use_id):
        _begin_tool(tool, context, "")
    delta = dict_at(value, "delta")
    tool_input = text_at(dict_at(delta, "toolUse"), "input")
    if tool_use_id:
        _tell_ahead(context, tool_use_id, tool_input, is_copy=is_copy)
    if tool_input:
        context.calls.input(tool_input, tool_use_id=tool_use_id)
    else:
        _read_delta(delta, context, "")


def is_strands(value: JsonObject) -> bool:
    """Whatever else Strands sends: messages, results, tools that stream, how its loop goes on."""
    message, result = value.get("message"), value.get("result")
    if isinstance(message, dict) and isinstance(message.get("content"), list) and "type" not in value:
        return "role" in message
    if isinstance(result, dict):
        return value.get("type") in (None, "multiagent_result") and is_result(result)
    if "tool_stream_event" in value or "event_loop_throttled_delay" in value or "tool_result" in value:
        return "type" not in value or value.get("type") == "tool_stream"
    if is_result(value) or "init_event_loop" in value or "start_event_loop" in value:
        return True
    return not _LIFECYCLE.isdisjoint(value) and "type" not in value and found(value) is None


def is_result(value: JsonObject) -> bool:
    if value.get("type") in ("agent_result", "multiagent_result", "AgentResult", "GraphResult", "SwarmResult"):
        return True
    if isinstance(value.get("results"), dict) and "status" in value:
        return any("result" in node for node in dict_at(value, "results").values() if isinstance(node, dict))
    return isinstance(value.get("message"), dict) and ("stop_reason" in value or "metrics" in value)


def read_strands(value: JsonObject, context: Context) -> None:
    if isinstance(value.get("message"), dict) and not is_result(value):
        _read_message(dict_at(value, "message"), context)
        context.answer.usage_so_far(dict_at(value, "usage"), "message")  # of a model that answers in such a message
    elif "tool_stream_event" in value:
        _read_tool_stream(dict_at(value, "tool_stream_event"), context)
    elif "event_loop_throttled_delay" in value:
        delay = value["event_loop_throttled_delay"]
        context.answer.events.append(
            {
                "kind": "retry",
                "attempt": 1,
                "delay_ms": float(delay) * 1000 if isinstance(delay, (int, float)) and abs(delay) < 1e9 else 0.0,
                "reason": "The model is asked again after a throttle.",
            }
        )
    elif isinstance(value.get("tool_result"), dict):
        result = result_in(dict_at(value, "tool_result"))
        context.calls.end(result.tool_use_id, result.status, result.text, result.name)
    else:
        _read_result(dict_at(value, "result") or value, context)


def is_multi_agent(value: JsonObject) -> bool:
    return text_at(value, "type").startswith(_MULTI_AGENT) or any(key in value for key in _OLD_MULTI_AGENT)


def read_multi_agent(value: JsonObject, context: Context) -> None:
    """What happens in a graph or swarm: the events of its nodes are read like those of an agent."""
    kind, node = text_at(value, "type"), text_at(value, "node_id")
    if "event" in value and (kind == "multiagent_node_stream" or "multi_agent_node_stream" in value):
        outer, context.scope = context.scope, f"{context.scope}/{node}"
        answer = context.answer
        speaker, answer.speaker = answer.speaker, answer.speaker or context.scope
        inner = dict_at(value, "event")
        if context.scope != context.last_scope and not is_multi_agent(inner) and not answer.is_waiting():
            context.last_scope = context.scope
            answer.part()
        context.seen.add(context.scope)
        context.read(value["event"])
        context.scope, answer.speaker = outer, speaker
    elif kind == "multiagent_node_start" and not context.scope:
        context.answer.enter(f"/{node}")
    elif kind == "multiagent_handoff" or "multi_agent_handoff" in value:
        targets = value.get("to_node_ids")
        names = [name for name in targets if isinstance(name, str)] if isinstance(targets, list) else []
        route = ", ".join(names) or text_at(value, "to_node")
        context.answer.events.append(
            {"kind": "routing", "route": route, "model": "", "reason": text_at(value, "message")}
        )
    elif kind == "multiagent_node_stop":
        scope = f"{context.scope}/{node}"
        if scope not in context.seen:
            _read_node(dict_at(value, "node_result"), context)
        context.answer.leave(scope)
    elif kind == "multiagent_result":
        _read_result(dict_at(value, "result") or value, context)


def _index(block: JsonObject, context: Context) -> str:
    return f"{context.scope}:{index}" if (index := key_at(block, "contentBlockIndex")) else ""


def _begin_tool(tool: JsonObject, context: Context, index: str) -> None:
    context.calls.begin(text_at(tool, "toolUseId"), text_at(tool, "name"), index)


def _read_delta(delta: JsonObject, context: Context, index: str) -> None:
    context.answer.say(_news(context, "text", text_at(delta, "text")))
    if reasoning := _news(context, "reasoning", text_at(dict_at(delta, "reasoningContent"), "text")):
        context.answer.think(reasoning)
    if tool_input := text_at(dict_at(delta, "toolUse"), "input"):
        tool_use_id = context.calls.current(index)
        context.calls.input(_news(context, tool_use_id, tool_input), tool_use_id=tool_use_id)


def _tell_ahead(context: Context, part: str, text: str, *, is_copy: bool) -> None:
    """A copy says what the Bedrock event that it is a copy of has yet to say."""
    if is_copy and len(context.ahead) < _MOST_AHEAD:
        context.ahead.setdefault(context.scope + part, Ahead()).tell(text)


def _news(context: Context, part: str, text: str) -> str:
    """What of a piece no copy has told before."""
    ahead = context.ahead.get(context.scope + part) if text and context.ahead else None
    if ahead is None:
        return text
    news = ahead.news_in(text)
    if ahead.is_over:
        del context.ahead[context.scope + part]
    return news


def _read_message(message: JsonObject, context: Context) -> None:
    """A complete message: a copy of what was streamed, if anything was."""
    content = content_of(message.get("content"))
    if text_at(message, "role") in HUMANS:
        content.text = content.reasoning = ""
    elif content.text or content.calls:
        if content.reasoning and not context.answer.is_thought_since_copy:
            context.answer.think(content.reasoning)
        context.answer.copy(content.text)
        context.answer.is_thought_since_copy = False
    context.tell_tools(content)


def _read_tool_stream(event: JsonObject, context: Context) -> None:
    """What a tool says while it works; another agent as a tool sends the events of its own."""
    tool_use_id = call_in(dict_at(event, "tool_use")).tool_use_id
    said: JsonValue = event.get("data")
    if isinstance(said, dict):
        said = text_at(said, "data") or text_at(dict_at(said, "event", "contentBlockDelta", "delta"), "text")
    if isinstance(said, str) and tool_use_id:
        context.answer.say_inside(said, tool_use_id)


def _read_result(result: JsonObject, context: Context) -> None:
    """The end of a run, which repeats its last message."""
    if not context.answer.has_text:
        _read_node({"result": result}, context)
    usage = dict_at(result, "accumulated_usage") or dict_at(result, "metrics", "accumulated_usage")
    if usage and not context.answer.has_usage:
        context.answer.usage(usage)


def _read_node(node: JsonObject, context: Context) -> None:
    """What a node of a graph came to, one inside of the other."""
    result = dict_at(node, "result")
    if isinstance(result.get("message"), dict):
        context.answer.whole(content_of(dict_at(result, "message").get("content")).text)
    for inner in dict_at(result, "results").values():
        if isinstance(inner, dict):
            context.answer.part()
            _read_node(inner, context)
