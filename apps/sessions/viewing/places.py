"""Which place in the stream of a run a page shows, and what was closed by then."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple, Self

CHANGES_KEPT = 4096
WRITTEN_PLACE = re.compile(r"(\d{1,18}):([0-9a-f]{0,16}):(\d{1,9})", re.ASCII)


class Place(NamedTuple):
    """What of an invocation a page shows: everything up to event `sequence`, as the broadcast `epoch` rendered it."""

    invocation_id: int
    epoch: str = ""
    sequence: int = 0

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `invocation:epoch:event`, as pages send it; None where it is something else."""
        match = WRITTEN_PLACE.fullmatch(text)
        return cls(int(match[1]), match[2], int(match[3])) if match else None

    def __str__(self) -> str:
        return f"{self.invocation_id}:{self.epoch}:{self.sequence}"


class ClosedParts:
    """How many parts of an answer were closed after which event: kept only where that changed.

    Most frames add words to the open end and change nothing here. The oldest changes are forgotten.
    """

    def __init__(self) -> None:
        self._events: list[int] = []
        self._counts: list[int] = []

    def note(self, sequence: int, count: int) -> None:
        """After event `sequence`, which is above all noted before, so many parts are closed."""
        if self._counts and self._counts[-1] == count:
            return
        self._events.append(sequence)
        self._counts.append(count)
        if len(self._events) > 2 * CHANGES_KEPT:
            del self._events[:CHANGES_KEPT], self._counts[:CHANGES_KEPT]

    def at(self, sequence: int) -> int | None:
        """How many were closed when a page showed event `sequence`; None where that is not known any more."""
        index = bisect_right(self._events, sequence)
        return self._counts[index - 1] if index else None
