"""Differences: whatever two texts are, the pieces make both of them again, and it has an end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.text import differences
from apps.core.text.differences import Common, common, difference

few = st.lists(st.sampled_from("abc"), max_size=12)


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """The textbook's table, which takes as long as it takes."""
    row = [0] * (len(second) + 1)
    for one in first:
        before = row
        row = [0]
        for at, other in enumerate(second):
            row.append(before[at] + 1 if one == other else max(before[at + 1], row[at]))
    return row[-1]


@given(few, few)
def test_nothing_that_both_have_is_missed(first: list[str], second: list[str]) -> None:
    found = common(first, second)

    assert found is not None
    assert sum(run.count for run in found) == longest_common(first, second)
    x = y = 0
    for run in found:
        assert run.first >= x and run.second >= y
        x, y = run.first + run.count, run.second + run.count
        assert first[run.first : x] == second[run.second : y]


@given(few, few)
def test_it_gives_up_where_that_takes_more_steps_than_are_allowed(first: list[str], second: list[str]) -> None:
    steps = len(first) + len(second) - 2 * longest_common(first, second)

    assert common(first, second, steps) is not None
    assert steps == 0 or common(first, second, steps - 1) is None


words = st.text(alphabet="ab \n", max_size=40)


@given(words, words)
def test_the_pieces_make_both_texts_again(first: str, second: str) -> None:
    """White space aside, of which the second's is shown."""
    pieces = difference(first, second).pieces

    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == second
    told = "".join(piece.text for piece in pieces if piece.kind != "added")
    assert told.split() == first.split() or "".join(told.split()) == "".join(first.split())


def told(first: str, second: str) -> list[tuple[str, str]]:
    return [(piece.kind, piece.text) for piece in difference(first, second).pieces]


def test_words_are_compared_and_white_space_is_not() -> None:
    assert told("Go to Ghent by the first train today.", "Go to Bruges  by the first\ntrain today.") == [
        ("same", "Go to "),
        ("removed", "Ghent "),
        ("added", "Bruges  "),
        ("same", "by the first\ntrain today."),
    ]
    assert difference("one two", "one\n\ntwo").is_same
    assert told("", "") == [] and difference("", "").is_same


def test_what_is_the_same_by_chance_is_no_island() -> None:
    first = "completely different sentence of words which nobody wrote"
    second = "another unrelated phrase of things that somebody said"

    assert [kind for kind, _ in told(first, second)] == ["removed", "added"]


def test_long_texts_are_compared_by_paragraphs_and_longer_ones_to_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences, "WORDS_UP_TO", 20)
    monkeypatch.setattr(differences, "READ_UP_TO", 40)
    found = difference("one two\nthree four\nfive", "one two\nthree 4\nfive")

    assert (found.by, found.is_cut) == ("paragraphs", False)
    assert [(piece.kind, piece.text) for piece in found.pieces] == [
        ("same", "one two\n"), ("removed", "three four\n"), ("added", "three 4\n"), ("same", "five"),
    ]  # fmt: skip
    cut = difference("x" * 50, "x" * 50)
    assert (cut.is_cut, sum(len(piece.text) for piece in cut.pieces)) == (True, 40)


def test_texts_that_share_too_little_are_not_looked_at_for_long() -> None:
    """Each list of lines is another one, so that neither words nor lines lead anywhere in `MOST_EDITS` steps."""
    first = "\n".join(f"{number} first" for number in range(2_000))
    second = "\n".join(f"{number} second" for number in range(5_000, 7_000))
    found = difference(first, second)

    assert found.by == "nothing"
    assert [(piece.kind, piece.text) for piece in found.pieces] == [("removed", first), ("added", second)]


def test_what_both_begin_and_end_with_costs_nothing() -> None:
    same = ["same"] * 5_000

    assert common([*same, "a", *same], [*same, "b", *same], 2) == [Common(0, 0, 5_000), Common(5_001, 5_001, 5_000)]
