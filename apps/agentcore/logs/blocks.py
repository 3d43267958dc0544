"""What of a log line is read better with its line breaks: stack traces, and texts of several lines in a JSON object."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.aws.logs.records import plain

_MOST_BLOCKS = 6
_LONGEST_BLOCK = 50_000
_DEEPEST = 6
_PLACE_KEYS = ("file", "filename", "fileName", "line", "lineno", "lineNumber")
_CALL_KEYS = ("class", "module", "className", "method", "function", "name", "methodName")
_TRACE_KEY = re.compile(r"stack|trace_?back|exception|exc_info|exc_text|backtrace|frames", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Block:
    """A text of several lines, and where in its line it stands: `stackTrace`, `error.stack`."""

    name: str
    text: str


def blocks_of(message: str, record: Mapping[str, Any] | None) -> list[Block]:
    """The texts of several lines in a log line, stack traces first; nothing where it has one line only."""
    if record is None:
        text = message.strip("\n")
        return [Block("line", text[:_LONGEST_BLOCK])] if "\n" in text else []
    found = [block for block in _walk(record, "", 0) if "\n" in block.text or _is_trace(block.name)]
    ordered = sorted(found, key=lambda block: not _is_trace(block.name))
    # The same trace often stands in a record twice: by itself and at the end of another text.
    kept: list[Block] = []
    for block in ordered:
        if all(block.text not in other.text for other in kept):
            kept.append(block)
    return kept[:_MOST_BLOCKS]


def _is_trace(name: str) -> bool:
    return _TRACE_KEY.search(name.rpartition(".")[2]) is not None


def _walk(value: object, name: str, depth: int) -> Iterator[Block]:
    """Every text in a JSON value; a list of lines under the name of a trace is one."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        text = plain(value).strip("\n")
        if text:
            yield Block(name, text[:_LONGEST_BLOCK])
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _walk(member, f"{name}.{key}" if name else str(key), depth + 1)
    elif isinstance(value, list):
        if _is_trace(name) and (lines := [_frame(item) for item in value]) and all(lines):
            yield Block(name, plain("\n".join(line.rstrip("\n") for line in lines))[:_LONGEST_BLOCK])
        else:
            for index, member in enumerate(value):
                yield from _walk(member, f"{name}.{index}" if name else str(index), depth + 1)


def _frame(item: object) -> str:
    """A line of a trace; log4j and others write each as an object."""
    if isinstance(item, str):
        return item or " "
    if not isinstance(item, dict):
        return ""
    place = ":".join(str(item[key]) for key in _PLACE_KEYS if key in item)
    called = ".".join(str(item[key]) for key in _CALL_KEYS if key in item)
    return f"    at {called} ({place})" if place or called else ""
