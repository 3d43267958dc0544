"""What is read without the parser is what the parser makes of it."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from apps.core.markdown.ends import Line, is_settled
from apps.core.markdown.rendering import html_of, parse, parse_inline
from apps.core.markdown.spans import Spans, read_spans
from apps.core.markdown.stream import MarkdownStream

MARKS = st.sampled_from([
    "*", "**", "***", "`", "``", "_", "~~", "[", "]", "(", ")", "<", "&", "\\", "$", "|", "#", "://", "http", "www.",
    "!", "\n",
    " **", "** ", " *", "* ", "**.", ".**", ":**", "**,", "**a**", " **a b:**", "*c*", " *d.*", "`e`", " `f_g*`",
    "`h`i", "`` j ``",
])  # fmt: skip
WORDS = st.sampled_from([
    "a", "word", "Z1", " ", "  ", ".", ",", ":", ";", "?", '"', "'", "-", "—", "…", "“", "é", "ß", "漢字", "。", "、",
    "한", "مرحبا",
    "🙂", "e\u0301", "\u200d", "\u00a0", "\u202e", "1", "²", "/", "@", "^", "{", "}", "==", "€",
])  # fmt: skip
TEXTS = st.lists(st.one_of(WORDS, MARKS), max_size=12).map("".join) | st.text(max_size=12)
BEGINNINGS = st.sampled_from(
    ["", "- ", "* ", "+ ", "# ", "## ", "### ", "#### ", "##### ", "###### ", "-", "1. ", "> "]
)


@given(TEXTS)
@example("**a.**, *b*")
@example("a **b")
@example("`a`` b`")
def test_spans_are_what_the_parser_reads(text: str) -> None:
    spans = read_spans(text)
    assume(spans is not None)
    tokens = parse_inline(text, {})
    line = Line("", text, "", "", True, "", 0, False)
    assert spans == Spans(html_of(tokens), is_settled(tokens[0]))
    assert line.html({}) == html_of(tokens)


@given(BEGINNINGS, st.sampled_from(["a", "Z", "**b", "*c", "é", "漢", "`d", ""]), TEXTS)
@example("", "a", "\n===")
@example("# ", "a", " #")
def test_a_first_line_is_what_the_parser_finds(mark: str, first: str, rest: str) -> None:
    source = f"{mark}{first}{rest}"
    line = Line.begin(source)
    assume(line is not None)
    tokens = parse(source, {})
    html = html_of(tokens)
    assert line == Line.find(source, tokens, 0, html)
    assert line is not None and line.html({}) == html


@pytest.mark.parametrize(
    ("text", "html", "is_settled"),
    [
        ("Plain words, as nearly all are (these too).", None, True),
        ("Some **strong words:** and *others*, `code_of(1)`.", None, True),
        ("**Morning:** go", "<strong>Morning:</strong> go", True),
        ("go **on", "go **on", False),
        ("run `ls -l", "run `ls -l", False),
        ("", "", True),
    ],
)
def test_what_answers_are_made_of_needs_no_parser(text: str, html: str | None, is_settled: bool) -> None:
    assert read_spans(text) == Spans(html or html_of(parse_inline(text, {})), is_settled)


@pytest.mark.parametrize(
    "text", ["[a](b)", "a & b", "**a** **b*", "$x$", "http://a", "a_b_", "***a***", "1 < 2", "a\nb"]
)
def test_what_may_be_more_is_left_to_the_parser(text: str) -> None:
    assert read_spans(text) is None


def test_marks_that_never_close_are_looked_through_once() -> None:
    text = " **a" * 50_000 + " `b" * 50_000
    assert read_spans(text) is None
    assert read_spans("a " * 100_000 + "`") is not None


def test_a_piece_that_begins_a_block_needs_no_parser() -> None:
    stream = MarkdownStream("growth")
    assert stream.feed("Words ") == ("", '<p dir="auto">Words<span id="growth"></span></p>\n')
    assert stream.feed("of one **word**.") == (
        "",
        '<p dir="auto">Words of one <strong>word</strong>.<span id="growth"></span></p>\n',
    )
    assert stream.feed("\n\n- item") == (
        '<p dir="auto">Words of one <strong>word</strong>.</p>\n',
        '<ul>\n<li dir="auto">item<span id="growth"></span></li>\n</ul>\n',
    )


def test_an_address_is_no_words_that_go_on_with_a_line() -> None:
    stream = MarkdownStream("growth")
    stream.feed("See")
    assert (stream.extend(" this"), stream.extend(" or/and that")) == (" this", " or/and that")
    assert stream.extend(" https://example.com") is None
    assert 'href="https://example.com"' in stream.feed(" https://example.com")[1]
