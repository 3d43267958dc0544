"""Lists as CSV files: any text comes back as it was, and no cell is a formula."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.tables.export import cell, csv_lines

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x")', " =1", "＝1"]


def read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@given(rows=st.lists(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2)))
def test_any_text_comes_back(rows: list[list[str]]) -> None:
    head, *found = read(b"".join(csv_lines(["a", "b"], rows)))
    assert head == ["a", "b"]
    assert [[text.removeprefix("'") for text in row] for row in found] == [
        [text.removeprefix("'") for text in row] for row in rows
    ]


@given(text=st.one_of(st.sampled_from(FORMULAS), st.text(alphabet="=+-@\t\r\n 'a1")))
def test_no_text_is_a_formula(text: str) -> None:
    assert not cell(text).lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))


def test_numbers_stay_numbers() -> None:
    values = [-1, -0.5, None, True, datetime(2026, 11, 20, tzinfo=UTC), "plain", "-words"]
    assert [cell(value) for value in values] == [
        "-1", "-0.5", "", "true", "2026-11-20T00:00:00+00:00", "plain", "'-words"
    ]  # fmt: skip


@pytest.mark.parametrize(("count", "said"), [(3, False), (4, True)])
def test_a_file_that_is_cut_says_so(count: int, said: bool) -> None:
    found = read(b"".join(csv_lines(["n"], ([number] for number in range(count)), most=3)))
    assert [row[0] for row in found[:4]] == ["n", "0", "1", "2"]
    assert [row[0] for row in found[4:]] == (["Only the first 3 rows: narrow the list."] if said else [])
