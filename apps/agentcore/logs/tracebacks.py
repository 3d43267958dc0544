"""Stack traces that a container wrote line by line, put together again: CloudWatch has each line as an event.

Only what cannot be anything else is put together: lines of one stream that follow each other within a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from apps.agentcore.logs.reading import LogLine

TRACEBACK = "Traceback (most recent call last):"
_LONGEST_PAUSE = timedelta(seconds=1)
# Written in one go with the line that tells of it: logging's own errors.
_SAME_WRITE = timedelta(milliseconds=100)
_MOST_LINES = 400
_LOUD = frozenset({"WARNING", "ERROR", "CRITICAL"})
# Of Java, JavaScript and .NET; Python's are told by their first line.
_FRAME = re.compile(r"[ \t]+(?:at |\.{3} [0-9]+ more|Suppressed: )|Caused by: ")
_INDENTED = re.compile(r"[ \t]+\S")
_CHAINED = re.compile(r"(?:During handling of the above exception|The above exception was the direct cause)")


@dataclass(slots=True)
class _Open:
    """The last line of a stream, and what belongs to it so far; `place` is where it stands among all lines.

    Of Python's traces one is `within` until its exception is named, `after` from there on, and `chained` where another
    one is announced.
    """

    line: LogLine
    place: int
    last_at: datetime
    phase: Literal["", "within", "after", "chained"] = ""
    parts: list[str] = field(default_factory=list)


def put_together(lines: Iterable[LogLine]) -> list[LogLine]:
    """The lines in their order, each stack trace as one line of several; a trace without a level is an ERROR."""
    found: list[LogLine] = []
    last: dict[str, _Open] = {}
    for line in lines:
        before = last.get(line.stream)
        if before is not None and _goes_on(before, line):
            before.parts.append(line.message.rstrip("\n"))
            before.last_at = line.at
            found[before.place] = _joined(before)
            continue
        is_head = _is_head(line.message)
        opened = _Open(line, len(found), line.at, "within" if is_head else "", [line.message.rstrip("\n")])
        last[line.stream] = opened
        found.append(_joined(opened) if is_head else line)
    return found


def _goes_on(before: _Open, line: LogLine) -> bool:
    """Whether a line belongs to the one before it; notes how far the trace has come."""
    text, pause = line.message, line.at - before.last_at
    if pause > _LONGEST_PAUSE or len(before.parts) >= _MOST_LINES:
        return False
    if before.parts[0].startswith("{") or text.startswith("{"):
        return False  # JSON lines hold their traces themselves
    if _is_head(text):
        is_told = before.line.level in _LOUD and len(before.parts) == 1 and pause <= _SAME_WRITE
        if is_told or before.phase == "chained":
            before.phase = "within"
            return True
        return False
    if before.phase == "within":
        # The first line that is not indented names the exception.
        before.phase = "within" if _INDENTED.match(text) else "after"
        return True
    if before.phase == "after" and _CHAINED.match(text):
        before.phase = "chained"
        return True
    return (before.phase != "" and not text.strip()) or _FRAME.match(text) is not None


def _is_head(text: str) -> bool:
    return text.startswith(TRACEBACK) and "\n" not in text.rstrip("\n")


def _joined(opened: _Open) -> LogLine:
    message = "\n".join(opened.parts).rstrip("\n")
    return replace(opened.line, message=message, level=opened.line.level or "ERROR")
