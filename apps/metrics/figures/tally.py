"""What some runs add up to: counts and values, kept apart by temperature and source. Tallies can be added up further
and stored as JSON, so that a month of runs is read as some hundred rows.
"""

from __future__ import annotations

import sys
from array import array
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from apps.metrics.figures.statistics import Summary, summarise_ordered
from apps.metrics.startup import search_state, startup_latency_ms

TEMPERATURE = {"created": "cold", "pooled": "cold", "reused": "warm"}
# Ranks 2 and 3 are two lines of the same logger with the same clock; rank 4 says too little for a figure.
SOURCE_OF_RANK = {1: "start line", 2: "SDK line", 3: "SDK line"}
UNFINISHED = ("queued", "pending", "streaming", "waiting")
FAILED = ("failed", "interrupted")
LONGEST = 2**32 - 1  # tenths of a millisecond: five days, and no environment lives that long
IN_MS = 10  # of what values are kept in
_NONE = array("I")

Counts = tuple[Mapping[str, int], Mapping[str, int]]
"""The `statuses` and the `cold_states` of a tally."""

# The columns of an invocation that `Tally.add` takes, in its order.
COLUMNS = (
    "status", "invoked_at", "first_token_at", "completed_at", "measurement__start_kind", "measurement__state",
    "measurement__tries", "measurement__error_code", "measurement__agent_started_at", "measurement__marker_rank",
    "measurement__low_ms", "measurement__high_ms", "number",
)  # fmt: skip


@dataclass(slots=True)
class Tally:
    """Counts and values of some runs.

    `values` has the keys `ttft cold`, `total warm`, `startup cold SDK line` and the like: metric, temperature and, for
    startup, the source, because an application and the SDK do not log the same instant. They are kept as tenths of a
    millisecond in arrays, which a month of runs is read and sorted in quickly. `cold_states` counts the cold runs by
    what is known of their start: a word of `search_state`, or `weak` where only the first log line is. A first run of a
    session that failed before anything showed whether an environment was made for it is one of them, as `failed`.
    """

    statuses: dict[str, int] = field(default_factory=dict)
    cold_states: dict[str, int] = field(default_factory=dict)
    values: dict[str, array[int]] = field(default_factory=dict)
    _in_order: set[str] = field(default_factory=set)

    @property
    def invocation_count(self) -> int:
        return sum(self.statuses.values())

    @property
    def failed_count(self) -> int:
        return self.count(FAILED)

    def count(self, statuses: Iterable[str]) -> int:
        return sum(self.statuses.get(status, 0) for status in statuses)

    def add(self, row: tuple[Any, ...]) -> None:
        """Count one run, given as its `COLUMNS`."""
        (
            status, sent_at, token_at, ended_at, kind, state, tries, code, started_at, rank, low_ms, high_ms, number,
        ) = row  # fmt: skip
        self.statuses[status] = self.statuses.get(status, 0) + 1
        temperature = TEMPERATURE.get(kind or "", "unknown")
        self._put("ttft", temperature, _elapsed_ms(sent_at, token_at))
        if status == "completed":
            self._put("total", temperature, _elapsed_ms(sent_at, ended_at))
        if not state:
            return
        startup_ms = startup_latency_ms(sent_at, started_at, low_ms, high_ms)
        known = search_state(
            state=state, tries=tries, error_code=code, agent_started_at=started_at, startup_ms=startup_ms
        )
        if known == "measured" and rank in SOURCE_OF_RANK:
            self._put("startup", f"{temperature} {SOURCE_OF_RANK[rank]}", startup_ms)
        elif known == "measured":
            known = "weak"
        if temperature == "unknown" and number == 1 and status in FAILED and known not in ("none", "measured"):
            temperature, known = "cold", "failed"
        if temperature == "cold":
            self.cold_states[known] = self.cold_states.get(known, 0) + 1

    def _put(self, metric: str, kind: str, value_ms: float | None) -> None:
        if value_ms is not None:
            key = f"{metric} {kind}"
            self._in_order.discard(key)
            self.values.setdefault(key, array("I")).append(min(max(0, round(value_ms * 10)), LONGEST))

    def merge(self, other: Tally) -> None:
        """Add what another tally holds."""
        self._in_order.clear()
        _add_counts(self.statuses, other.statuses)
        _add_counts(self.cold_states, other.cold_states)
        for key, values in other.values.items():
            own = self.values.get(key)
            if own is None:
                self.values[key] = values[:]
            else:
                own.extend(values)

    def ordered(self, key: str) -> array[int]:
        """The values of a key in ascending order, put into it only when they are asked for: of most agents a page
        shows half of the figures. What is made of sorted pieces is sorted quickly again.
        """
        if key not in self._in_order and key in self.values:
            self.values[key] = array("I", sorted(self.values[key]))
            self._in_order.add(key)
        return self.values.get(key, _NONE)

    def summary(self, metric: str, temperature: str) -> Summary:
        """Sum up TTFT (`ttft`) or total latency (`total`), `cold` or `warm`."""
        return summarise_ordered(self.ordered(f"{metric} {temperature}")).divided(IN_MS)

    def startup(self, temperature: str) -> StartupFigures:
        """Sum up startup latencies of the source that most runs have."""
        prefix = f"startup {temperature} "
        counts = {key: len(values) for key, values in self.values.items() if key.startswith(prefix)}
        if not counts:
            return StartupFigures(summarise_ordered([]), "", 0)
        most = max(counts, key=lambda key: counts[key])
        other_count = sum(counts.values()) - counts[most]
        return StartupFigures(
            summarise_ordered(self.ordered(most)).divided(IN_MS), most.removeprefix(prefix), other_count
        )

    def latency(self, metric: str, temperature: str) -> Summary:
        """The same for any of the three metrics; startup is that of its main source."""
        return self.startup(temperature).summary if metric == "startup" else self.summary(metric, temperature)

    def points_ms(self, metric: str, temperature: str) -> list[float]:
        """The values that `latency` sums up, in milliseconds."""
        key = f"{metric} {temperature}"
        if metric == "startup":
            key = f"{key} {self.startup(temperature).source}"
        return [value / 10 for value in self.values.get(key, ())]

    def as_json(self) -> list[Any]:
        """What `from_json` reads: the values sorted, as little-endian 32-bit numbers in base 64."""
        raw_values = {key: _little_endian(self.ordered(key)).tobytes() for key in list(self.values)}
        values = {key: b2a_base64(raw, newline=False).decode("ascii") for key, raw in raw_values.items()}
        return [self.statuses, self.cold_states, values]

    def raw_values(self) -> dict[str, bytes]:
        """The values as little-endian 32-bit numbers."""
        return {key: _little_endian(values).tobytes() for key, values in self.values.items()}

    @classmethod
    def from_json(cls, stored: list[Any]) -> Self:
        statuses, cold_states, texts = stored
        values = {key: _little_endian(array("I", a2b_base64(text))) for key, text in texts.items()}
        return cls(statuses, cold_states, values)


class Gathering:
    """Tallies on their way into one. Their values are put together as bytes, once and at the end: a page reads
    thousands of small tallies, and an array for each of their values would cost more than all the rest.
    """

    def __init__(self) -> None:
        self._statuses: dict[str, int] = {}
        self._cold_states: dict[str, int] = {}
        self._pieces: dict[str, list[bytes]] = {}

    def add(self, counts: Counts, raw_values: Mapping[str, bytes], metric: str = "") -> None:
        """Add the counts and values of a tally; with `metric` only the values of that one."""
        statuses, cold_states = counts
        _add_counts(self._statuses, statuses)
        _add_counts(self._cold_states, cold_states)
        pieces = self._pieces
        for key, raw in raw_values.items():
            if not key.startswith(metric):
                continue
            if key in pieces:
                pieces[key].append(raw)
            else:
                pieces[key] = [raw]

    def tally(self) -> Tally:
        """What has been added."""
        values = {key: _little_endian(array("I", b"".join(pieces))) for key, pieces in self._pieces.items()}
        return Tally(self._statuses, self._cold_states, values)


def counts_and_values(found: Tally | list[Any]) -> tuple[Counts, dict[str, bytes]]:
    """What `Gathering.add` takes of a tally, as it is or as it is stored."""
    if isinstance(found, Tally):
        return (found.statuses, found.cold_states), found.raw_values()
    statuses, cold_states, texts = found
    return (statuses, cold_states), {key: a2b_base64(text) for key, text in texts.items()}


def _add_counts(mine: dict[str, int], others: Mapping[str, int]) -> None:
    for word, count in others.items():
        mine[word] = mine.get(word, 0) + count


def _little_endian(values: array[int]) -> array[int]:
    """The numbers in the order of bytes in which they are stored, or back from it; they are not copied where it is
    this machine's own.
    """
    if sys.byteorder == "little":
        return values
    swapped = values[:]
    swapped.byteswap()
    return swapped


@dataclass(frozen=True, slots=True)
class StartupFigures:
    """Startup latencies of one source; `other_count` runs were measured by the other source and are not in it."""

    summary: Summary
    source: str
    other_count: int


def _elapsed_ms(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds() * 1000
