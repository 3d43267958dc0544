"""What a command over many agents says while it runs: a line for each, and on a terminal how far it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import OutputWrapper

_ERASE_LINE = "\r\x1b[2K"


class Report:
    """Writes lines; below them, on a terminal only, one that changes: `312 of 1000, 22/s, about 31 s left`."""

    def __init__(self, output: OutputWrapper, total: int) -> None:
        self._output = output
        self._total = total
        self._done = 0
        self._started_at = time.monotonic()
        self._is_terminal = output.isatty()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started_at

    def add(self, line: str) -> None:
        """Write what became of the next one."""
        self._done += 1
        self._erase()
        self._output.write(line)
        if self._is_terminal and self._done < self._total:
            self._output.write(self._progress(), ending="")
        # A pipe would hold the lines back until there are many.
        self._output.flush()

    def finish(self, line: str) -> None:
        """Write the last line."""
        self._erase()
        self._output.write(line)

    def _erase(self) -> None:
        if self._is_terminal:
            self._output.write(_ERASE_LINE, ending="")

    def _progress(self) -> str:
        rate = self._done / max(self.elapsed_s, 0.001)
        left_s = (self._total - self._done) / rate
        return f"{self._done} of {self._total}, {rate:.0f}/s, about {left_s:.0f} s left"


@contextmanager
def said_once() -> Iterator[None]:
    """Keep the registry from logging what the report says anyway, agent by agent."""
    registry = logging.getLogger("apps.agentcore.services")
    level = registry.level
    registry.setLevel(logging.ERROR)
    try:
        yield
    finally:
        registry.setLevel(level)
