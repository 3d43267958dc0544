"""JSON values as a peer chose them: read, asked for what should be there, and made storable."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import TypeAlias

from loom_events.kinds import JsonValue
from loom_events.storable import storable_text

JsonObject: TypeAlias = "dict[str, JsonValue]"

_MOST_TOKENS = 2**53  # beyond it JavaScript and databases no longer count exactly
_DEEPEST_JSON = 100  # far below where Python, writing it again, runs out of stack


class UnreadableJsonError(ValueError):
    """A text that is not JSON, or nested too deeply to be read."""


def read_json(text: str) -> JsonValue:
    """Read one JSON value; NaN and infinities become null. A half of a surrogate pair stays: the rest may follow.

    Raises `UnreadableJsonError`.
    """
    try:
        value = _decoded(text)
    except (ValueError, RecursionError):
        raise UnreadableJsonError from None
    # The cheap questions first, this is done for every token: only a long text can be that deep, and hardly any is.
    if len(text) > _DEEPEST_JSON and text.count("[") + text.count("{") > _DEEPEST_JSON and _is_too_deep(value):
        raise UnreadableJsonError
    return value


def read_json_values(text: str) -> list[JsonValue]:
    """The values of a text that holds several, one after the other; empty where it holds anything else."""
    values: list[JsonValue] = []
    position, end = 0, len(text)
    while True:
        position = _BLANKS.match(text, position).end()  # type: ignore[union-attr]
        if position == end:
            return values
        try:
            value, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            return []
        if _is_too_deep(value):
            return []
        values.append(value)


def is_cut_short(text: str) -> bool:
    """Whether a text that is no JSON value could be the beginning of one."""
    try:
        _DECODER.decode(text)
    except json.JSONDecodeError as error:
        return error.msg.startswith("Unterminated") or error.pos >= len(text.rstrip())
    except (ValueError, RecursionError):
        return False
    return False


def json_text(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)


def fenced(value: JsonValue) -> str:
    """A JSON value as markdown."""
    return f"```json\n{json.dumps(value, ensure_ascii=False, indent=2)}\n```"


def storable(value: JsonValue) -> JsonValue:
    """The value as every database can hold it."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable_text(key): storable(item) for key, item in value.items()}
    return value


def dicts_in(value: JsonValue) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def list_at(value: JsonObject, key: str) -> list[JsonValue]:
    inner = value.get(key)
    return inner if isinstance(inner, list) else []


def dict_at(value: JsonObject, *keys: str) -> JsonObject:
    """The dictionary under a path of keys, empty where anything else is found."""
    for key in keys:
        inner = value.get(key)
        if not isinstance(inner, dict):
            return {}
        value = inner
    return value


def text_at(value: JsonObject, *keys: str) -> str:
    """The first text under one of the keys that is not empty."""
    for key in keys:
        text = value.get(key)
        if isinstance(text, str) and text:
            return text
    return ""


def key_at(value: JsonObject, *keys: str) -> str:
    """The first text or number under one of the keys, as text: an id, an index."""
    for key in keys:
        found = value.get(key)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, int) and not isinstance(found, bool) and abs(found) <= _MOST_TOKENS:
            return str(found)
    return ""


def count_at(value: JsonObject, *keys: str) -> int:
    """The first count under one of the keys; 0 where there is none that makes sense."""
    for key in keys:
        count = value.get(key)
        if isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= _MOST_TOKENS:
            return count
    return 0


def counts_of(usage: JsonObject) -> tuple[int, int, int]:
    """Input, output and total tokens, by the names that the protocols have for them."""
    usage = dict_at(usage, "tokens") or dict_at(usage, "billed_units") or usage
    input_tokens = count_at(usage, "inputTokens", "input_tokens", "prompt_tokens", "promptTokens", "promptTokenCount",
        "prompt_token_count", "request_tokens", "input_token_count", "inputTokenCount", "prompt_eval_count",
        "inputTextTokenCount", "tokens_evaluated", "input")  # fmt: skip
    output_tokens = count_at(usage, "outputTokens", "output_tokens", "completion_tokens", "completionTokens",
        "candidatesTokenCount", "candidates_token_count", "response_tokens", "output_token_count",
        "outputTokenCount", "eval_count", "generation_token_count", "totalOutputTextTokenCount", "tokens_predicted",
        "output")  # fmt: skip
    total = count_at(usage, "totalTokens", "total_tokens", "totalTokenCount", "total_token_count")
    return input_tokens, output_tokens, total or input_tokens + output_tokens


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _is_too_deep(value: JsonValue) -> bool:
    level = [value]
    for _ in range(_DEEPEST_JSON):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(value: JsonValue) -> Iterable[JsonValue]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


_BLANKS = re.compile(r"[ \t\r\n\x1e]*")
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=lambda _: None)


def _decoded(text: str) -> JsonValue:
    """`decode` without its search for blanks around the value, unless there are any: half the time for a token."""
    try:
        value: JsonValue
        value, end = _DECODER.scan_once(text, 0)  # type: ignore[attr-defined]
    except StopIteration:
        end = -1
    return value if end == len(text) else _DECODER.decode(text)
