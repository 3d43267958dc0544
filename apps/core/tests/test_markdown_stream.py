from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.core.markdown.rendering import render
from apps.core.markdown.stream import MAX_OPEN_CHARACTERS, MAX_OPEN_LINES, MarkdownStream
from apps.core.tests.inert import HOSTILE, assert_inert


def streamed(pieces: list[str]) -> str:
    stream = MarkdownStream()
    return "".join([stream.feed(piece)[0] for piece in pieces]) + stream.close()


class GrowingPage:
    """What a browser shows that puts words into the growth element where it may, and a new tail where it must."""

    GROWTH = '<span id="growth"></span>'

    def __init__(self) -> None:
        self._stream = MarkdownStream("growth")
        self._closed = self._tail = self._grown = ""
        self.extended_count = 0

    def add(self, piece: str) -> None:
        grown = self._stream.extend(piece)
        if grown is None:
            closed, self._tail = self._stream.feed(piece)
            self._closed += closed
            self._grown = ""
        else:
            self._grown += grown
            self.extended_count += 1

    def html(self) -> str:
        return self._closed + self._tail.replace(self.GROWTH, self._grown)

    def closed_html(self) -> str:
        return self._closed + self._stream.close()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("before", ["", "Words before it. ", "- item\n- "])
@pytest.mark.parametrize("size", [1, 5])
def test_hostile_text_is_inert_while_it_arrives(text: str, before: str, size: int) -> None:
    stream = MarkdownStream("growth")
    for piece in (before, *(text[start : start + size] for start in range(0, len(text), size))):
        grown = stream.extend(piece)
        for html in stream.feed(piece) if grown is None else [grown]:
            assert_inert(html.replace(' id="growth"', ""))
    assert_inert(stream.close())


def test_a_block_is_closed_by_the_line_that_starts_the_next() -> None:
    stream = MarkdownStream()

    assert stream.feed("One *par") == ("", '<p dir="auto">One *par</p>\n')
    assert stream.feed("agraph*\n\nTw") == ('<p dir="auto">One <em>paragraph</em></p>\n', '<p dir="auto">Tw</p>\n')
    assert stream.feed("o\n\n1") == ("", '<p dir="auto">Two</p>\n<p dir="auto">1</p>\n')  # a number may become a list
    assert stream.feed("st\n") == ('<p dir="auto">Two</p>\n', '<p dir="auto">1st</p>\n')
    assert stream.close() == '<p dir="auto">1st</p>\n'


def test_a_list_stays_one_list_while_its_next_number_arrives() -> None:
    stream = MarkdownStream()
    closed = [stream.feed(piece)[0] for piece in ("1. a\n\n", "2", ". b\n\n", "end\n")]

    assert "".join(closed) == ('<ol>\n<li dir="auto">\n<p>a</p>\n</li>\n<li dir="auto">\n<p>b</p>\n</li>\n</ol>\n')


@pytest.mark.parametrize("pieces", [["a\r", "\nb"], ["a\r", "\rb"], ["a\r", "b\r"], ["```\r", "\r\r", "\r\nb"]])
def test_a_carriage_return_at_the_end_of_a_piece_is_half_a_line_end_or_a_whole_one(pieces: list[str]) -> None:
    assert streamed(pieces) == render("".join(pieces))


def test_a_link_finds_its_definition_in_an_earlier_block() -> None:
    text = "[docs]: https://example.com/a\n\nfirst\n\nsee [docs]\n"

    assert streamed([*text]) == render(text)
    assert 'href="https://example.com/a"' in render(text)


def test_a_definition_that_is_still_arriving_is_not_remembered() -> None:
    text = "[docs]: https://example.com/a-long-path\n\nsee [docs]\n"
    stream = MarkdownStream()
    for character in text:
        stream.feed(character)

    assert stream.close() == render(text)


BLOCKS = [
    "A paragraph with *emphasis*, `code` and a [link](https://example.com).",
    "Two lines\nof one paragraph.",
    "- **First:** in `code`, *soft*\n- **Second:** a [link](https://example.com/a_b)\n- third (so)",
    "1. **One** of them\n2. another one\n10. the last",
    "## A heading",
    "Underlined\n==========",
    "- a\n- b\n  - nested\n- c",
    "- loose\n\n- list\n\n  with a second paragraph",
    "1. one\n2. two\n\n   ```sh\n   ls -l\n   ```\n3. three",
    "```python\ndef f(x: int) -> str:\n    return 'x'\n\n\nprint(f(1))\n```",
    "~~~\nnot closed yet\n\n# no heading\n~~~",
    "| a | b |\n|---|--:|\n| 1 | 2 |",
    "> quoted\nlazily\n>\n> ```\n> code\n> ```",
    "    indented code\n\n    goes on",
    "---",
    "[known]: https://example.com/known",
    "See [known] and ![image](https://example.com/i.png).",
    "<div>html</div> &amp; \\*escaped\\*",
    "日本語のテキスト、改行\u2028ではない",
]


@st.composite
def split_documents(draw: st.DrawFn) -> list[str]:
    blocks = ["[known]: https://example.com/known", *draw(st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=12))]
    separator = st.sampled_from(["\n\n", "\n", "\n\n\n", "\r\n\r\n", "\r\r"])
    text = "".join(block + draw(separator) for block in blocks) + draw(st.sampled_from(["", "- ", "``", "\r", "|"]))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=30)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@settings(max_examples=300)
@given(split_documents())
def test_however_it_is_split_a_streamed_answer_equals_the_whole_one(pieces: list[str]) -> None:
    page = GrowingPage()
    for piece in pieces:
        page.add(piece)

    assert streamed(pieces) == page.closed_html() == render("".join(pieces))


@settings(max_examples=150)
@given(st.text(alphabet="ab \n\r\t#-*>`|[]():!1.\\<&_~=", max_size=80), st.integers(1, 7))
def test_any_text_streams_inertly_and_the_tail_shows_all_that_is_open(text: str, size: int) -> None:
    stream = MarkdownStream()
    for start in range(0, len(text), size):
        closed, tail = stream.feed(text[start : start + size])
        assert_inert(closed + tail)
    assert_inert(stream.close())


PIECES = [
    "A word", " more", " and 1.", "x\n", ".\n\n", "**b**", " **bold:**", " *soft", "er*", " `code", "_it`", " (so)",
    " snake_case", " 5 * 3", " [link](https://example.com/x_y)", " #", "- ", "\n- ", "\n- item", "\n- **Item:** on",
    "\n1. one", "\n2.", "\n3) ", "\n\n", "\n## Day", "\n\n> quote", "\n  - inner", "> q", "# h", "[k]", "~~gone~~",
    "é \u2705", "\n```\n", "&amp;", "<b>", "\n```python\n", "    return 1 < 2\n", "\n| a | b |\n|---|---|\n",
    "| 1 | 2 |\n", "\n    ", "\n  ", "\n\t", "|x| is",
]  # fmt: skip
LINE_TO_COME = re.compile(r"\n *([-*+]|#+|\d+[.)]?)? *$")
ROW_TO_COME = re.compile(r"[\n\r](\|[^\n]*)?$")
ODD_TEXT = st.text(alphabet="ab \n\r#-*>`|[]():!1.\\<&;_~='\"", max_size=4)


@settings(max_examples=400)
@given(st.lists(st.one_of(st.sampled_from(PIECES), ODD_TEXT), max_size=30))
def test_a_growing_page_shows_what_a_whole_rendering_would(pieces: list[str]) -> None:
    """Except for a line that has said nothing yet, a table's row without its end, and the colours of code."""
    page, plain, closed, text = GrowingPage(), MarkdownStream(), "", ""
    for piece in ["[k]: https://example.com/known\n\n", *pieces]:
        page.add(piece)
        more, tail = plain.feed(piece)
        closed, text = closed + more, text + piece
        if (ROW_TO_COME if tail.endswith("</table>\n") else LINE_TO_COME).search(text):
            continue
        if "<pre" in tail:
            assert lines_of(page.html()) == lines_of(closed + tail)
        else:
            assert page.html() == closed + tail
    assert page.closed_html() == closed + plain.close()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Words that go on, as most do.", 6),
        ("## A heading of words", 3),
        ("- an item of words\n- another one\n\nAfter it.", 6),
        ("It is **bold** and on", 3),
        ("1. first of all", 2),
        ("```\ncode is so\n```", 2),
        ("| a | table of\n|---|---|\n| in | cells and words", 6),
        ("Typed *half", 0),
    ],
)
def test_words_extend_the_page_without_rendering(text: str, count: int) -> None:
    """Of the words of `text`, one piece each, `count` are just appended, their line ends included."""
    page = GrowingPage()
    for piece in re.findall(r"\s*\S+\n*", text):
        page.add(piece)

    assert page.extended_count == count
    assert page.closed_html() == render(text)


def test_marks_are_never_appended() -> None:
    stream = MarkdownStream("growth")
    stream.feed("A word")

    for mark in ("<b>", "&lt", "*", "_", "`", "~", "[", "]", ")", "\\", "|", "#", ";", "\0", "\r", "\u2028", "\xa0"):
        assert stream.extend(f" x{mark}") is None


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("A word\n1", ". x"),
        ("A word\n-", " x"),
        ("1", ". x"),
        ("- ", "x"),
        ("# a #", " b"),
        ("foo\\", "x"),
        ("_a_", "b"),
    ],
)
def test_words_that_make_something_else_of_their_line_are_rendered(text: str, more: str) -> None:
    stream = MarkdownStream("growth")
    stream.feed(text)

    assert stream.extend(more) is None


def test_code_is_shown_at_once_and_gets_its_colours_line_by_line_and_then_more_seldom() -> None:
    page, coloured_counts = GrowingPage(), []
    page.add("```python\n")
    for number in range(1, 31):
        for piece in ("return", " x <", f" {number}\n"):
            page.add(piece)
        assert letters(page.html()).endswith(f"returnx&lt;{number}")
        coloured_counts.append(page.html().count('<span class="k">return</span>'))

    assert coloured_counts[:4] == [1, 2, 3, 4]
    assert coloured_counts == sorted(coloured_counts) and 3 < len(set(coloured_counts[4:])) < 12
    page.add("```")
    assert page.html().count('<span class="k">return</span>') == 30


def test_a_row_of_a_table_is_shown_when_it_is_complete() -> None:
    page = GrowingPage()
    for piece in ("| Stop | Time |\n|---|---|\n", "| Ghent", " | 10:02", " |"):
        page.add(piece)
    assert "Ghent" not in page.html()
    page.add("\n")
    assert '<td dir="auto">Ghent</td>\n<td dir="auto">10:02</td>' in page.html()


@pytest.mark.parametrize(
    "endless",
    [
        "```python\n" + "x = 1  # one\n" * 600,
        "word and " * 1500,
        "a" * 10_000,
        "- item\n" * 600,
        "> " * 4000,
        "word" + "\n" * 10_000 + "end",
        "word" + " " * 10_000 + "end",
    ],
    ids=["fence", "paragraph", "word", "list", "quote", "line ends", "blanks"],
)
@pytest.mark.parametrize("growth_id", ["", "growth"])
def test_a_block_without_end_is_cut_so_that_the_tail_stays_small(endless: str, growth_id: str) -> None:
    """What is rendered in all must grow with the length of the answer, not with its square."""
    size = 50
    stream = MarkdownStream(growth_id)
    longest_open = most_lines = 0
    closed = ""
    for start in range(0, len(endless), size):
        piece = endless[start : start + size]
        closed += "" if stream.extend(piece) is not None else stream.feed(piece)[0]
        longest_open = max(longest_open, len(stream._open))
        most_lines = max(most_lines, stream._open.count("\n"))
    closed += stream.close()

    assert longest_open <= MAX_OPEN_CHARACTERS
    assert most_lines <= MAX_OPEN_LINES
    assert_inert(closed)
    # Marks of quotations beyond the deepest level are shown, and each part of a cut one has its own.
    assert letters(closed).replace("&gt;", "") == letters(render(endless)).replace("&gt;", "")


def lines_of(html: str) -> list[str]:
    """The lines that a browser shows of some HTML, without the blanks at their ends."""
    return [line.rstrip() for line in unescape(re.sub(r"<[^>]*>", "", html)).rstrip().split("\n")]


def letters(html: str) -> str:
    """The text of some HTML without blanks."""
    return re.sub(r"<[^>]*>|\s+", "", html)


def test_a_fence_that_is_cut_goes_on_as_code() -> None:
    stream = MarkdownStream()
    lines = [f"x_{number} = '# no heading'\n" for number in range(400)]
    closed = "".join(stream.feed(piece)[0] for piece in ["```python\n", *lines, "```\n", "\nAfter.\n"])
    closed += stream.close()

    assert closed.count('<pre class="code" dir="ltr" tabindex="0">') > 1
    assert letters(closed) == letters(render("```python\n" + "".join(lines) + "```\n\nAfter.\n"))
    assert closed.endswith('<p dir="auto">After.</p>\n')
    assert "<h4" not in closed
