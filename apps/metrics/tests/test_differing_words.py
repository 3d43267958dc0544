from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from apps.metrics.prompt_sets import words
from apps.metrics.prompt_sets.words import differing_words

TEXTS = st.text(alphabet="ab ,\n", max_size=20)


def test_what_differs_is_told_word_by_word() -> None:
    found = differing_words("Take the train to Ghent.", "Take a boat to Ghent, today.")

    assert found is not None
    assert [(piece.kind, piece.text) for piece in found if piece.kind != "same"] == [
        ("gone", "the"), ("new", "a"), ("gone", "train"), ("new", "boat"), ("new", ", today"),
    ]  # fmt: skip


@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_out_of_the_pieces_and_no_shorter_way_is_missed(first: str, second: str) -> None:
    found = differing_words(first, second)

    assert found is not None
    assert "".join(piece.text for piece in found if piece.kind != "new") == first
    assert "".join(piece.text for piece in found if piece.kind != "gone") == second
    before, after = words._WORD.findall(first), words._WORD.findall(second)
    edits = words._edits(before, after) or []
    assert sum(kind == "same" for kind, _word in edits) == longest_common(before, after)


def longest_common(before: list[str], after: list[str]) -> int:
    rows = [[0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for at in range(len(before) - 1, -1, -1):
        for beside in range(len(after) - 1, -1, -1):
            is_same = before[at] == after[beside]
            rows[at][beside] = (
                rows[at + 1][beside + 1] + 1 if is_same else max(rows[at + 1][beside], rows[at][beside + 1])
            )
    return rows[0][0]


def test_texts_with_little_in_common_are_not_compared_to_the_end() -> None:
    shuffled = random.Random(7)
    first, second = (" ".join(str(shuffled.random()) for _ in range(2_000)) for _ in "ab")

    assert differing_words(first, second) is None
    assert differing_words("x " * 30_000, "x") is None
    whole = differing_words(first, f"{first} more")
    assert whole is not None and [piece.kind for piece in whole] == ["same", "new"]
