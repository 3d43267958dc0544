"""What holds for any answer: nothing of it vanishes, it costs in proportion, and a long one is shown to its end."""

from __future__ import annotations

import re
import sys
from html import unescape
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.core.markdown.block_rules import MAX_DEPTH
from apps.core.markdown.rendering import MAX_CHARACTERS, render
from apps.core.markdown.stream import MAX_OPEN_CHARACTERS
from apps.core.tests.growing import streamed
from apps.core.tests.inert import assert_inert

DEEP = {
    "list": "".join(f"{'  ' * level}- level{level}\n" for level in range(40)),
    "numbers": "".join(f"{'   ' * level}1. level{level}\n" for level in range(40)),
    "quotes": "".join(f"{'>' * (level + 1)} level{level}\n\n" for level in range(40)),
    "quotes in one line": ">" * 300 + " level0",
    "items in one line": "- " * 60 + "level0",
    "both": "".join(f"{'> - ' * (level + 1)}level{level}\n\n" for level in range(15)),
    "code": "".join(f"{'  ' * level}- level{level}\n" for level in range(15))
    + "  " * 15
    + "```\n"
    + "  " * 15
    + "level15\n",
    "brackets": "[" * 200 + "level0" + "](x)" * 200,
    "emphasis": "*a **b " * 100 + "level0" + "** *" * 100,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_nothing_vanishes_however_deep_it_is(text: str) -> None:
    html = render(text)

    assert re.findall(r"level\d+", html) == re.findall(r"level\d+", text)
    assert depth_of(html) <= MAX_DEPTH + 2
    assert_inert(html)


def depth_of(html: str) -> int:
    depth = deepest = 0
    for is_end in re.findall(r"<(/?)(?:li|ul|ol|blockquote)\b", html):
        depth += -1 if is_end else 1
        deepest = max(deepest, depth)
    return deepest


WORDS = ["word1", "bold2", "code3", "cell4", "item5", "note6", "quot7", "math8", "tag9", "last0"]
PATTERNS = [
    "{}", "**{}**", "`{}`", "| {} | {} |\n|---|---|\n| {} | {} | {} |", "- {}\n  - {}\n", "[^1]: {}", "> {}\n>> {}",
    r"\({}\)", r"\[{}\]", "${}$", "<{}>", "<!-- {} -->", "```{} {}\n{}\n```", "~~~\n{}\n", "# {} #", "{}\n===",
    "[{}]", "[{}]: {}", "[{}][{}]", "[{}](ftp://x)", "![{}](https://a.example)", "\x1b[31m{}", "    {}\n",
    "1. {}\n9) {}", "&{};", "\\{}", "{}<br>{}", "$$\n{}", "- [ ] {}", "~~{}~~", "***{}***", "https://a.example/{}",
    "\u202e{}", "[x]({} {})", "<https://{}>", "{}\n---\n", "| {} |", "  {}  ", "{}\t{}", "\n\n", "\\[\n{}\n\\]",
    "|{}|{}\n-|-\n{}|{}|{}", "> - 1. {}",
]  # fmt: skip


@st.composite
def answers(draw: st.DrawFn) -> str:
    parts = draw(
        st.lists(st.tuples(st.sampled_from(PATTERNS), st.sampled_from(["\n", "\n\n", " ", "", "\n    "])), max_size=12)
    )
    return "".join(re.sub(r"\{\}", lambda _: draw(st.sampled_from(WORDS)), pattern) + end for pattern, end in parts)


@settings(max_examples=400)
@given(answers(), st.integers(1, 9))
def test_every_word_of_an_answer_is_on_the_page(text: str, size: int) -> None:
    words = sorted(re.findall("|".join(WORDS), text))
    for html in (render(text), streamed(text, size)):
        assert sorted(re.findall("|".join(WORDS), unescape(re.sub(r"<[^>]*>", "\0", html)))) == words


class Work:
    """Counts what Python does while it is on, rather than how long that takes."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Work:
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, _frame: FrameType, _event: str, _argument: Any) -> None:
        self.count += 1


UNITS = [
    "word ", "a", "[", "![", "](", "*a ", "**a", "_a_", "`", "``a", "\\(", "\\[", "$", "$$", "$a ", "<", "<br", "<a",
    "&", "&#", "~~", "https://", "https://a(", "|", "| a ", "> ", ">", "- ", "  - a\n", "1. ", "\n", " ", "\t", "# ",
    "a\n\n", "[a]: https://b\n", "[^1]", "[a\n\n", "```\n", "~~~a\n", "\\", "$$\na\n", "\\[\n", "| a |\n|---|\n",
    "|a|\n", "a\n=\n", "> a\n", "\x1b]", "\x1b[", "\x9d", "\x1b]a\n", "\r", "\u202e", "字**。", "<br>", "[](b)", "![[",
    "<https://a>", "- [ ] ", ">- ", "***", "**_", "a\\\n",
]  # fmt: skip


def work_for(text: str, *, is_streamed: bool) -> int:
    with Work() as work:
        if is_streamed:
            streamed(text, 1_000)
        else:
            render(text)
    return work.count


@pytest.mark.parametrize("unit", UNITS)
def test_twice_as_much_of_anything_is_twice_the_work(unit: str) -> None:
    work_for(unit, is_streamed=False)
    once, twice = (work_for(unit * (size // len(unit)), is_streamed=False) for size in (1_500, 3_000))

    assert twice <= 2.4 * once + 1_000


@pytest.mark.parametrize("unit", ["word ", "[", "![[", "*a ", "$a ", "a\n", "\x1b]"])
def test_twice_as_long_a_block_is_twice_the_work_for_a_stream(unit: str) -> None:
    once, twice = (
        work_for(unit * (size // len(unit)), is_streamed=True)
        for size in (MAX_OPEN_CHARACTERS, 2 * MAX_OPEN_CHARACTERS)
    )

    assert twice <= 2.4 * once + 1_000


def test_what_is_behind_the_limit_is_shown_without_formatting_and_says_so() -> None:
    line = "**bold** <b>\n"
    text = line * (3 * MAX_CHARACTERS // len(line))
    html = render(text)

    assert html.count("<strong>") == MAX_CHARACTERS // len(line) + 1
    assert "more than 200,000 characters. What follows is shown without formatting." in html
    rest = "".join(
        unescape(part) for part in re.findall(r'<pre class="rest" dir="auto">\n(.*?)</pre>', html, re.DOTALL)
    )
    assert rest == text[MAX_CHARACTERS:]
    assert html.count("<pre") <= 2 * MAX_CHARACTERS // 4_000
    assert_inert(html)


@pytest.mark.parametrize("size", [977, 1_000_000])
@pytest.mark.parametrize(
    "line", ["A **word**" + " of many" * 50 + ".\n\n", "\x1b[1mx\x1b[0m\u202e" + "y" * 200 + "\r\n\r\n"]
)
def test_the_limit_is_the_same_for_a_stream(line: str, size: int) -> None:
    text = line * (MAX_CHARACTERS * 3 // 2 // len(line)) + "x" * 30_000 + line

    assert "What follows" in render(text)
    assert streamed(text, size) == render(text)
