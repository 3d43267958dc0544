"""Many values as counts in buckets that are two percent wide: a million of them are as quickly read as a thousand.

A bucket holds the whole numbers from one edge to before the next. Small numbers have one of their own each; above, an
edge is 2 % higher than the one before. So the middle of a bucket is at most 1 % away from any value in it. What is told
of a rank is the middle of its bucket; where a value is an end of an interval, it is told as the outer edge of its
bucket, so that an interval holds at least as often as one of the values themselves.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, pairwise, repeat
from typing import Any, overload

WIDTH = 1.02
HIGHEST = 2**32 - 1
_LANE = 4  # bytes of a count, side by side in one number: to add two numbers adds all of their counts


def _edges() -> list[int]:
    found = [0]
    while found[-1] <= HIGHEST:
        found.append(max(found[-1] + 1, int(found[-1] * WIDTH)))
    return found


EDGES = _edges()


class Buckets(Sequence[int]):
    """Values in ascending order, of which only the lowest and the highest are known exactly."""

    __slots__ = ("_first", "_highest", "_lanes", "_lowest", "_until")

    def __init__(self) -> None:
        self._lanes = 0
        self._lowest, self._highest = HIGHEST, 0
        self._first, self._until = 0, array("Q")

    @classmethod
    def of(cls, values: Iterable[int]) -> Buckets:
        """Those of some values."""
        made = cls()
        made.put(values)
        return made

    @classmethod
    def from_json(cls, stored: list[Any], raw: bytes) -> Buckets:
        """What `as_json` and `packed` gave."""
        made = cls()
        first, made._lowest, made._highest = stored
        made._lanes = int.from_bytes(raw, "little") << (8 * _LANE * first)
        return made

    def put(self, values: Iterable[int]) -> None:
        """Add some values."""
        ordered = sorted(values)
        if not ordered:
            return
        counts = array("I", bytes(_LANE * len(EDGES)))
        at, n = 0, len(ordered)
        while at < n:  # bucket by bucket: of many values in an order each costs a search, and not each value
            bucket = bisect_right(EDGES, ordered[at]) - 1
            until = bisect_left(ordered, EDGES[bucket + 1], at)
            counts[bucket] = until - at
            at = until
        self._lowest, self._highest = min(self._lowest, ordered[0]), max(self._highest, ordered[-1])
        if sys.byteorder == "big":
            counts.byteswap()
        self._lanes += int.from_bytes(counts.tobytes(), "little")
        self._until = array("Q")

    def merge(self, other: Buckets) -> None:
        """Add those that another holds."""
        self._lanes += other._lanes
        self._lowest, self._highest = min(self._lowest, other._lowest), max(self._highest, other._highest)
        self._until = array("Q")

    def copy(self) -> Buckets:
        made = Buckets()
        made.merge(self)
        return made

    def as_json(self) -> list[int]:
        """The first bucket with a value, the lowest and the highest value."""
        self._count()
        return [self._first, self._lowest, self._highest]

    def packed(self) -> bytes:
        """The counts from the first bucket with a value on, 32 bits each."""
        self._count()
        lanes = self._lanes >> (8 * _LANE * self._first)
        return lanes.to_bytes(-(-lanes.bit_length() // (8 * _LANE)) * _LANE, "little")

    def _count(self) -> array[int]:
        """How many values the buckets up to each hold, from the first on that holds any."""
        if not self._until and self._lanes:
            self._first = ((self._lanes & -self._lanes).bit_length() - 1) // (8 * _LANE)
            lanes = self._lanes >> (8 * _LANE * self._first)
            counts = array("I", lanes.to_bytes(-(-lanes.bit_length() // (8 * _LANE)) * _LANE, "little"))
            if sys.byteorder == "big":
                counts.byteswap()
            self._until = array("Q", accumulate(counts))
        return self._until

    def __len__(self) -> int:
        until = self._count()
        return until[-1] if until else 0

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> list[int]: ...
    def __getitem__(self, place: int | slice) -> int | list[int]:
        """The value of a place from 0, as the middle of its bucket."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        n = len(self)
        at = place + n if place < 0 else place
        if not 0 <= at < n:
            raise IndexError(place)
        if at in (0, n - 1):
            return self._highest if at else self._lowest
        bucket = self._bucket(at)
        return min(max((EDGES[bucket] + EDGES[bucket + 1] - 1) // 2, self._lowest), self._highest)

    def __iter__(self) -> Iterator[int]:
        counts = (after - before for before, after in pairwise([0, *self._count()]))
        middles = ((low + high - 1) // 2 for low, high in pairwise(EDGES[self._first :]))
        return chain.from_iterable(repeat(value, count) for value, count in zip(middles, counts, strict=False))

    def spaced(self, count: int) -> list[int]:
        """The values in the middle of so many equal parts."""
        until, n, bucket, found = self._count(), len(self), 0, []
        for part in range(count):
            place = (2 * part + 1) * n // (2 * count)
            while until[bucket] <= place:
                bucket += 1
            low, high = EDGES[self._first + bucket], EDGES[self._first + bucket + 1] - 1
            found.append((low + high) // 2)
        return found

    def lower(self, place: int) -> int:
        """What the value of a place is at least."""
        return max(EDGES[self._bucket(place)], self._lowest)

    def upper(self, place: int) -> int:
        """What the value of a place is at most."""
        return min(EDGES[self._bucket(place) + 1] - 1, self._highest)

    def below(self, value: float) -> float:
        """How many are below a value, as if those of a bucket lay evenly in it."""
        until = self._count()
        if not until or value <= self._lowest:
            return 0.0
        if value > self._highest:
            return float(until[-1])
        bucket = bisect_right(EDGES, value) - 1
        at = bucket - self._first
        before = until[at - 1] if at > 0 else 0
        within = (until[at] - before) if at < len(until) else 0
        share = (value - EDGES[bucket]) / (EDGES[bucket + 1] - EDGES[bucket])
        return before + within * share

    def _bucket(self, place: int) -> int:
        return self._first + bisect_right(self._count(), place)
