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
from typing import Any, Self, TypeAlias

from apps.metrics.figures.buckets import Buckets
from apps.metrics.figures.statistics import Summary, summarise_ordered
from apps.metrics.startup import search_state, startup_latency_ms

TEMPERATURE = {"created": "cold", "pooled": "cold", "reused": "warm"}
# Ranks 2 and 3 are two lines of the same logger with the same clock; rank 4 says too little for a figure.
SOURCE_OF_RANK = {1: "start line", 2: "SDK line", 3: "SDK line"}
UNFINISHED = ("queued", "pending", "streaming", "waiting")
FAILED = ("failed", "interrupted")
LONGEST = 2**32 - 1  # tenths of a millisecond: five days, and no environment lives that long
IN_MS = 10  # of what values are kept in
MOST_VALUES = 200  # of a kind in what is stored of a long time; more are stored as buckets
_NONE = array("I")

Values: TypeAlias = "array[int] | Buckets"

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
    millisecond in arrays, which thousands of runs are read and sorted in quickly, and of a long time with more of them
    in `Buckets`. `cold_states` counts the cold runs by
    what is known of their start: a word of `search_state`, or `weak` where only the first log line is. A first run of a
    session that failed before anything showed whether an environment was made for it is one of them, as `failed`.
    """

    statuses: dict[str, int] = field(default_factory=dict)
    cold_states: dict[str, int] = field(default_factory=dict)
    values: dict[str, Values] = field(default_factory=dict)
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
            values = self.values.setdefault(key, array("I"))
            assert isinstance(values, array), "runs are added one by one before anything is put into buckets"
            values.append(min(max(0, round(value_ms * 10)), LONGEST))

    def merge(self, other: Tally) -> None:
        """Add what another tally holds."""
        self._in_order.clear()
        _add_counts(self.statuses, other.statuses)
        _add_counts(self.cold_states, other.cold_states)
        for key, values in other.values.items():
            own = self.values.get(key)
            self.values[key] = _copy(values) if own is None else _joined(own, values)

    def ordered(self, key: str) -> Values:
        """The values of a key in ascending order, put into it only when they are asked for: of most agents a page
        shows half of the figures. What is made of sorted pieces is sorted quickly again.
        """
        values = self.values.get(key, _NONE)
        if isinstance(values, Buckets) or key in self._in_order or not values:
            return values
        self.values[key] = array("I", sorted(values))
        self._in_order.add(key)
        return self.values[key]

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

    def as_json(self, most: int | None = None) -> list[Any]:
        """What `from_json` reads: the values sorted, as little-endian 32-bit numbers in base 64; of more than `most`
        their buckets.
        """
        return [self.statuses, self.cold_states, {key: _stored(self.ordered(key), most) for key in list(self.values)}]

    def pieces(self) -> dict[str, Piece]:
        """The values as `Gathering` takes them."""
        return {
            key: values if isinstance(values, Buckets) else _little_endian(values).tobytes()
            for key, values in self.values.items()
        }

    @classmethod
    def from_json(cls, stored: list[Any]) -> Self:
        (statuses, cold_states), pieces = counts_and_values(stored)
        return cls(dict(statuses), dict(cold_states), {key: _values_of([piece]) for key, piece in pieces.items()})


Piece = bytes | Buckets
"""Values as little-endian 32-bit numbers, or in buckets."""


class Gathering:
    """Tallies on their way into one. Their values are put together as bytes, once and at the end: a page reads
    thousands of small tallies, and an array for each of their values would cost more than all the rest.
    """

    def __init__(self) -> None:
        self._statuses: dict[str, int] = {}
        self._cold_states: dict[str, int] = {}
        self._pieces: dict[str, list[Piece]] = {}

    def add(self, counts: Counts, pieces: Mapping[str, Piece], metric: str = "") -> None:
        """Add the counts and values of a tally; with `metric` only the values of that one."""
        statuses, cold_states = counts
        _add_counts(self._statuses, statuses)
        _add_counts(self._cold_states, cold_states)
        own = self._pieces
        for key, piece in pieces.items():
            if not key.startswith(metric):
                continue
            if key in own:
                own[key].append(piece)
            else:
                own[key] = [piece]

    def tally(self) -> Tally:
        """What has been added."""
        return Tally(
            self._statuses, self._cold_states, {key: _values_of(pieces) for key, pieces in self._pieces.items()}
        )


def counts_and_values(found: Tally | list[Any]) -> tuple[Counts, dict[str, Piece]]:
    """What `Gathering.add` takes of a tally, as it is or as it is stored."""
    if isinstance(found, Tally):
        return (found.statuses, found.cold_states), found.pieces()
    statuses, cold_states, values = found
    return (statuses, cold_states), {
        key: a2b_base64(one) if isinstance(one, str) else Buckets.from_json(one[:3], a2b_base64(one[3]))
        for key, one in values.items()
    }


def _stored(values: Values, most: int | None) -> str | list[Any]:
    if not isinstance(values, Buckets):
        if most is None or len(values) <= most:
            return b2a_base64(_little_endian(values).tobytes(), newline=False).decode("ascii")
        values = Buckets.of(values)
    return [*values.as_json(), b2a_base64(values.packed(), newline=False).decode("ascii")]


def _values_of(pieces: Iterable[Piece]) -> Values:
    """Pieces put together; in buckets where one of them is."""
    raw: list[bytes] = []
    made: Buckets | None = None
    for piece in pieces:
        if type(piece) is bytes:  # thousands are looked at for a page
            raw.append(piece)
        elif isinstance(piece, Buckets):
            made = made or Buckets()
            made.merge(piece)
    values = _little_endian(array("I", b"".join(raw)))
    if made is None:
        return values
    if values:
        made.put(values)
    return made


def _copy(values: Values) -> Values:
    return values.copy() if isinstance(values, Buckets) else values[:]


def _joined(own: Values, more: Values) -> Values:
    """Values with others, in buckets where any of them is; the first are changed."""
    if not isinstance(own, Buckets) and not isinstance(more, Buckets):
        own.extend(more)
        return own
    made = own if isinstance(own, Buckets) else Buckets.of(own)
    if isinstance(more, Buckets):
        made.merge(more)
    else:
        made.put(more)
    return made


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
