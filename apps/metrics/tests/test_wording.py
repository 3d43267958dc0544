from __future__ import annotations

import pytest

from apps.metrics.figures.pages.wording import percent


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0, "0"),
        (0.00001, "<0.1"),
        (0.0005, "0.1"),
        (5 / 1200, "0.4"),
        (0.047, "4.7"),
        (0.5, "50"),
        (0.9996, ">99.9"),
        (1, "100"),
    ],
)
def test_a_rate_is_written_short_and_neither_rounded_to_nothing_nor_to_all(rate: float, text: str) -> None:
    assert percent(rate) == text
