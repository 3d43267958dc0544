from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.text.escapes import EscapeFilter, with_visible_bidi, without_escapes


def filtered(pieces: list[str]) -> str:
    escapes = EscapeFilter()
    return "".join([escapes.feed(piece) for piece in pieces]) + escapes.close()


CASES = {
    "colours": ("\x1b[32mPASS\x1b[0m 3 tests", "PASS 3 tests"),
    "256 colours": ("\x1b[38;5;196;1mred\x1b[m", "red"),
    "colons as separators": ("\x1b[38:2::255:0:0mred\x1b[0m", "red"),
    "cursor": ("a\x1b[2J\x1b[1;1Hb\x1b[?25l\x1b[>0qc\x1b[2 qd", "abcd"),
    "C1 sequence": ("\x9b31mred\x9b0m", "red"),
    "title by BEL": ("\x1b]0;pwned\x07text", "text"),
    "title by ST": ("\x1b]2;pwned\x1b\\text", "text"),
    "title by C1": ("\x9d0;pwned\x9ctext", "text"),
    "hyperlink": ("\x1b]8;;https://example.com\x1b\\label\x1b]8;;\x1b\\.", "label."),
    "clipboard": ("\x1b]52;c;cm0gLXJm\x07done", "done"),
    "device control string": ("\x1bPq#0;2;0;0;0#0~~@@vv\x1b\\after", "after"),
    "privacy, application, start of string": ("\x1b^a\x1b\\\x1b_b\x1b\\\x1bXc\x1b\\d", "d"),
    "charset and reset": ("\x1b(Btext\x1bc \x1b7\x1b8\x1b=", "text "),
    "a string without end keeps its text": ("\x1b]0;never ended\nnext line", "0;never ended\nnext line"),
    "a string without end at the end": ("\x1b]0;never ended", "0;never ended"),
    "an escape alone": ("a\x1b", "a"),
    "a sequence without end": ("a\x1b[31", "a31"),
    "a sequence that is none": ("\x1b[31\nm", "31\nm"),
    "a sequence in a string": ("\x1b]0;a\x1b[31mred\x07", "0;ared"),
    "C0 but tab and line feed": ("a\x00\x01\x07\x08b\tc\x0e\x1f\nd\x7f", "ab\tc\nd"),
    "line ends": ("a\r\nb\rc\x0bd\x0ce\x85f\n\rg", "a\nb\nc\nd\ne\nf\n\ng"),
    "half a pair": ("a\ud83db", "a\ufffdb"),
    "words": (
        "Straße [31m 日本語 👨‍👩‍👧 \u200b\u00a0\u2028 مرحبا",
        "Straße [31m 日本語 👨‍👩‍👧 \u200b\u00a0\u2028 مرحبا",
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_what_steers_a_terminal_is_taken_out_however_it_is_cut(text: str, expected: str, size: int) -> None:
    assert without_escapes(text) == expected
    assert filtered([text[start : start + size] for start in range(0, len(text), size)]) == expected


@given(st.text(alphabet="\x1b\x9b\x9d\x9c\x07\x90[]P\\0;3m~ (Bcax\n\r\ud800\u202e", max_size=40), st.integers(1, 7))
def test_no_text_lets_anything_through_and_pieces_make_no_difference(text: str, size: int) -> None:
    whole = without_escapes(text)

    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", whole) is None
    assert filtered([text[start : start + size] for start in range(0, len(text), size)]) == whole
    assert without_escapes(whole) == whole


def test_a_string_without_end_holds_back_no_more_than_a_bound() -> None:
    escapes = EscapeFilter()
    shown = len(escapes.feed("\x1b]0;"))
    for fed in range(100, 5_000, 100):
        shown += len(escapes.feed("x" * 100))
        assert fed - shown <= 2_000

    assert filtered(["\x1b]0;", "x" * 5_000, "\x07end"]) == f"0;{'x' * 5_000}end"


@pytest.mark.parametrize("code", [*range(0x202A, 0x202F), *range(0x2066, 0x2070)])
def test_what_turns_the_order_of_letters_is_named(code: int) -> None:
    assert with_visible_bidi(f"a{chr(code)}b") == f"a‹U+{code:04X}›b"


def test_the_marks_of_scripts_that_run_leftwards_stay() -> None:
    text = "\u200eא\u200fب\u061c"

    assert with_visible_bidi(text) == text == without_escapes(text)
