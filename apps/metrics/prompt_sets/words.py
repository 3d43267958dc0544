"""Which words of two answers differ: the shortest edit script of Myers (Algorithmica 1 (1986) 251), within a limit.

Texts that have little in common are not compared to the end: nobody reads a text in which every word is marked, and to
find that out takes the square of its length.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

MOST_EDITS = 1_500
MOST_WORDS = 20_000
_WORD = re.compile(r"\s+|[^\s\w]|\w+")

Kind = Literal["same", "gone", "new"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Words that follow each other: of both texts, only of the first (gone), or only of the second (new)."""

    kind: Kind
    text: str


def differing_words(first: str, second: str) -> list[Piece] | None:
    """The second text with what it has other than the first; None where they have too little in common."""
    before, after = _WORD.findall(first), _WORD.findall(second)
    if max(len(before), len(after)) > MOST_WORDS:
        return None
    edits = _edits(before, after)
    if edits is None:
        return None
    return [Piece(kind, "".join(word for _, word in words)) for kind, words in groupby(edits, key=lambda edit: edit[0])]


def _edits(before: Sequence[str], after: Sequence[str]) -> list[tuple[Kind, str]] | None:
    """Each word of both texts with what becomes of it, in order."""
    steps = _furthest(before, after)
    if steps is None:
        return None
    x, y = len(before), len(after)
    found: list[tuple[Kind, str]] = []
    for count in range(len(steps), 0, -1):
        is_new, start = _came_from(steps[count - 1], count, x - y)
        place = start if is_new else start + 1
        found += [("same", word) for word in reversed(before[place:x])]
        y -= x - place
        found.append(("new", after[y - 1]) if is_new else ("gone", before[start]))
        x, y = start, y - 1 if is_new else y
    found += [("same", word) for word in reversed(before[:x])]
    return found[::-1]


def _came_from(reached: Sequence[int], count: int, diagonal: int) -> tuple[bool, int]:
    """How the furthest place on a diagonal is come to with the edit of this number (from 1): whether by a word of the
    second text, and from where in the first. `reached` are the furthest places with one edit less.
    """
    right = (diagonal + count) // 2  # where the diagonal above stands; the one below stands before it
    if right == 0 or (right < len(reached) and reached[right - 1] < reached[right]):
        return True, reached[right]
    return False, reached[right - 1]


def _furthest(before: Sequence[str], after: Sequence[str]) -> list[array[int]] | None:
    """For each number of edits, but the last, how far the first text is come on each diagonal; None where more edits
    are needed than are tried.
    """
    steps: list[array[int]] = []
    for count in range(MOST_EDITS + 1):
        reached = array("i")
        for diagonal in range(-count, count + 1, 2):
            x = 0
            if count:
                is_new, start = _came_from(steps[-1], count, diagonal)
                x = start if is_new else start + 1
            y = x - diagonal
            while x < len(before) and y < len(after) and before[x] == after[y]:
                x, y = x + 1, y + 1
            if x >= len(before) and y >= len(after):
                return steps
            reached.append(x)
        steps.append(reached)
    return None
