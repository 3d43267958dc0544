"""Markdown of agents' answers as safe HTML; `markdown_stream` does it while they arrive.

An answer is somebody else's text. markdown-it-py renders it with HTML switched off, Pygments colours code by class, and
nh3 lets through only what stands in the allow-list below. Images become links, because loading one would tell its
server that the answer was read. What a chat needs beyond CommonMark stands in `block_rules` and `inline_rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from html import escape
from typing import Any

import nh3
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from apps.core.markdown import block_rules, inline_rules
from apps.core.text.escapes import with_visible_bidi, without_escapes

MAX_CHARACTERS = 200_000
"""What is behind them is shown as it is written: rendering costs about 3 ms per 1,000 characters."""
SMALLEST_PLAIN_PART = 4_000
"""The rest of a longer text is shown in parts of about this size, so that a page can leave out those out of sight."""

_TAGS = {
    "a", "blockquote", "br", "code", "em", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "span", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "blockquote": {"dir"},
    "code": {"dir"},
    "h4": {"dir"},
    "h5": {"dir"},
    "h6": {"dir"},
    "li": {"dir"},
    "ol": {"start"},
    "p": {"class", "dir"},
    "pre": {"class", "dir", "tabindex"},
    "span": {"class"},
    "table": {"tabindex"},
    "td": {"class", "dir"},
    "th": {"class", "dir"},
}
_URL_SCHEMES = {"http", "https", "mailto"}
_CLEANER = nh3.Cleaner(
    tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_URL_SCHEMES, link_rel="noopener noreferrer nofollow"
)
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)
_ALIGN_CLASSES = {"text-align:right": "align-right", "text-align:center": "align-center"}


_CODE = '<pre class="code" dir="ltr" tabindex="0">'  # focusable, so that the keyboard can scroll it sideways
# Each of them takes the direction of its own letters; a browser does not look for those in a child that does so too.
_HAS_DIRECTION = {"heading_open", "list_item_open", "blockquote_open", "th_open", "td_open"}
_HEADING_SHIFT = 3  # the page has a heading of the third level for each turn
_TASKS = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}


def _lexer(language: str) -> Any:
    try:
        return get_lexer_by_name(language, stripnl=False) if language else None
    except ClassNotFound:
        return None


def _coloured(code: str, language: str, _attributes: str) -> str:
    lexer = _lexer(language)
    return highlight(code, lexer, _FORMATTER) if lexer else escape(code)


def _fence(renderer: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    # What stands behind the language, or instead of it, is no mark: a file's name, or the first line of a text.
    language, _, more = tokens[idx].info.strip().partition(" ")
    label = more.strip() if not language or _lexer(language) else tokens[idx].info.strip()
    before = f'<p class="code-label" dir="auto">{escape(label)}</p>\n' if label else ""
    return before + RendererHTML.fence(renderer, tokens, idx, options, env).replace("<pre>", _CODE, 1)


def _code_block(renderer: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    return f"{_CODE}<code>{escape(tokens[idx].content)}</code></pre>\n"


def _formula(renderer: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    return escape(tokens[idx].content)


def _image(renderer: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    image = tokens[idx]
    label = escape("".join(_words_of(image.children or [])).strip() or "image")
    depth = sum(token.nesting for token in tokens[:idx] if token.type in {"link_open", "link_close"})
    if depth > 0:
        return label
    title = f' title="{escape(str(image.attrGet("title")))}"' if image.attrGet("title") else ""
    return f'<a href="{escape(str(image.attrGet("src") or ""))}"{title}>{label}</a>'


def _words_of(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in {"softbreak", "hardbreak"}:
            yield " "
        elif token.type == "image":
            yield from _words_of(token.children or [])
        else:
            yield token.content


def _present(state: StateCore) -> None:
    """What the page wants of the tokens: classes, directions, levels of headings."""
    for place, token in enumerate(state.tokens):
        kind = token.type
        if kind in _HAS_DIRECTION or (kind == "paragraph_open" and token.level == 0):
            token.attrSet("dir", "auto")
        if kind in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + _HEADING_SHIFT, 6)}"
        elif kind in {"th_open", "td_open"}:
            # A style attribute would be refused by the content security policy.
            align = _ALIGN_CLASSES.get(str(token.attrs.pop("style", "")))
            if align:
                token.attrSet("class", align)
        elif kind == "table_open":
            token.attrSet("tabindex", "0")
        elif kind == "inline":
            children = token.children or []
            if place > 1 and state.tokens[place - 2].type == "list_item_open":
                _present_task(children)
            token.children = list(_presented(children))


def _present_task(children: list[Token]) -> None:
    first = children[0] if children else None
    if first is not None and first.type == "text" and first.content[:4] in _TASKS:
        first.content = _TASKS[first.content[:4]] + first.content[4:]


def _presented(children: list[Token]) -> Iterator[Token]:
    before = None
    for child in children:
        if child.type == "code_inline":
            child.attrSet("dir", "ltr")
        elif child.type == "link_close" and before is not None and before.type == "link_open":
            # A link around nothing could not be seen.
            yield Token("text", "", 0, content=str(before.attrGet("href") or ""))
        yield child
        before = child


def _is_linked(url: str) -> bool:
    """Whether a link to this would stay one; the source of another is shown, since its address would be lost."""
    scheme, colon, _ = url.partition(":")
    return not colon or scheme.lower() in _URL_SCHEMES or not scheme.replace("+", "").isalnum()


def _parser(*, is_coloured: bool) -> MarkdownIt:
    options = {
        "html": False, "linkify": False, "breaks": True, "maxNesting": block_rules.MAX_DEPTH + 5,
        "highlight": _coloured if is_coloured else None,
    }  # fmt: skip
    parser = MarkdownIt("gfm-like", options)
    parser.disable(["linkify", "html_block", "html_inline"], ignoreInvalid=True)  # switched off anyway
    parser.validateLink = _is_linked  # type: ignore[method-assign]
    ends: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.before("table", "flat", block_rules.flat)
    parser.block.ruler.before("fence", "display_formula", block_rules.display_formula, ends)
    parser.block.ruler.at("table", block_rules.whole_table, {"alt": ["paragraph", "reference"]})
    parser.block.ruler.at("reference", block_rules.definition)
    parser.inline = inline_rules.ChatInline(parser.inline)
    parser.inline.ruler.before("escape", "formula", inline_rules.formula)
    parser.inline.ruler.before("escape", "bare_link", inline_rules.bare_link)
    parser.inline.ruler.before("autolink", "line_break", inline_rules.line_break)
    parser.inline.ruler.at("link", inline_rules.link_but_no_footnote)
    parser.inline.ruler.at("image", inline_rules.some_image)
    parser.core.ruler.push("present", _present)
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("code_block", _code_block)
    parser.add_render_rule("formula", _formula)
    parser.add_render_rule("image", _image)
    return parser


_PARSER = _parser(is_coloured=True)
_PLAIN_PARSER = _parser(is_coloured=False)


def parse(text: str, references: MutableMapping[str, Any]) -> list[Token]:
    """The tokens of `text`, knowing the link definitions in `references` and adding those found in it."""
    return _PARSER.parse(text, {"references": references})


def parse_inline(text: str, references: MutableMapping[str, Any]) -> list[Token]:
    """The same for what stands inside one paragraph, heading or item: `text` is no block, whatever it begins with."""
    return _PARSER.parseInline(text, {"references": references})


def html_of(tokens: Sequence[Token], *, is_coloured: bool = True) -> SafeString:
    """Safe HTML of tokens; code without its colours costs a fraction."""
    parser = _PARSER if is_coloured else _PLAIN_PARSER
    html = parser.renderer.render(tokens, parser.options, {})
    return mark_safe(with_visible_bidi(_CLEANER.clean(html)))  # noqa: S308 -- just cleaned


def render(text: str, whole_url: str = "") -> SafeString:
    """The whole of `text` as safe HTML; what is behind `MAX_CHARACTERS` as it is written.

    `whole_url` is where such a long text can be had.
    """
    text = without_escapes(text)
    html = html_of(parse(text[:MAX_CHARACTERS], {}))
    rest = text[MAX_CHARACTERS:]
    if not rest:
        return html
    return mark_safe(html + rest_note(whole_url) + "".join(map(plain_part, plain_parts(rest))))  # noqa: S308


def rest_note(whole_url: str) -> str:
    """What stands between the part of a long text that is rendered and the one that is not, with the way to all."""
    note = gettext("This answer has more than %(count)s characters. What follows is shown without formatting.")
    download = escape(gettext("Download the whole answer."))
    way = f' <a href="{escape(whole_url)}?download=1" download>{download}</a>' if whole_url else ""
    return f'<p class="rest-note" dir="auto">{escape(note % {"count": f"{MAX_CHARACTERS:,}"})}{way}</p>\n'


def plain_part(text: str, growth: str = "") -> str:
    """A part of the rest, with `growth`, which is HTML, at its end."""
    # A browser leaves out a line feed behind the tag.
    return f'<pre class="rest" dir="auto">\n{plain_html(text)}{growth}</pre>\n'


def plain_html(text: str) -> str:
    """Text as HTML that shows it as it is."""
    return with_visible_bidi(escape(text, quote=False))


def plain_parts(text: str) -> Iterator[str]:
    """Split the rest of a long text at ends of lines, or where there are none; alike wherever a stream was cut."""
    start = 0
    while start < len(text):
        line_end = text.find("\n", start + SMALLEST_PLAIN_PART - 1, start + 2 * SMALLEST_PLAIN_PART)
        end = line_end + 1 if line_end >= 0 else start + 2 * SMALLEST_PLAIN_PART
        yield text[start:end]
        start = end
