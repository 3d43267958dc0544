"""What agents write, and how it has to read."""

from __future__ import annotations

import pytest

from apps.core.markdown.rendering import render
from apps.core.tests.growing import streamed
from apps.core.tests.inert import assert_inert

REL = 'rel="noopener noreferrer nofollow"'


def link(address: str, label: str = "") -> str:
    return f'<a href="{address}" {REL}>{label or address}</a>'


# What stands within one paragraph.
LINES = {
    "line ends": ("Task: done\nNext: review\nLast: publish", "Task: done<br>\nNext: review<br>\nLast: publish"),
    "line ends of Windows": ("a\r\nb\rc", "a<br>\nb<br>\nc"),
    "two blanks and a backslash end a line once": ("a  \nb\\\nc", "a<br>\nb<br>\nc"),
    "br": ("a<br>b<br/>c<BR />d", "a<br>\nb<br>\nc<br>\nd"),
    "br before a line end": ("a<br>\nb", "a<br>\nb"),
    "br in code": ("`a<br>b`", '<code dir="ltr">a&lt;br&gt;b</code>'),
    "no br": ("<brx> <b r> <hr>", "&lt;brx&gt; &lt;b r&gt; &lt;hr&gt;"),
    "bold before a full stop": ("这是**我想做的事。**所以继续。", "这是<strong>我想做的事。</strong>所以继续。"),
    "bold quotation": ("他说**“你好”**然后走了", "他说<strong>“你好”</strong>然后走了"),
    "bold corner brackets": ("これは**「引用」**です", "これは<strong>「引用」</strong>です"),
    "bold ascii brackets": ("**東京(Tokyo)**は", "<strong>東京(Tokyo)</strong>は"),
    "bold with a wide colon": ("**注意：**text", "<strong>注意：</strong>text"),
    "bold Korean": ("**마크다운(Markdown)**은", "<strong>마크다운(Markdown)</strong>은"),
    "italic": ("请看*（重要）*这里", "请看<em>（重要）</em>这里"),
    "struck out": ("价格~~（旧）~~新", "价格<s>（旧）</s>新"),
    "bold italic": ("是***“好”***的", "是<em><strong>“好”</strong></em>的"),
    "no emphasis between words": ("snake_case_name, 5 * 3 * 2, a_b_", "snake_case_name, 5 * 3 * 2, a_b_"),
    "latin stays as it was": ('**a"**b and **"a"** b', '**a"**b and <strong>"a"</strong> b'),
    "round brackets of LaTeX": (
        r"The mass is \( m_1 = \frac{a}{b} \) and \[ E = mc^2 \]",
        r"The mass is \( m_1 = \frac{a}{b} \) and \[ E = mc^2 \]",
    ),
    "marks within LaTeX": (r"\(a *b* _c_ \{x\} \\ y\)", r"\(a *b* _c_ \{x\} \\ y\)"),
    "LaTeX over lines": ("\\(a\n  *= b*\\)", "\\(a<br>\n*= b*\\)"),
    "a mark of LaTeX alone": (r"a \( b, \] c", r"a \( b, \] c"),
    "emphasis around LaTeX": (r"**so \(a_1\)**", r"<strong>so \(a_1\)</strong>"),
    "dollars": (
        r"Take $a_1 * b_2 * c_3$ and $$\sum_{i=1}^{n} x_i * y$$",
        r"Take $a_1 * b_2 * c_3$ and $$\sum_{i=1}^{n} x_i * y$$",
    ),
    "prices": ("It costs $5 *or* $6, not $7*", "It costs $5 <em>or</em> $6, not $7*"),
    "dollars of a shell": (
        "`$HOME` *and* `$PATH`",
        '<code dir="ltr">$HOME</code> <em>and</em> <code dir="ltr">$PATH</code>',
    ),
    "escaped dollar": (r"\$5 *a* \$6", "$5 <em>a</em> $6"),
    "dollars without end": ("$$ and *b*", "$$ and <em>b</em>"),
    "other escapes": (r"\*a\* \_b\_ 1\. C:\dir", r"*a* _b_ 1. C:\dir"),
    "footnote": ("Text[^1] and[^note].", "Text[^1] and[^note]."),
    "footnote that looks like a link": ("Text[^1](see)", "Text[^1](see)"),
    "footnotes": ("[^1]: Note\n[^2]: https://example.com", f"[^1]: Note<br>\n[^2]: {link('https://example.com')}"),
    "a speaker is no definition": ("[Alice]: Hello\n[INFO]: started", "[Alice]: Hello<br>\n[INFO]: started"),
    "citations": ("rose %[1]% [1][2]【4:0†source】", "rose %[1]% [1][2]【4:0†source】"),
    "address": (
        "See https://example.com/a_b_c?x=1&y=2 for",
        f"See {link('https://example.com/a_b_c?x=1&amp;y=2')} for",
    ),
    "address in brackets": ("(https://example.com/a_(b)).", f"({link('https://example.com/a_(b)')})."),
    "address in bold": ("**https://example.com/x**!", f"<strong>{link('https://example.com/x')}</strong>!"),
    "address before CJK": ("看https://example.com/a。好", f"看{link('https://example.com/a')}。好"),
    "address at home": ("HTTP://127.0.0.1:8000/", link("http://127.0.0.1:8000/", "HTTP://127.0.0.1:8000/")),
    "address as label": ("[https://a.example](https://b.example)", link("https://b.example", "https://a.example")),
    "address in angles": ("<https://ok.example>", link("https://ok.example")),
    "no address": ("xhttps://a.example https:// ://a", "xhttps://a.example https:// ://a"),
    "address in code": ("`https://a.example`", '<code dir="ltr">https://a.example</code>'),
    "a scheme that is no link keeps its address": ("[x](ftp://a.example)", "[x](ftp://a.example)"),
    "script": ("[x](javascript:alert(1)) <javascript:a>", "[x](javascript:alert(1)) &lt;javascript:a&gt;"),
    "link around nothing": ("[](https://a.example)", link("https://a.example")),
    "image of code and LaTeX": (r"![a `b` \(c\)](https://a.example)", link("https://a.example", r"a b \(c\)")),
    "entities": (
        "&lt;div&gt; &amp; &copy; 5 < 6 && 7 > 3 &foo;",
        "&lt;div&gt; &amp; © 5 &lt; 6 &amp;&amp; 7 &gt; 3 &amp;foo;",
    ),
    "comment": ("a <!-- hidden --> b", "a &lt;!-- hidden --&gt; b"),
    "tags": ("<thinking>plan\nsteps</thinking>", "&lt;thinking&gt;plan<br>\nsteps&lt;/thinking&gt;"),
    "one tilde": ("H~2~O and x^2^", "H~2~O and x^2^"),
    "colours of a terminal": ("\x1b[32mPASS\x1b[0m 3 \x1b]0;title\x07tests\x08", "PASS 3 tests"),
    "bidi override": ("a\u202eevil\u202c b", "a‹U+202E›evil‹U+202C› b"),
    "bidi override by entity": ("a&#x202e;evil", "a‹U+202E›evil"),
    "bidi override in code": ("`\u2066x`", '<code dir="ltr">‹U+2066›x</code>'),
    "joined emoji and spaces": ("zero\u200bwidth\u00a0nb 👨‍👩‍👧 🇩🇪", "zero\u200bwidth&nbsp;nb 👨‍👩‍👧 🇩🇪"),
    "heading without blank": ("##Heading", "##Heading"),
    "half a pair": ("a\ud83db", "a\ufffdb"),
}

CODE = '<pre class="code" dir="ltr" tabindex="0"><code>'
TABLE = '<table tabindex="0">\n<thead>\n<tr>\n{}</tr>\n</thead>\n<tbody>\n<tr>\n{}</tr>\n</tbody>\n</table>\n'


def cells(kind: str, *texts: str) -> str:
    return "".join(f'<{kind} dir="auto">{text}</{kind}>\n' for text in texts)


def p(text: str) -> str:
    return f'<p dir="auto">{text}</p>\n'


def items(*texts: str) -> str:
    return "<ul>\n" + "".join(f'<li dir="auto">{text}</li>\n' for text in texts) + "</ul>\n"


BLOCKS = {
    "headings": (
        "# a\n\n## b\n\n### c\n\n###### f",
        '<h4 dir="auto">a</h4>\n<h5 dir="auto">b</h5>\n<h6 dir="auto">c</h6>\n<h6 dir="auto">f</h6>\n',
    ),
    "underlined heading": ("a\n===\nb", f'<h4 dir="auto">a</h4>\n{p("b")}'),
    "table without a blank line": (
        "Prices:\n| a | b |\n|---|---|\n| 1 | 2 |",
        p("Prices:") + TABLE.format(cells("th", "a", "b"), cells("td", "1", "2")),
    ),
    "br in a cell": ("| a |\n|---|\n| 1<br>2 |", TABLE.format(cells("th", "a"), cells("td", "1<br>\n2"))),
    "escaped bar": (
        r"| a | b |" + "\n|---|---|\n" + r"| x \| y | 2 |",
        TABLE.format(cells("th", "a", "b"), cells("td", "x | y", "2")),
    ),
    "bar in code": (
        "| a | b |\n|---|---|\n| `x | y` | 2 |",
        TABLE.format(cells("th", "a", "b"), cells("td", '<code dir="ltr">x | y</code>', "2")),
    ),
    "more cells than columns": (
        "| a | b |\n|---|---|\n| 1 | 2 | 3 | 4 |",
        TABLE.format(cells("th", "a", "b"), cells("td", "1", "2 | 3 | 4")),
    ),
    "fewer cells than columns": (
        "| a | b |\n|---|---|\n| 1 |",
        TABLE.format(cells("th", "a", "b"), cells("td", "1", "")),
    ),
    "tasks": ("- [x] done\n- [ ] open\n- [y] text", items("☑ done", "☐ open", "[y] text")),
    "display formula": (
        "So\n\\[\nx = a\n- b\n=\n\\]\nand *on*",
        p("So") + p("\\[<br>\nx = a<br>\n- b<br>\n=<br>\n\\]") + p("and <em>on</em>"),
    ),
    "display formula of dollars": ("$$\n# x\n+ y_1 * z_1 *\n$$", p("$$<br>\n# x<br>\n+ y_1 * z_1 *<br>\n$$")),
    "display formula without end": ("\\[\nx *y*\n\n- *b*", p("\\[<br>\nx <em>y</em>") + items("<em>b</em>")),
    "display formula in an item": (
        "- a\n\n  $$\n  - x\n  $$\n- b",
        '<ul>\n<li dir="auto">\n<p>a</p>\n<p>$$<br>\n- x<br>\n$$</p>\n</li>\n<li dir="auto">\n<p>b</p>\n</li>\n</ul>\n',
    ),
    "unclosed fence": ("Here:\n```\nprint(1)", p("Here:") + f"{CODE}print(1)</code></pre>\n"),
    "fence in a fence": ("````\n```js\nx\n```\n````", f"{CODE}```js\nx\n```\n</code></pre>\n"),
    "name of a file": (
        "```python title=a.py\n1\n```",
        f'<p class="code-label" dir="auto">title=a.py</p>\n{CODE}<span class="mi">1</span>\n</code></pre>\n',
    ),
    "text for a language": (
        "```Total is 5\nrest\n```",
        f'<p class="code-label" dir="auto">Total is 5</p>\n{CODE}rest\n</code></pre>\n',
    ),
    "control characters in code": ("```\n\x1b[31mred\x1b[0m \u202ex\n```", f"{CODE}red ‹U+202E›x\n</code></pre>\n"),
    "quotation": ("> a\n> b\n>\n> c", '<blockquote dir="auto">\n<p>a<br>\nb</p>\n<p>c</p>\n</blockquote>\n'),
    "numbers": ("7. seven\n8. eight", '<ol start="7">\n<li dir="auto">seven</li>\n<li dir="auto">eight</li>\n</ol>\n'),
    "definition": ("[a]: https://a.example\n\n[a] and [b]", p(f"{link('https://a.example', 'a')} and [b]")),
}


@pytest.mark.parametrize(("text", "expected"), LINES.values(), ids=LINES)
def test_a_line_of_a_chat_reads_as_it_was_meant(text: str, expected: str) -> None:
    assert render(text) == p(expected)
    assert_inert(render(text))
    for size in (1, 3, 1000):
        assert streamed(text, size) == p(expected)


@pytest.mark.parametrize(("text", "expected"), BLOCKS.values(), ids=BLOCKS)
def test_a_block_of_a_chat_reads_as_it_was_meant(text: str, expected: str) -> None:
    assert render(text) == expected
    for size in (1, 3, 1000):
        assert streamed(text, size) == expected
