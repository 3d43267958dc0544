"""Texts that are something else once more: how they begin, and the server-sent events in them."""

from __future__ import annotations

import re
from string import ascii_uppercase

# Asked of every piece of a text: the first sign tells of nearly all that they are what they look like.
FIRST_SIGNS = frozenset('b{["(:deirc' + ascii_uppercase)
ENCODED = re.compile(r"[{\[\"(]|(?:data|event|id|retry):|:[^\n]*\n|[A-Z]\w*\((?:\w+=|\[\()|content=['\"\[A-Z]|b['\"]")

DONE = "[DONE]"
_FRAMED = re.compile(r"(?:data|event|id|retry):|:")
_FIELD = re.compile(r"(?:(?:data|event|id|retry)(?::|$)|:|$)")
_LINE_END = re.compile(r"\r\n|\r|\n")


def frames_in(text: str) -> list[tuple[str, str]] | None:
    """The name and data of each server-sent event that a text is made of; None for a text that is not."""
    if not _FRAMED.match(text):
        return None
    lines = _LINE_END.split(text)
    if not all(_FIELD.match(line) for line in lines):
        return None
    frames = _frames_of(lines)
    is_ended = text.endswith(("\n\n", "\r\n\r\n", "\r\r"))
    if not is_ended and not any(data.startswith(("{", '"')) for _, data in frames):
        return None
    return [(name, data) for name, data in frames if data.strip() != DONE]


def _frames_of(lines: list[str]) -> list[tuple[str, str]]:
    """The events of some lines."""
    frames: list[tuple[str, str]] = []
    name, data = "", list[str]()
    for line in [*lines, ""]:
        field, _, value = line.partition(":")
        if field == "event":
            name = value.strip()
        elif field == "data":
            data.append(value.removeprefix(" "))
        elif not line:
            if data:
                frames.append((name, "\n".join(data)))
            name, data = "", []
    return frames
