"""Events that agents make up themselves: a name under `type` or `event`, and beside it what it is about."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, TypeAlias

from apps.aws.stream.blocks import call_in, result_in
from apps.aws.stream.context import Context
from apps.aws.stream.pieces import found
from apps.aws.stream.values import JsonObject, counts_of, dict_at, text_at

Meaning: TypeAlias = Literal["next", "final", "thought", "call", "result", "note", "beat", "other"]

_NAME_KEYS = ("type", "event", "kind", "event_type")
_LONGEST_NAME = 80
_USAGE_KEYS = ("usage", "token_usage", "totalUsage", "usage_metadata", "usageMetadata", "tokens", "models_usage",
    "accumulated_usage", "amazon-bedrock-invocationMetrics")  # fmt: skip
_USAGE_HOLDERS = ("metadata", "messageMetadata", "meta", "response", "data", "output", "result", "metrics")
# What the last words of a name say of an event, whatever stands before them.
_ENDINGS: tuple[tuple[Meaning, str], ...] = (
    ("thought", "thinking|thoughts?|reasoning|reason|(thinking|reasoning)_(delta|content|text)"),
    ("result", "tool([._-]?usage)?[._-]?(results?|end|output|response|finished|completed|done|error)|"
               "function_result|observation"),
    ("call", "tool([._-]?usage)?[._-]?(use|calls?|start|started|invocation|input|request)|"
             "function_call|(using|calling)_tool|tool"),
    ("next", "tokens?|delta|text_?chunk|llm_chunk"),
    ("final", "final|final_?(answer|result|response|output|message)|completed?|done|end|ended|result|finish|finished|"
              "finish(ed)?_\\w+|stop|summary"),
    ("note", "status|progress|info|log|debug|step|trace|notice|state|warning|start|started|begin|init|ready|opened?|"
             "sessions?|created|sources?|citations?"),
    ("beat", "ping|pong|heartbeat|keep_?alive|connected|metadata|meta|ack|closed?|usage|eof"),
)  # fmt: skip
_PATTERNS: tuple[tuple[Meaning, re.Pattern[str]], ...] = tuple(
    (meaning, re.compile(f"(.*[._-])?({endings})")) for meaning, endings in _ENDINGS
)
_SIGN_OFFS = frozenset({"", "done", "end", "ok", "complete", "completed", "finished", "true", "success", "stop", "null",
    "eof", "stream ended", "stream end"})  # fmt: skip


def name_of(value: JsonObject, context: Context) -> str:
    """The name of an event: its own, or that of the server-sent event that it came in."""
    name = text_at(value, *_NAME_KEYS) or context.event_name
    return name if len(name) <= _LONGEST_NAME else ""


def read_typed(value: JsonObject, context: Context) -> bool:
    """Reads an event by its name; tells whether there was anything to read."""
    name = name_of(value, context)
    meaning = meaning_of(name)
    payload = {key: inner for key, inner in value.items() if key not in _NAME_KEYS or not isinstance(inner, str)}
    found_text = found(payload)
    path, text = found_text or ("", "")
    if meaning == "thought":
        context.answer.think(text or text_at(payload, "thinking", "thought", "reasoning"))
    elif meaning == "result":
        _read_result(payload, context)
    elif meaning == "call":
        return _read_call(payload, context)
    elif read_usage(value, context) and not text:
        return True
    elif meaning == "note" and (text or _has_values(payload)):
        context.answer.other(name, payload)
    elif not text:
        is_end = meaning == "final" and not _has_values(payload)
        return found_text is not None or meaning in ("beat", "note") or is_end
    elif meaning == "final":
        if not is_sign_off(text):
            context.pieces.whole(f"{name}:{path}", text)
    elif meaning == "next":
        context.answer.say(text)
    elif meaning == "other":
        context.say_found(f"{name}:{path}", text)
    return True


def read_text(text: str, context: Context) -> bool:
    """A text under the name of a server-sent event; tells whether the name says what it is."""
    meaning = meaning_of(context.event_name)
    if meaning == "thought":
        context.answer.think(text)
    elif meaning == "note":
        context.answer.other(context.event_name, text)
    elif meaning == "final":
        if not is_sign_off(text):
            context.answer.whole(text)
    else:
        return meaning == "beat"
    return True


def read_usage(value: JsonObject, context: Context, *, is_beside: bool = False) -> bool:
    """Token counts that stand beside whatever else, or deeper in it."""
    usage = _usage_in(value, 0 if is_beside else 3)
    if not usage and any("oken" in key for key in value) and any(counts_of(value)[:2]):
        usage = value
    if usage:
        context.answer.usage_so_far(usage, "typed")
    return bool(usage)


def _usage_in(value: JsonObject, depth: int) -> JsonObject:
    """Token counts at the places where they stand: beside the text, in what describes it."""
    inner = {key: part for key, part in value.items() if isinstance(part, dict)}
    for key, usage in inner.items():
        if key in _USAGE_KEYS and any(counts_of(usage)[:2]):
            return usage
    for key, holder in inner.items() if depth else ():
        if key in _USAGE_HOLDERS and (usage := _usage_in(holder, depth - 1)):
            return usage
    return {}


def is_sign_off(text: str) -> bool:
    """Whether the last words of a stream only say that it ends."""
    return text.strip(" .[]!\"'").lower() in _SIGN_OFFS


@lru_cache(maxsize=256)
def meaning_of(name: str) -> Meaning:
    kind = name.lower()
    return next((meaning for meaning, pattern in _PATTERNS if pattern.fullmatch(kind)), "other")


def _read_call(payload: JsonObject, context: Context) -> bool:
    inner = _dict_in(payload, "tool", "tool_call", "data", "content", "toolUse", "tool_use")
    call = call_in(inner)
    name = call.name or text_at(payload, "tool", "content", "data", "message", "title")
    if not name:
        return False
    context.calls.call(call.tool_use_id, name, call.given)
    context.last_call = call.tool_use_id
    return True


def _read_result(payload: JsonObject, context: Context) -> None:
    inner = _dict_in(payload, "tool_result", "toolResult", "data", "content", "tool")
    result = result_in(inner)
    text = result.text or text_at(inner, "data", "text", "message", "error")
    context.calls.end(result.tool_use_id or context.last_call, result.status, text, result.name)
    context.last_call = ""


def _has_values(payload: JsonObject) -> bool:
    return any(isinstance(inner, (dict, list)) and inner for inner in payload.values())


def _dict_in(payload: JsonObject, *keys: str) -> JsonObject:
    """What an event is about: the dictionary under one of the keys, or the event itself."""
    return next((inner for key in keys if (inner := dict_at(payload, key))), payload)
