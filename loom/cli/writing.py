"""Where the text of a command goes: out as it is, or nowhere."""

from __future__ import annotations

from typing import Any


class Silence:
    """Swallows an answer that is shown otherwise."""

    def write(self, text: str, /) -> object:
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


class Raw:
    """A command's output without the line feed that it adds to whatever is written."""

    def __init__(self, output: Any) -> None:
        self._output = output

    def write(self, text: str, /) -> object:
        return self._output.write(text, ending="")

    def flush(self) -> None:
        self._output.flush()
