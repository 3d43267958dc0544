"""Markdown of agents' answers as safe HTML: whole, or as it streams in.

An answer is somebody else's text. markdown-it-py renders it with HTML switched off, Pygments colours code by class, and
nh3 lets through only what stands in the allow-list below. Images become links, because loading one would tell its
server that the answer was read.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Sequence
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
MAX_OPEN_CHARACTERS = 4_000
MAX_OPEN_LINES = 150
"""How much of an unfinished block is rendered again with every piece of a stream; see `MarkdownStream`."""
MAX_COLOURED_OPEN_CHARACTERS = 1_500
"""Code in a longer open tail gets its colours when it closes: they are most of the cost."""
MAX_REOPENED_FENCE_CHARACTERS = 200

# Words without any of these cannot change how the text before them reads, unless it ends in one of these. Of blanks,
# only the plain space is none of them.
_BLANKS = "".join(character for character in map(chr, range(0x10000)) if character.isspace() and character != " ")
_MARKS = rf"{_BLANKS}\x00-\x1f\x7f\\`*_~\[\])<>&;|#"
_PLAIN = re.compile(f"[^{_MARKS}]*")
_ENDS_PLAINLY = re.compile(f"[^{_MARKS} ]$")
# A line that begins so starts a block of its own whatever follows, and ends the block before it.
_STARTS_BLOCK = re.compile(r"(?:[-*+] |#{1,6} )?[^\W\d_]")
_BLOCK_ENDS = re.compile(r"(?:</(?:p|li|ul|ol|blockquote|h[1-6])>\n?)+$")

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
        lexer = get_lexer_by_name(language) if language else None
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


def _html(text: str, references: dict[str, Any]) -> SafeString:
    """Render `text`, knowing the link definitions in `references` and adding those found in it."""
    return mark_safe(_CLEANER.clean(_PARSER.render(text, {"references": references})))  # noqa: S308 -- just cleaned


def _rendered(tokens: list[Token], *, is_coloured: bool = True) -> SafeString:
    parser = _PARSER if is_coloured else _PLAIN_PARSER
    html = parser.renderer.render(tokens, parser.options, {})
    return mark_safe(_CLEANER.clean(html))  # noqa: S308 -- just cleaned


def _is_block(token: Token) -> bool:
    """Whether a top-level block begins with it."""
    return token.level == 0 and token.nesting >= 0 and bool(token.map)


def _starts(token: Token) -> int:
    """The line in which it starts, -1 for one that ends a block."""
    return token.map[0] if token.map else -1


def render(text: str) -> SafeString:
    """The whole of `text` as safe HTML, or in one `<pre>` when it is longer than `MAX_CHARACTERS`."""
    if len(text) > MAX_CHARACTERS:
        return mark_safe(f'<pre class="code" tabindex="0">{escape(text)}</pre>\n')  # noqa: S308 -- escaped
    return _html(text, {})


class MarkdownStream:
    """Renders an answer while it arrives: what is closed once, what is open again with every piece.

    A top-level block (paragraph, list, table, fence, …) is closed as soon as a line behind it has certainly started
    another block; no later text can change it then. Guaranteed: all closed pieces and the rest from `close()`, joined,
    equal `render` of the whole text, however it was split, for texts up to `MAX_CHARACTERS` in which link definitions
    stand before their use and no block is longer than `MAX_OPEN_CHARACTERS` or `MAX_OPEN_LINES`. Otherwise the text is
    complete and safe as well, but looks different until it is rendered as a whole: a link whose definition comes later
    shows its source, and a block that stays open for too long is cut, a fence being opened anew behind the cut.

    So a piece costs at most the rendering of itself and of an open block of that size, whatever came before it. Most
    pieces cost next to nothing: words that go on with a paragraph, a heading or an item of a list. With a `growth_id`
    the open tail holds an empty `<span id="growth_id">` where such words belong, and `extend` takes them.
    """

    def __init__(self, growth_id: str = "") -> None:
        self._growth_id = growth_id
        self._open = ""
        self._held = ""  # taken, but of no effect on the rendering before something follows it
        self._can_grow = False
        self._references: dict[str, Any] = {}

    def extend(self, text: str) -> SafeString | None:
        """Take plain words that go on with the last line: answer what to append to the growth element.

        None, and nothing is taken, where the open tail has to be rendered again: then `feed` the text. Blanks at the
        end, which no rendering shows, are held back until a word follows.
        """
        if not self._can_grow or len(self._open) + len(text) > MAX_OPEN_CHARACTERS:
            return None
        line = text.rstrip("\n")
        words = line.rstrip(" ")
        if not _PLAIN.fullmatch(words):
            return None
        # The end of the text counts as a blank, so a blank changes nothing; but `# a #` ends in a mark, `# a # b` not.
        if not self._held and text[:1] not in " \n" and not _ENDS_PLAINLY.search(self._open[-1:]):
            return None
        self._can_grow = line == text
        if not words:
            self._held += text
            return SafeString("")
        shown = SafeString(self._held + words)  # no character in it has to be escaped
        self._open += shown
        self._held = text[len(words) :]
        return shown

    def feed(self, text: str) -> tuple[SafeString, SafeString]:
        """Take the next piece; answer the HTML of the blocks that it closed and of the whole open tail."""
        text = self._held + text
        # "\r" may be the first half of "\r\n".
        self._held = "\r" if text.endswith("\r") else ""
        text = re.sub("\r\n?", "\n", text.removesuffix("\r"))
        self._open += text
        closed = SafeString("")
        tokens, has_definitions = self._parsed(self._open)
        first_line = 0
        if "\n" in text and (line := self._line_of_last_block(tokens)):
            place = next(
                (place for place, token in enumerate(tokens) if token.level == 0 and _starts(token) == line), 0
            )
            if place and not has_definitions:
                closed, tokens, first_line = _rendered(tokens[:place]), tokens[place:], line
                self._open = self._open[self._offset_of(line) :]
            else:
                closed = self._close_until(self._offset_of(line))
                tokens, _ = self._parsed(self._open)
        if len(self._open) > MAX_OPEN_CHARACTERS or self._open.count("\n") > MAX_OPEN_LINES:
            closed += self._close_by_force()
            (tokens, _), first_line = self._parsed(self._open), 0
        return closed, self._tail(tokens, first_line)

    def tail(self) -> SafeString:
        """The HTML of the whole open tail as it stands."""
        tokens, _ = self._parsed(self._open)
        return self._tail(tokens, 0)

    def _tail(self, tokens: list[Token], first_line: int) -> SafeString:
        """Render the tail; its tokens count lines from `first_line`."""
        html = _rendered(tokens, is_coloured=len(self._open) <= MAX_COLOURED_OPEN_CHARACTERS)
        goes_on = self._growth_id and not self._held.strip(" ") and self._goes_on(tokens, first_line)
        end = _BLOCK_ENDS.search(html) if goes_on else None
        self._can_grow = end is not None
        if end is None:
            return html
        shown = self._open.rstrip(" ")
        self._open, self._held = shown, self._open[len(shown) :] + self._held
        growth = f'<span id="{escape(self._growth_id)}"></span>'
        return mark_safe(f"{html[: end.start()]}{growth}{html[end.start() :]}")  # noqa: S308 -- both are safe HTML

    def close(self) -> SafeString:
        """The HTML of the rest; the stream starts anew."""
        self._open += self._held.replace("\r", "\n")
        rest = _rendered(self._parsed(self._open)[0])
        self.__init__(self._growth_id)  # type: ignore[misc]
        return rest

    def _goes_on(self, tokens: list[Token], first_line: int) -> bool:
        """Whether plain words behind the open tail are simply more of its last line.

        They are where this line, and the first one of its block, begin with a letter, so that neither can become
        something else.
        """
        if self._open.rstrip(" ").endswith(("\n", "#")):
            return False
        place = next((place for place in range(len(tokens) - 1, 0, -1) if tokens[place].nesting >= 0), None)
        if place is None:
            return False
        last = tokens[place]
        if last.type != "inline" or tokens[place - 1].type not in {"paragraph_open", "heading_open"}:
            return False
        if last.map is None or last.map[1] != first_line + self._open.count("\n") + 1:
            return False
        last_line = last.content[last.content.rfind("\n") + 1 :]
        is_shown_last = self._open.rstrip(" ").endswith(last_line)
        return is_shown_last and last_line[:1].isalpha() and last.content[:1].isalpha()

    def _parsed(self, text: str) -> tuple[list[Token], bool]:
        """The tokens of a text, and whether it defines links. In the open tail a definition may be incomplete."""
        definitions: dict[str, Any] = {}
        tokens = _PARSER.parse(text, {"references": ChainMap(definitions, self._references)})
        return tokens, bool(definitions)

    def _complete_blocks(self) -> list[Token]:
        """The top-level blocks of the complete lines of the tail."""
        tokens, _ = self._parsed(self._open[: self._open.rfind("\n") + 1])
        return [token for token in tokens if _is_block(token)]

    def _line_of_last_block(self, tokens: list[Token]) -> int:
        """The line in which the last block starts that nothing can join to the one before it, which is then finished.

        That is one whose first line is complete, or can become nothing else.
        """
        blocks = [token for token in tokens if _is_block(token)]
        if len(blocks) < 2:
            return 0
        line = _starts(blocks[-1])
        if _STARTS_BLOCK.match(self._open, self._offset_of(line)):
            return line
        complete = self._complete_blocks()  # parsing costs most of all, hence last
        return _starts(complete[-1]) if len(complete) > 1 else 0

    def _offset_of(self, line: int) -> int:
        return sum(len(text) + 1 for text in self._open.split("\n", line)[:-1])

    def _close_until(self, end: int) -> SafeString:
        closed, self._open = self._open[:end], self._open[end:]
        return _html(closed, self._references) if closed else SafeString("")

    def _close_by_force(self) -> SafeString:
        opening = self._opening_of_fence()
        half = len(self._open) // 2
        end = max(self._open.rfind("\n"), -1 if opening else self._open.rfind(" ")) + 1
        closed = self._close_until(end if end > half else len(self._open))
        self._open = opening + self._open
        return closed

    def _opening_of_fence(self) -> str:
        """The line that opens the fence in which the tail ends, or nothing."""
        blocks = self._complete_blocks()
        if not blocks or blocks[-1].type != "fence" or blocks[-1].map is None:
            return ""
        fence, lines = blocks[-1], self._open.split("\n")[blocks[-1].map[0] : blocks[-1].map[1]]
        last = lines[-1].strip()
        is_closed = len(lines) > 1 and len(last) >= len(fence.markup) and not last.strip(fence.markup[0])
        opening = f"{fence.markup}{fence.info}\n"
        return "" if is_closed or len(opening) > MAX_REOPENED_FENCE_CHARACTERS else opening
