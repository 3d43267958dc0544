from __future__ import annotations

import pytest

from apps.core.markdown.rendering import render
from apps.core.tests.inert import HOSTILE, assert_inert


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert(text: str) -> None:
    assert_inert(render(text))


def test_an_answer_reads_as_written() -> None:
    assert render("# Why\n\nIt is **cold**, ~~not~~ `slow`:\n\n3. one\n4. two\n\n> quoted\n") == (
        '<h4 dir="auto">Why</h4>\n'
        '<p dir="auto">It is <strong>cold</strong>, <s>not</s> <code dir="ltr">slow</code>:</p>\n'
        '<ol start="3">\n<li dir="auto">one</li>\n<li dir="auto">two</li>\n</ol>\n'
        '<blockquote dir="auto">\n<p>quoted</p>\n</blockquote>\n'
    )


def test_code_is_coloured_by_class_and_can_be_scrolled_by_keyboard() -> None:
    assert render("```python\nreturn 1\n```\n") == (
        '<pre class="code" dir="ltr" tabindex="0"><code>'
        '<span class="k">return</span> <span class="mi">1</span>\n</code></pre>\n'
    )
    assert render("```nonsense\na < b\n```\n") == (
        '<p class="code-label" dir="auto">nonsense</p>\n'
        '<pre class="code" dir="ltr" tabindex="0"><code>a &lt; b\n</code></pre>\n'
    )
    assert render("    a < b\n") == '<pre class="code" dir="ltr" tabindex="0"><code>a &lt; b\n</code></pre>\n'


def test_a_table_is_aligned_by_class() -> None:
    html = render("| a | b | c |\n|:--|--:|:-:|\n| 1 | 2 | 3 |\n")

    assert '<table tabindex="0">' in html
    assert (
        '<td dir="auto">1</td>\n<td dir="auto" class="align-right">2</td>\n<td dir="auto" class="align-center">3</td>'
        in html
    )


def test_an_image_is_a_link_so_that_nothing_is_loaded() -> None:
    rel = 'rel="noopener noreferrer nofollow"'
    assert (
        render("![a *chart*](https://example.com/x?y=1&z=2)")
        == f'<p dir="auto"><a href="https://example.com/x?y=1&amp;z=2" {rel}>a chart</a></p>\n'
    )
    assert (
        render("![](https://example.com/x)") == f'<p dir="auto"><a href="https://example.com/x" {rel}>image</a></p>\n'
    )
    assert render("[![logo](https://example.com/x)](https://example.com)") == (
        f'<p dir="auto"><a href="https://example.com" {rel}>logo</a></p>\n'
    )
