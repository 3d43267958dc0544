from __future__ import annotations

from typing import Protocol


class Output(Protocol):
    """Where a command's own lines go: a text file, or the `stdout` of a management command."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...
