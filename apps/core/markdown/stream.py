"""Markdown as it streams in: what is closed is rendered once, what is open as seldom and as little as can be.

Reading markdown is most of the cost of an answer: a list of six items takes a millisecond, thirty lines of code three.
"""

from __future__ import annotations

import re
from collections import ChainMap
from html import escape
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from markdown_it.token import Token

from apps.core.markdown.ends import Code, Line, Plain, Row, is_block, is_closed
from apps.core.markdown.rendering import MAX_CHARACTERS, html_of, parse, plain_part, plain_parts, rest_note
from apps.core.text.escapes import EscapeFilter

MAX_OPEN_CHARACTERS = 4_000
MAX_OPEN_LINES = 150
"""How much of an unfinished block is rendered again with a piece of a stream; see `MarkdownStream`."""
MAX_BEGUN_CHARACTERS = 200
"""A block that begins with no more than that, as a piece of a stream has, is known by its first line."""
MAX_COLOURED_OPEN_CHARACTERS = 1_500
"""Code in a longer open tail gets its colours when it closes: they are most of the cost."""
MAX_REOPENED_FENCE_CHARACTERS = 200

# A line that begins so starts a block of its own whatever follows, and ends the block before it.
_STARTS_BLOCK = re.compile(r"(?:[-*+] |#{1,6} )?[^\W\d_]")


class MarkdownStream:
    """Renders an answer while it arrives: what is closed once, what is open again with a piece that needs it.

    A top-level block (paragraph, list, table, fence, …) is closed as soon as a line behind it has certainly started
    another block; no later text can change it then. Guaranteed: all closed pieces and the rest from `close()`, joined,
    equal `render` of the whole text, however it was split, for texts in which link definitions stand before their use
    and no block is longer than `MAX_OPEN_CHARACTERS` or `MAX_OPEN_LINES`. Otherwise the text is complete and safe as
    well, but looks different until it is rendered as a whole: a link whose definition comes later shows its source, and
    a block that stays open for too long is cut, a fence being opened anew behind the cut.

    So a piece costs at most the rendering of itself and of an open block of that size, whatever came before it. With a
    `growth_id` most pieces cost next to nothing: the open tail holds an empty `<span id="growth_id">` where words that
    go on with it belong, and `extend` takes them. Of what is open a lone mark at the beginning of a line is then shown
    with what it marks, the row of a table when it is complete, and code gets its colours now and then.
    """

    def __init__(self, growth_id: str = "", whole_url: str = "") -> None:
        self._whole_url = whole_url  # see `render`
        self._growth = f'<span id="{escape(growth_id)}"></span>' if growth_id else ""
        self._open = ""
        self._held = ""  # taken, but of no effect on the rendering before something follows it
        self._end: Line | Code | Row | Plain | None = None
        self._references: dict[str, Any] = {}
        self._escapes = EscapeFilter()
        self._left = MAX_CHARACTERS

    def extend(self, text: str) -> SafeString | None:
        """Take text that only goes on with the end: answer what to append to the growth element.

        None, and nothing is taken, where the open tail has to be rendered again: then `feed` the text.
        """
        end, size = self._end, len(text)
        if end is None or self._escapes.is_holding or not self._has_room(self._held + text):
            return None
        is_fit = size <= self._left or isinstance(end, Plain)
        growth = end.extend(self._held, text) if is_fit else None
        if growth is None:
            return None
        self._left = max(self._left - size, 0)
        source, html, self._held = growth
        self._open += source
        return SafeString(html)  # plain words, or escaped

    def feed(self, text: str) -> tuple[SafeString, SafeString]:
        """Take the next piece; answer the HTML of the blocks that it closed and of the whole open tail."""
        closed, tail = self._take(self._escapes.feed(text))
        return mark_safe(closed), mark_safe(tail)  # noqa: S308 -- both were made by what this calls

    def close(self) -> SafeString:
        """The HTML of the rest; the stream starts anew."""
        closed, _ = self._take(self._escapes.close())
        rest = self._close_open()
        self._references, self._left = {}, MAX_CHARACTERS
        return mark_safe(closed + rest)  # noqa: S308 -- as above

    def _take(self, text: str) -> tuple[str, str]:
        """Take clean text: what is behind `MAX_CHARACTERS` as it is."""
        if len(text) <= self._left:
            self._left -= len(text)
            return self._take_markdown(text)
        begin, self._left = self._left, 0
        if isinstance(self._end, Plain):
            return self._take_plain(text)
        closed, _ = self._take_markdown(text[:begin])
        closed += self._close_open() + rest_note(self._whole_url)
        more, tail = self._take_plain(text[begin:])
        return closed + more, tail

    def _take_plain(self, text: str) -> tuple[str, str]:
        *parts, self._open = plain_parts(self._open + text)
        self._end = Plain()
        return "".join(map(plain_part, parts)), plain_part(self._open, self._growth)

    def _take_markdown(self, text: str) -> tuple[str, str]:
        if isinstance(self._end, Plain):
            return "", plain_part(self._open, self._growth)  # there is no text
        text = self._held + text
        closed, line = "", self._end
        if isinstance(line, Line) and self._has_room(text):
            growth = line.go_on(text, self._references)
            if growth is not None:
                self._open += growth.source
                self._held = growth.held
                return "", line.html(self._references, self._growth)
            if line.is_followed_by(text):
                closed = line.html(self._references)
                self._open, text = "", text.lstrip(" \n")
        more, tail = self._read(text)
        return closed + more, tail

    def _close_open(self) -> str:
        """The HTML of the open end, which is then empty."""
        text = self._open + self._held
        html = plain_part(text) if isinstance(self._end, Plain) else html_of(self._parsed(text)[0])
        self._open, self._held, self._end = "", "", None
        return html

    def _has_room(self, text: str) -> bool:
        lines = self._open.count("\n") + text.count("\n")
        return len(self._open) + len(text) <= MAX_OPEN_CHARACTERS and lines <= MAX_OPEN_LINES

    def _read(self, text: str) -> tuple[str, str]:
        """Read the whole open tail, and see what its end is now."""
        may_begin = self._growth and not self._open and len(text) <= MAX_BEGUN_CHARACTERS
        self._held = ""
        self._open += text
        if may_begin and (begun := Line.begin(text)):
            return "", self._begin_line(begun)
        closed = ""
        tokens, has_definitions = self._parsed(self._open)
        first_line = 0
        if "\n" in text and (line := self._line_of_last_block(tokens)):
            place = next(
                (place for place, token in enumerate(tokens) if token.level == 0 and _starts(token) == line), 0
            )
            if place and not has_definitions:
                closed, tokens, first_line = html_of(tokens[:place]), tokens[place:], line
                self._open = self._open[self._offset_of(line) :]
            else:
                closed = self._close_until(self._offset_of(line))
                tokens, has_definitions = self._parsed(self._open)
        if len(self._open) > MAX_OPEN_CHARACTERS or self._open.count("\n") > MAX_OPEN_LINES:
            closed += self._close_by_force()
            (tokens, has_definitions), first_line = self._parsed(self._open), 0
        html = html_of(tokens, is_coloured=len(self._open) <= MAX_COLOURED_OPEN_CHARACTERS)
        is_simple = bool(self._growth) and not has_definitions
        return closed, self._begin_end(tokens, first_line, html) if is_simple else self._without_end(html)

    def _without_end(self, html: str) -> str:
        self._end = None
        return html

    def _begin_end(self, tokens: list[Token], first_line: int, html: str) -> str:
        """Find out what the tail ends with, and put the growth element there."""
        if line := Line.find(self._open, tokens, first_line, html):
            return self._begin_line(line)
        if code := Code.find(self._open, tokens, first_line):
            self._end = code
            return code.html(html, self._growth)
        self._end = Row.find(self._open, tokens)
        return html

    def _begin_line(self, line: Line) -> str:
        self._end, shown = line, self._open.rstrip(" ")
        self._open, self._held = shown, self._open[len(shown) :]
        return line.html(self._references, self._growth)

    def _parsed(self, text: str) -> tuple[list[Token], bool]:
        """The tokens of a text, and whether it defines links. In the open tail a definition may be incomplete."""
        definitions: dict[str, Any] = {}
        return parse(text, ChainMap(definitions, self._references)), bool(definitions)

    def _complete_blocks(self) -> list[Token]:
        """The top-level blocks of the complete lines of the tail."""
        tokens, _ = self._parsed(self._open[: self._open.rfind("\n") + 1])
        return [token for token in tokens if is_block(token)]

    def _line_of_last_block(self, tokens: list[Token]) -> int:
        """The line in which the last block starts that nothing can join to the one before it, which is then finished.

        That is one whose first line is complete, or can become nothing else.
        """
        blocks = [token for token in tokens if is_block(token)]
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
        return html_of(parse(closed, self._references)) if closed else SafeString("")

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
        opening = f"{fence.markup}{fence.info}\n"
        return "" if is_closed(fence, lines) or len(opening) > MAX_REOPENED_FENCE_CHARACTERS else opening


def _starts(token: Token) -> int:
    """The line in which it starts, -1 for one that ends a block."""
    return token.map[0] if token.map else -1
