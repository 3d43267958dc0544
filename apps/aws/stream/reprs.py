"""Python values that came as their `repr`, because the agent's server could not write them as JSON.

`{'data': 'Hel', 'agent': <Agent object at 0x7f>, 'id': UUID('…')}` is read as far as it goes: what has no JSON becomes
null, `Name(key=value)` a dictionary with its name under `type`. Whether it is one at all is for the caller to judge.
"""

from __future__ import annotations

import ast
import re

from apps.aws.stream.values import JsonObject
from loom_events.kinds import JsonValue

_MOST_CHARACTERS = 1_000_000
_DEEPEST = 40
_TOKEN = re.compile(
    r"\s*(?:(?P<text>[bBrRuUfF]{0,2}(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"))"
    r"|(?P<number>[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<name>[A-Za-z_][\w.]*)|(?P<sign>[\[\]{}(),:=<>]))",
    re.DOTALL,
)
_END = re.compile(r"\s*\Z")
_OPAQUE = re.compile(r"[<>]")
_OPAQUE_VALUE = re.compile(r"<[\w.]+: ('(?:[^'\\]|\\.)*')>")
_BEGIN = re.compile(r"\{\s*['\"}]|[\[(]\s*(?:[\[({]|[A-Z]\w*\(|')|[A-Z]\w*\((?:\w+=|\))|content='|content=\"")
_BYTES = re.compile(r"b(?:'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")")
_CLOSING = {"{": "}", "[": "]", "(": ")"}


class _NoReprError(ValueError):
    """The text is no repr that can be read."""


def read_repr(text: str) -> JsonValue:
    """The value of a repr; None where the text is none, or says nothing."""
    if len(text) > _MOST_CHARACTERS or not _BEGIN.match(text):
        return None
    try:
        return _Repr(text).value()
    except (_NoReprError, RecursionError):
        return None


def read_bytes(text: str) -> str | None:
    """The text of bytes that came as `b'…'`; None where it is anything else."""
    if not _BYTES.fullmatch(text):
        return None
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError):
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None


class _Repr:
    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def value(self) -> JsonValue:
        """The whole text as one value: pydantic's `str`, fields without a name around them, among them."""
        if self._text.startswith("content="):
            value: JsonValue = self._fields()
        else:
            value = self._read(0)
        if not self._is_at_end():
            raise _NoReprError
        return value

    def _is_at_end(self) -> bool:
        return _END.match(self._text, self._position) is not None

    def _next(self) -> re.Match[str]:
        token = _TOKEN.match(self._text, self._position)
        if token is None:
            raise _NoReprError
        self._position = token.end()
        return token

    def _peek(self) -> str:
        token = _TOKEN.match(self._text, self._position)
        return token.group().strip() if token else ""

    def _read(self, depth: int) -> JsonValue:
        if depth > _DEEPEST:
            raise _NoReprError
        token = self._next()
        kind, found = token.lastgroup, token.group().strip()
        if kind == "text":
            return self._string(found)
        if kind == "number":
            return _number(found)
        if kind == "name":
            return self._named(found, depth)
        if found == "<":
            return self._opaque(token.end() - 1)
        if found == "{":
            return self._dict(depth)
        if found in "[(":
            return self._list(found, depth)
        raise _NoReprError

    def _string(self, literal: str) -> JsonValue:
        try:
            value = ast.literal_eval(literal)
        except (ValueError, SyntaxError, MemoryError):
            raise _NoReprError from None
        text = value if isinstance(value, str) else literal
        while self._peek()[:1] in ("'", '"'):  # neighbouring literals are one
            text += str(self._read(0))
        return text

    def _dict(self, depth: int) -> JsonValue:
        values: JsonObject = {}
        items: list[JsonValue] = []
        while self._peek() != "}":
            key = self._read(depth + 1)
            if self._peek() == ":":
                self._next()
                values[key if isinstance(key, str) else str(key)] = self._read(depth + 1)
            else:
                items.append(key)  # a set
            self._separator("}")
        self._next()
        return values if values or not items else items

    def _list(self, opening: str, depth: int) -> JsonValue:
        items: list[JsonValue] = []
        closing = _CLOSING[opening]
        while self._peek() != closing:
            items.append(self._read(depth + 1))
            self._separator(closing)
        self._next()
        return items

    def _separator(self, closing: str) -> None:
        if self._peek() == ",":
            self._next()
        elif self._peek() != closing:
            raise _NoReprError

    def _named(self, name: str, depth: int) -> JsonValue:
        """A constant, `Name(…)` with fields, or a value like `UUID('…')`."""
        if name in ("None", "nan", "inf"):
            return None
        if name in ("True", "False"):
            return name == "True"
        if self._peek() != "(":
            raise _NoReprError
        self._next()
        return self._arguments(name, depth)

    def _arguments(self, name: str, depth: int) -> JsonValue:
        fields: JsonObject = {}
        items: list[JsonValue] = []
        while self._peek() != ")":
            start = self._position
            token = self._next()
            if token.lastgroup == "name" and self._peek() == "=":
                self._next()
                fields[token.group().strip()] = self._read(depth + 1)
            else:
                self._position = start
                items.append(self._read(depth + 1))
            self._separator(")")
        self._next()
        if fields:
            return {"type": name.rpartition(".")[2], **fields}
        return items[0] if len(items) == 1 else None

    def _fields(self) -> JsonValue:
        fields: JsonObject = {}
        while not self._is_at_end():
            token = self._next()
            if token.lastgroup != "name" or self._peek() != "=":
                raise _NoReprError
            self._next()
            fields[token.group().strip()] = self._read(1)
        return fields

    def _opaque(self, start: int) -> JsonValue:
        """`<Agent object at 0x7f>` says nothing, `<Status.DONE: 'done'>` its value."""
        if found := _OPAQUE_VALUE.match(self._text, start):
            self._position = found.end()
            return self._string(found[1])
        depth = 1
        while depth:
            sign = _OPAQUE.search(self._text, self._position)
            if sign is None:
                raise _NoReprError
            self._position = sign.end()
            depth += 1 if sign.group() == "<" else -1
        return None


def _number(text: str) -> JsonValue:
    try:
        return int(text) if len(text) < 20 and text.lstrip("+-").isdigit() else None
    except ValueError:
        return None
