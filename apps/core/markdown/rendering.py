"""Markdown of agents' answers as safe HTML; `markdown_stream` does it while they arrive.

An answer is somebody else's text. markdown-it-py renders it with HTML switched off, Pygments colours code by class, and
nh3 lets through only what stands in the allow-list below. Images become links, because loading one would tell its
server that the answer was read.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from html import escape
from typing import Any

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

MAX_CHARACTERS = 200_000
"""A longer text is shown as it is, in one `<pre>`: rendering costs about 3 ms per 1,000 characters."""

_TAGS = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
    "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "ol": {"start"},
    "pre": {"class", "tabindex"},
    "span": {"class"},
    "table": {"tabindex"},
    "td": {"class"},
    "th": {"class"},
}
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
)
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)
_ALIGN_CLASSES = {"text-align:right": "align-right", "text-align:center": "align-center"}


def _coloured(code: str, language: str, _attributes: str) -> str:
    try:
        lexer = get_lexer_by_name(language, stripnl=False) if language else None
    except ClassNotFound:
        lexer = None
    return highlight(code, lexer, _FORMATTER) if lexer else escape(code)


def _fence(renderer: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    # Focusable, so that the keyboard can scroll it sideways.
    html = RendererHTML.fence(renderer, tokens, idx, options, env)
    return html.replace("<pre>", '<pre class="code" tabindex="0">', 1)


def _code_block(renderer: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    return f'<pre class="code" tabindex="0"><code>{escape(tokens[idx].content)}</code></pre>\n'


def _image(renderer: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    image = tokens[idx]
    label = escape(renderer.renderInlineAsText(image.children or [], options, env) or "image")
    depth = sum(token.nesting for token in tokens[:idx] if token.type in {"link_open", "link_close"})
    if depth > 0:
        return label
    return f'<a href="{escape(str(image.attrGet("src") or ""))}">{label}</a>'


def _classes_for_styles(state: StateCore) -> None:
    # A style attribute would be refused by the content security policy.
    for token in state.tokens:
        if token.type in {"th_open", "td_open"}:
            align = _ALIGN_CLASSES.get(str(token.attrs.pop("style", "")))
            if align:
                token.attrSet("class", align)
        elif token.type == "table_open":
            token.attrSet("tabindex", "0")


def _parser(*, is_coloured: bool) -> MarkdownIt:
    parser = MarkdownIt("gfm-like", {"html": False, "linkify": False, "highlight": _coloured if is_coloured else None})
    parser.disable(["linkify", "html_block", "html_inline"], ignoreInvalid=True)  # switched off anyway
    parser.core.ruler.push("classes_for_styles", _classes_for_styles)
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("code_block", _code_block)
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
    return mark_safe(_CLEANER.clean(html))  # noqa: S308 -- just cleaned


def render(text: str) -> SafeString:
    """The whole of `text` as safe HTML, or in one `<pre>` when it is longer than `MAX_CHARACTERS`."""
    if len(text) > MAX_CHARACTERS:
        return mark_safe(f'<pre class="code" tabindex="0">{escape(text)}</pre>\n')  # noqa: S308 -- escaped
    return html_of(parse(text, {}))
