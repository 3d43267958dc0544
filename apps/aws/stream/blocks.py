"""The parts that messages are made of, in the words of every protocol: text, reasoning, tool calls, results, media.

Bedrock says `{"toolUse": …}`, Anthropic `{"type": "tool_use", …}`, Google `{"functionCall": …}`: one function knows
them all, so that the reader of a protocol only has to find the parts and to say whose message it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.aws.stream.media import media_text
from apps.aws.stream.values import JsonObject, dict_at, dicts_in, fenced, json_text, key_at, text_at
from loom_events.kinds import JsonValue

TYPE_KEYS = ("type", "kind", "part_kind", "content_type", "block_type")

_CALLS = frozenset({
    "tool_use", "tool_call", "tool-call", "function_call", "toolCall", "function", "server_tool_use", "mcp_tool_use",
    "builtin-tool-call", "tool_call_chunk", "input_json_delta", "mcp_call", "functionCall",
})  # fmt: skip
_RESULTS = frozenset({"tool_result", "tool-result", "tool-return", "function_result", "function_call_output",
    "tool_call_output", "tool", "mcp_tool_result", "web_search_tool_result", "retry-prompt", "builtin-tool-return",
    "functionResponse"})  # fmt: skip
_REASONING = frozenset({"thinking", "reasoning", "text_reasoning", "reasoning_content", "thought", "redacted_thinking",
    "reasoning_text", "summary_text"})  # fmt: skip
_SILENT = frozenset({"cachePoint", "step-start", "step-finish", "signature", "user-prompt", "system-prompt", "usage",
    "hosted_file", "citations", "non_standard"})  # fmt: skip
_DATA_PART = frozenset({"data", "metadata", "mediaType", "media_type"})
_FAILED = frozenset({"error", "failed", "failure", "Error"})


@dataclass(slots=True)
class Call:
    tool_use_id: str
    name: str
    given: JsonValue


@dataclass(slots=True)
class Result:
    tool_use_id: str
    status: str
    text: str
    name: str = ""  # of the tool, where the result says it


@dataclass(slots=True)
class Content:
    """The parts of one message, sorted by what they are."""

    text: str = ""
    reasoning: str = ""
    calls: list[Call] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    unread: list[JsonValue] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.reasoning or self.calls or self.results)


_GIVEN_KEYS = ("input", "args", "arguments", "tool_args", "tool_kwargs", "tool_input", "toolInput", "partial_json",
    "parameters")  # fmt: skip


def content_of(value: JsonValue) -> Content:
    """The content of a message: a text, a part, or a list of them."""
    content = Content()
    texts: list[str] = []
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            _take(part, content, texts)
        elif part is not None:
            content.unread.append(part)
    content.text = "".join(texts)
    return content


def type_of(part: JsonObject) -> str:
    return text_at(part, *TYPE_KEYS)


def result_text(value: JsonValue) -> str:
    """What a tool gave back as text: its texts and values line by line, media by kind and size."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(part, (dict, str)) for part in value):
        texts = [
            part if isinstance(part, str) else _result_part(part) for part in value if isinstance(part, (dict, str))
        ]
        return "\n".join(texts)
    if isinstance(value, dict):
        return _result_part(value)
    return "" if value is None or value == [] else json_text(value)


def status_of(value: JsonObject) -> str:
    """`error` where a result says in any way that the tool failed."""
    status = value.get("status", value.get("outcome"))
    flags = (value.get(key) for key in ("is_error", "isError", "error", "exception"))
    if any(flag not in (None, False, "", {}) for flag in flags) or (isinstance(status, str) and status in _FAILED):
        return "error"
    return "success"


def _take(part: JsonObject, content: Content, texts: list[str]) -> None:
    kind = type_of(part)
    if call := _call(part, kind):
        content.calls.append(call)
    elif result := _result(part, kind):
        content.results.append(result)
    elif reasoning := _reasoning(part, kind):
        content.reasoning += reasoning
    elif kind in _REASONING or kind in _SILENT or "reasoningContent" in part or "cachePoint" in part:
        return
    elif placeholder := media_text(part):
        texts.append(("\n\n" if texts else "") + placeholder)
    else:
        text = _text(part, kind)
        if text is None:
            content.unread.append(part)
        else:
            texts.append(text)


def _text(part: JsonObject, kind: str) -> str | None:
    if embedded := text_at(dict_at(part, "resource"), "text"):
        return embedded
    for key in ("text", "refusal", "content", "Text", "output_text"):
        text = part.get(key)
        if isinstance(text, str):
            return text
        if isinstance(text, dict) and isinstance(text.get("value"), str):
            return text_at(text, "value")
    if isinstance(part.get("content"), list):
        return content_of(part["content"]).text
    if dict_at(part, "citationsContent"):
        return content_of(dict_at(part, "citationsContent").get("content")).text
    if "json" in part and (kind == "json" or len(part) == 1):
        return fenced(part["json"])
    if isinstance(part.get("data"), (dict, list)) and (kind in ("data", "json") or part.keys() <= _DATA_PART):
        return fenced(part["data"])
    return None


def _call(part: JsonObject, kind: str) -> Call | None:
    for key in ("toolUse", "functionCall", "function_call", "tool_use"):
        inner = part.get(key)
        if isinstance(inner, dict):
            return _call_in(inner)
    if kind in _CALLS:
        return _call_in(part)
    return None


def _call_in(value: JsonObject) -> Call:
    function = dict_at(value, "function") or dict_at(value, "custom") or value
    tool_use_id = key_at(
        value, "toolUseId", "call_id", "tool_call_id", "toolCallId", "tool_use_id", "callId", "tool_id", "id"
    )
    given = next(
        (function[key] for key in _GIVEN_KEYS if key in function), None,
    )  # fmt: skip
    return Call(tool_use_id, text_at(function, "name", "tool_name", "toolName", "function_name", "tool"), given)


call_in = _call_in


def _result(part: JsonObject, kind: str) -> Result | None:
    for key in ("toolResult", "functionResponse", "function_response", "tool_result"):
        inner = part.get(key)
        if isinstance(inner, dict):
            return result_in(inner)
    return result_in(part) if kind in _RESULTS else None


def result_in(value: JsonObject) -> Result:
    """The result that a dictionary holds, whatever it calls its parts."""
    tool_use_id = key_at(
        value, "toolUseId", "tool_use_id", "tool_call_id", "call_id", "toolCallId", "callId", "tool_id", "id"
    )
    for key in ("content", "result", "output", "response", "tool_output", "exception"):
        if value.get(key) is not None:
            inner = value[key]
            break
    else:
        inner = None
    if isinstance(inner, dict) and set(inner) <= {"result", "output", "content", "structuredContent", "isError"}:
        inner = inner.get("result", inner.get("output", inner.get("content", inner)))
    return Result(tool_use_id, text_at(value, "status") if value.get("status") == "success" else status_of(value),
                  result_text(inner), text_at(value, "name", "tool_name", "toolName"))  # fmt: skip


def _result_part(part: JsonObject) -> str:
    if placeholder := media_text(part):
        return placeholder
    if embedded := text_at(dict_at(part, "resource"), "text"):
        return embedded
    if isinstance(part.get("text"), str):
        return text_at(part, "text")
    if set(part) <= {"type", "content"} and isinstance(part.get("content"), str):
        return text_at(part, "content")
    return json_text(part.get("json", part))


def _reasoning(part: JsonObject, kind: str) -> str:
    inner = part.get("reasoningContent")
    if isinstance(inner, dict):
        return text_at(dict_at(inner, "reasoningText"), "text") or text_at(inner, "text")
    if kind in _REASONING or part.get("thought") is True:
        nested = dict_at(part, "reasoning_content")
        summary = "".join(text_at(item, "text") for item in dicts_in(part.get("summary")))
        texts = "".join(text_at(item, "text") for key in ("content", "thinking") for item in dicts_in(part.get(key)))
        return (
            text_at(part, "thinking", "reasoning", "text", "content", "reasoning_content", "thought")
            or text_at(nested, "text")
            or summary
            or texts
        )
    return ""
