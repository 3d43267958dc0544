"""Python values that came as their `repr`, because the agent's server could not write them as JSON.

`{'data': 'Hel', 'agent': <Agent object at 0x7f>, 'id': UUID('…')}` is read as far as it goes: what has no JSON becomes
null, `Name(key=value)` a dictionary with its name under `type`. Every class writes what it likes, so what cannot be
read is left out, and the rest of the text after too much of it. Whether it is a repr at all is for the caller to judge.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import NamedTuple

from apps.aws.stream.values import JsonObject
from loom_events.kinds import JsonValue

_MOST_TOKENS = 200_000  # those of a tenth of a second or two; a long text is one
_DEEPEST = 40
_TOKEN = re.compile(
    r"\s*(?:(?P<text>[bBrRuUfF]{0,2}(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"))"
    r"|(?P<number>[-+]?(?:0[xXoObB][\da-fA-F_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))"
    r"|(?P<name>[A-Za-z_][\w.]*)|(?P<sign>[\[\]{}(),:=<>]))",
    re.DOTALL,
)
_END = re.compile(r"\s*\Z")
_OPAQUE = re.compile(r"[<>]")
_OPAQUE_VALUE = re.compile(r"<[\w.]+: ('(?:[^'\\]|\\.)*')>")
_BEGIN = re.compile(r"\{\s*['\"}]|[\[(]\s*(?:[\[({]|[A-Z]\w*\(|')|[A-Z]\w*\((?:\w+=|\)|\[\()|content=['\"\[A-Z]")
_BYTES = re.compile(r"b(?:'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")")
_CLOSING = {"{": "}", "[": "]", "(": ")"}
_ADDRESS = re.compile(r"[^>]* at 0x[\da-fA-F]+>")
# What counts in a part that cannot be read: texts and brackets. An apostrophe within a word begins no text.
_SKIPPED = re.compile(r"(?<![\w)\]}\\])(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|[\[\](){},]", re.DOTALL)


class _NoReprError(ValueError):
    """The text is no repr that can be read."""


class Found(NamedTuple):
    """The value of a repr, None where the text is none, and whether an object with its address is in it."""

    value: JsonValue
    has_objects: bool


def read_repr(text: str) -> Found:
    if not _BEGIN.match(text):
        return Found(None, has_objects=False)
    reader = _Repr(text)
    try:
        value = reader.value()
    except (_NoReprError, RecursionError):
        return Found(None, has_objects=False)
    return Found(value, reader.has_objects)


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
        self.has_objects = False
        self._text = text
        self._position = 0
        self._tokens_left = _MOST_TOKENS
        self._is_lost = False  # nothing behind the position can be read

    def value(self) -> JsonValue:
        """The whole text as one value: pydantic's `str`, fields without a name around them, among them."""
        if self._text.startswith("content="):
            value: JsonValue = self._fields()
        else:
            value = self._read(0)
        is_whole = self._text.rstrip().endswith(("}", "]", ")")) if self._is_lost else self._is_at_end()
        if not is_whole:
            raise _NoReprError
        return value

    def _is_at_end(self) -> bool:
        return _END.match(self._text, self._position) is not None

    def _next(self) -> re.Match[str]:
        token = _TOKEN.match(self._text, self._position)
        self._tokens_left -= 1
        if self._tokens_left < 0:
            self._is_lost = True
        if token is None or self._is_lost:
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

        def take() -> None:
            key = self._read(depth + 1)
            if self._peek() == ":":
                self._next()
                values[key if isinstance(key, str) else str(key)] = self._read(depth + 1)
            else:
                items.append(key)  # a set

        self._take_all("}", take)
        return values if values or not items else items

    def _list(self, opening: str, depth: int) -> JsonValue:
        items: list[JsonValue] = []
        self._take_all(_CLOSING[opening], lambda: items.append(self._read(depth + 1)))
        return items

    def _take_all(self, closing: str, take: Callable[[], None]) -> None:
        """Takes what stands before a closing sign, one after the other, without what cannot be read."""
        while not self._is_lost and self._peek() != closing:
            try:
                take()
                self._separator(closing)
            except _NoReprError:
                self._skip(closing)
        if not self._is_lost:
            self._next()

    def _skip(self, closing: str) -> None:
        """Goes on behind the next comma, or before the closing sign, that is in no brackets or text."""
        closings: list[str] = []
        while not self._is_lost:
            found = _SKIPPED.search(self._text, self._position)
            if found is None:
                self._is_lost = True
                return
            sign = found.group()
            if not closings and sign == closing:
                self._position = found.start()
                return
            self._position = found.end()
            if not closings and sign == ",":
                return
            if sign in _CLOSING:
                closings.append(_CLOSING[sign])
            elif closings and sign == closings[-1]:
                closings.pop()

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

        def take() -> None:
            start = self._position
            token = self._next()
            if token.lastgroup == "name" and self._peek() == "=":
                self._next()
                fields[token.group().strip()] = self._read(depth + 1)
            else:
                self._position = start
                items.append(self._read(depth + 1))

        self._take_all(")", take)
        if name == "OrderedDict" and items:
            return _dict_of(items[0])
        if fields:
            return {"type": name.rpartition(".")[2], **fields}
        return items[0] if len(items) == 1 else None

    def _fields(self) -> JsonValue:
        fields: JsonObject = {}
        while not self._is_lost and not self._is_at_end():
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
        self.has_objects = self.has_objects or _ADDRESS.match(self._text, start + 1) is not None
        depth = 1
        while depth:
            sign = _OPAQUE.search(self._text, self._position)
            if sign is None:
                self._is_lost = True
                raise _NoReprError
            self._position = sign.end()
            depth += 1 if sign.group() == "<" else -1
        return None


def _dict_of(pairs: JsonValue) -> JsonValue:
    """A dictionary written as a list of its pairs."""
    found = [pair for pair in pairs if isinstance(pair, list)] if isinstance(pairs, list) else []
    return {str(pair[0]): pair[1] for pair in found if len(pair) == 2}


def _number(text: str) -> JsonValue:
    try:
        return int(text) if len(text) < 20 and text.lstrip("+-").isdigit() else None
    except ValueError:
        return None
