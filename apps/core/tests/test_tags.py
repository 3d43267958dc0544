from __future__ import annotations

import pytest

from apps.core.exceptions import InvalidInputError
from apps.core.models import Tag
from apps.core.tags import TAGS_AT_MOST, normalised, tags_named


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], []),
        (["red", "Red", " RED "], ["red"]),
        (["  two \n words ", "", "  "], ["two words"]),
        (["Straße", "STRASSE"], ["Straße"]),
        (["U\u0308ni", "\u00dcNI"], ["\u00dcni"]),
        (["x" * 40], ["x" * 40]),
    ],
)
def test_what_says_the_same_is_one_tag_as_it_was_written_first(names: list[str], expected: list[str]) -> None:
    assert normalised(names) == expected


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["x" * 41], "A tag has at most 40 characters; “xxxxxxxxxxxxxxxxxxxx…” has 41. Choose a shorter word."),
        (["a\0b"], "A tag cannot have control characters. Type it anew."),
        (["a\ud800b"], "A tag cannot have control characters. Type it anew."),
        (
            [str(number) for number in range(TAGS_AT_MOST + 1)],
            "There can be 20 tags at most; these are 21. Leave some out.",
        ),
    ],
)
def test_what_cannot_be_a_tag_is_refused_and_says_why(names: list[str], said: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        normalised(names)

    assert refused.value.text() == said


@pytest.mark.django_db
def test_tags_are_made_once_and_keep_the_case_they_have() -> None:
    tags_named(["Rain", "ÜBER"])

    again = tags_named(["über", "snow", "rain", "ΐ" * 40])

    assert [tag.name for tag in again] == ["ÜBER", "snow", "Rain", "ΐ" * 40]
    assert Tag.objects.count() == 4
