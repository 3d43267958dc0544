"""Server-sent events as Loom sends them (HTML standard, "Server-sent events")."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a run: `session_start`, `chunk`, `detail`, `session_end` or `error`, with its number in the run."""

    number: int
    name: str
    data: dict[str, Any]

    @property
    def text(self) -> str:
        """The piece of the answer that it carries, "" for any other event."""
        return str(self.data.get("text", "")) if self.name == "chunk" else ""

    @property
    def is_last(self) -> bool:
        return self.name in {"session_end", "error"}


def read_events(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events in the lines of a body; one that was cut off is left out, comments are passed over."""
    number, name = 0, ""
    data: list[str] = []
    for raw in lines:
        line = raw.decode().rstrip("\r\n")
        if not raw.endswith(b"\n"):
            return
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Event(number, name, json.loads("\n".join(data)))
            name, data = "", []
        elif field == "id" and value.isdecimal():
            number = int(value)
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
