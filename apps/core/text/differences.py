"""What two sequences have in common, and what of two texts differs: the shortest way from one to the other.

The algorithm is that of E. W. Myers, "An O(ND) Difference Algorithm and Its Variations", Algorithmica 1 (1986) 251,
which takes as many steps as the two differ, squared. So it has an end: what differs more than so much is looked at in
larger pieces, and at last not at all. `difflib` has no such end, and takes minutes for two long answers that share
nothing but the usual words.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["same", "removed", "added"]
By = Literal["words", "paragraphs", "nothing"]

MOST_EDITS = 700  # a quarter of a second at most, whatever is compared
WORDS_UP_TO = 64 * 1024  # characters; longer texts are compared by paragraphs
READ_UP_TO = 256 * 1024  # what a text has beyond is not compared
_WORD = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True, slots=True)
class Common:
    """So many things are the same in both, from these places on."""

    first: int
    second: int
    count: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text that is the same in both, only in the first (removed), or only in the second (added)."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Two texts as pieces in their order; white space is not compared. Where one `is_cut` its rest was left out."""

    pieces: list[Piece]
    by: By
    is_cut: bool

    @property
    def is_same(self) -> bool:
        """Nothing of what was compared differs."""
        return all(piece.kind == "same" for piece in self.pieces)


def common(first: Sequence[Hashable], second: Sequence[Hashable], most: int = MOST_EDITS) -> list[Common] | None:
    """What two sequences have in common by the shortest edit, in order; None where that has more than `most` steps."""
    start = 0
    shorter = min(len(first), len(second))
    while start < shorter and first[start] == second[start]:
        start += 1
    end = 0
    while end < shorter - start and first[-1 - end] == second[-1 - end]:
        end += 1
    one, other = first[start : len(first) - end], second[start : len(second) - end]
    trace = _furthest(one, other, most)
    if trace is None:
        return None
    middle = [(x + start, y + start) for x, y in _path(trace, len(one), len(other))]
    whole = [(at, at) for at in range(start)]
    tail = [(len(first) - left, len(second) - left) for left in range(end, 0, -1)]
    return _joined([*whole, *middle, *tail])


def _furthest(first: Sequence[Hashable], second: Sequence[Hashable], most: int) -> list[dict[int, int]] | None:
    """For each number of steps how far one gets on each diagonal, up to the number that reaches the end of both."""
    n, m = len(first), len(second)
    furthest = {1: 0}
    trace: list[dict[int, int]] = []
    for steps in range(min(most, n + m) + 1):
        reached: dict[int, int] = {}
        for diagonal in range(-steps + 2 * max(0, steps - m), steps - 2 * max(0, steps - n) + 1, 2):
            below, left = furthest.get(diagonal + 1, -1), furthest.get(diagonal - 1, -1)
            x = below if below > left else left + 1
            y = x - diagonal
            while x < n and y < m and first[x] == second[y]:
                x, y = x + 1, y + 1
            reached[diagonal] = x
        trace.append(reached)
        furthest = reached
        if reached.get(n - m, -1) >= n:
            return trace
    return None


def _path(trace: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    """The places that are the same, found by going back from the end."""
    pairs: list[tuple[int, int]] = []
    for before in reversed([{1: 0}, *trace[:-1]]):
        diagonal = x - y
        below, left = before.get(diagonal + 1, -1), before.get(diagonal - 1, -1)
        from_x, from_y = (below, below - diagonal - 1) if below > left else (left, left - diagonal + 1)
        begin = from_x if below > left else from_x + 1
        while x > begin:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = from_x, from_y
    return pairs[::-1]


def _joined(pairs: Sequence[tuple[int, int]]) -> list[Common]:
    found: list[Common] = []
    for x, y in pairs:
        last = found[-1] if found else None
        if last is not None and (x, y) == (last.first + last.count, last.second + last.count):
            found[-1] = Common(last.first, last.second, last.count + 1)
        else:
            found.append(Common(x, y, 1))
    return found


def difference(first: str, second: str) -> Difference:
    """What differs between two texts: by words, by paragraphs where they are long or differ in too many words, and
    where they differ in too many paragraphs one after the other.
    """
    is_cut = max(len(first), len(second)) > READ_UP_TO
    first, second = first[:READ_UP_TO], second[:READ_UP_TO]
    if max(len(first), len(second)) <= WORDS_UP_TO:
        pieces = _compared(_WORD.findall(first), _WORD.findall(second))
        if pieces is not None:
            return Difference(pieces, "words", is_cut)
    pieces = _compared(first.splitlines(keepends=True), second.splitlines(keepends=True))
    if pieces is not None:
        return Difference(pieces, "paragraphs", is_cut)
    return Difference([Piece("removed", first), Piece("added", second)], "nothing", is_cut)


def _compared(first: Sequence[str], second: Sequence[str]) -> list[Piece] | None:
    same = common([_bare(part) for part in first], [_bare(part) for part in second])
    return None if same is None else list(_pieces(first, second, _without_islands(first, second, same)))


def _bare(part: str) -> str:
    return " ".join(part.split())


def _pieces(first: Sequence[str], second: Sequence[str], same: Sequence[Common]) -> Iterator[Piece]:
    x = y = 0
    for run in (*same, Common(len(first), len(second), 0)):
        for kind, parts in (
            ("removed", first[x : run.first]),
            ("added", second[y : run.second]),
            ("same", second[run.second : run.second + run.count]),
        ):
            if text := "".join(parts):
                yield Piece(kind, text)  # type: ignore[arg-type]
        x, y = run.first + run.count, run.second + run.count


def _without_islands(first: Sequence[str], second: Sequence[str], same: Sequence[Common]) -> list[Common]:
    """Leave out what is the same by chance: a word or two between changes that are longer than it on both sides."""
    kept: list[Common] = []
    for at, run in enumerate(same):
        following = same[at + 1] if at + 1 < len(same) else Common(len(first), len(second), 0)
        before = kept[-1] if kept else Common(0, 0, 0)
        length = _length(first, run.first, run.first + run.count)
        ahead = max(
            _length(first, before.first + before.count, run.first),
            _length(second, before.second + before.count, run.second),
        )
        behind = max(
            _length(first, run.first + run.count, following.first),
            _length(second, run.second + run.count, following.second),
        )
        if length > min(ahead, behind):
            kept.append(run)
    return kept


def _length(parts: Sequence[str], start: int, end: int) -> int:
    return sum(map(len, parts[start:end]))
