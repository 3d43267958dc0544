"""Markdown as it streams in: what is closed is rendered once, what is open as seldom and as little as can be.

Reading markdown is most of the cost of an answer: a list of six items takes a millisecond. But nearly every piece only
goes on with the last line, which is a paragraph, a heading or an item of a list. Of that line's text only what may
still wait for a closing mark is read again.
"""

from __future__ import annotations

import re
from collections import ChainMap
from dataclasses import dataclass
from html import escape
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from markdown_it.token import Token

from apps.core.markdown import html_of, parse, parse_inline

MAX_OPEN_CHARACTERS = 4_000
MAX_OPEN_LINES = 150
"""How much of an unfinished block is rendered again with a piece of a stream; see `MarkdownStream`."""
MAX_COLOURED_OPEN_CHARACTERS = 1_500
"""Code in a longer open tail gets its colours when it closes: they are most of the cost."""
MAX_REOPENED_FENCE_CHARACTERS = 200

# Words without any of these cannot change how the text before them reads, unless it ends in one of these. Of blanks,
# only the plain space is none of them.
_BLANKS = "".join(character for character in map(chr, range(0x10000)) if character.isspace() and character != " ")
_MARKS = rf"{_BLANKS}\x00-\x1f\x7f\\`*_~\[\])<>&;|#"
_PLAIN = re.compile(f"[^{_MARKS}]*")
_ENDS_PLAINLY = re.compile(f"[^{_MARKS} ]$")
_STRANGE = re.compile(rf"[{_BLANKS}\x00-\x1f\x7f]")
# A line that begins so starts a block of its own whatever follows, and ends the block before it.
_STARTS_BLOCK = re.compile(r"(?:[-*+] |#{1,6} )?[^\W\d_]")
# A line of words: whatever follows, it begins no other kind of block, and is no line of a table or a definition.
_WORDS = r"(?:[*_]{1,3}|~~|`{1,2}|[\"'(“„«]|\d+ )?(?:[^\W\d_]|[^\x00-\x7f\s])"
_BEGINS_WITH_WORDS = re.compile(_WORDS)
_NEXT_LINE = re.compile(rf" *(?P<ends>\n+)(?P<mark>[-*+] |#{{1,6}} |\d{{1,9}}[.)] )?(?P<content>{_WORDS}[^\n]*)")
# The beginning of a line that says nothing yet: an empty item or heading, or a number that may become one.
_LINE_TO_COME = re.compile(r" *\n+(?:[-*+]|#{1,6}|\d{1,3}[.)]?)? ?")
_BLOCK_ENDS = re.compile(r"(?:</(?:p|li|ul|ol|blockquote|h[1-6])>\n?)+$")
# What a closing mark further on may still pair with.
_OPEN_MARK = re.compile(r"(?<! )\*|\*(?! )|(?<![^\W_])_|_(?![^\W_])|[~`\[]")
_PARAGRAPH, _HEADING, _LIST = re.compile("</p>\n"), re.compile("</h[1-6]>\n"), re.compile("</li>\n</[uo]l>\n")


@dataclass(slots=True)
class _Line:
    """The last line of the open tail, or the last lines of a paragraph, where more text only goes on with it.

    The tail's HTML is `before`, then the HTML of `text`, then `after`. `read` characters of the text have been
    rendered, as `html`; `is_settled` when nothing among them waits for a closing mark.
    `item_mark` is that of the items where the tail is a simple list; `is_alone` where the tail is one top-level block.
    """

    before: str
    text: str
    after: str
    item_mark: str
    is_alone: bool
    html: str = ""
    read: int = 0
    is_settled: bool = False

    def settle(self) -> None:
        """Put what no later text can change into `before`: marks behind a space never look back beyond it."""
        if self.is_settled and self.text.startswith(" ", self.read):
            self.before += self.html
            self.text, self.html, self.read = self.text[self.read :], "", 0

    def begin_item(self) -> None:
        """Go on with the next item of the list."""
        self.before += f"{self.html}</li>\n<li>"
        self.text, self.html, self.read, self.is_settled = "", "", 0, False

    def render(self, references: dict[str, Any]) -> None:
        """Read the text as it stands."""
        if self.read == len(self.text):
            return
        tokens = parse_inline(self.text, references)
        self.html, self.read = html_of(tokens), len(self.text)
        self.is_settled = _is_settled(tokens[0])


def _is_settled(inline: Token) -> bool:
    texts = (token.content for token in inline.children or () if token.type == "text")
    return not any(_OPEN_MARK.search(text) for text in texts)


class MarkdownStream:
    """Renders an answer while it arrives: what is closed once, what is open again with a piece that needs it.

    A top-level block (paragraph, list, table, fence, …) is closed as soon as a line behind it has certainly started
    another block; no later text can change it then. Guaranteed: all closed pieces and the rest from `close()`, joined,
    equal `render` of the whole text, however it was split, for texts up to `MAX_CHARACTERS` in which link definitions
    stand before their use and no block is longer than `MAX_OPEN_CHARACTERS` or `MAX_OPEN_LINES`. Otherwise the text is
    complete and safe as well, but looks different until it is rendered as a whole: a link whose definition comes later
    shows its source, and a block that stays open for too long is cut, a fence being opened anew behind the cut.

    So a piece costs at most the rendering of itself and of an open block of that size, whatever came before it. Most
    pieces cost next to nothing. With a `growth_id` the open tail holds an empty `<span id="growth_id">` where words
    that go on with it belong, and `extend` takes them.
    """

    def __init__(self, growth_id: str = "") -> None:
        self._growth = f'<span id="{escape(growth_id)}"></span>' if growth_id else ""
        self._open = ""
        self._held = ""  # taken, but of no effect on the rendering before something follows it
        self._line: _Line | None = None
        self._references: dict[str, Any] = {}

    def extend(self, text: str) -> SafeString | None:
        """Take plain words that go on with the last line: answer what to append to the growth element.

        None, and nothing is taken, where the open tail has to be rendered again: then `feed` the text. Blanks at the
        end, which no rendering shows, are held back until a word follows, and so is a line that begins with a mark.
        """
        if self._line is None or len(self._open) + len(text) > MAX_OPEN_CHARACTERS:
            return None
        if "\n" in self._held or "\n" in text:
            if _LINE_TO_COME.fullmatch(self._held + text):
                self._held += text
                return SafeString("")
            if "\n" in self._held:
                return None
        words = text.rstrip("\n").rstrip(" ")
        if not _PLAIN.fullmatch(words):
            return None
        # The end of the text counts as a blank, so a blank changes nothing; but `# a #` ends in a mark, `# a # b` not.
        if not self._held and text[:1] not in " \n" and not _ENDS_PLAINLY.search(self._open[-1:]):
            return None
        if not words:
            self._held += text
            return SafeString("")
        shown = SafeString(self._held + words)  # no character in it has to be escaped
        self._open += shown
        self._line.text += shown
        self._held = text[len(words) :]
        return shown

    def feed(self, text: str) -> tuple[SafeString, SafeString]:
        """Take the next piece; answer the HTML of the blocks that it closed and of the whole open tail."""
        text = self._held + text
        closed = SafeString("")
        if self._line is not None and len(self._open) + len(text) <= MAX_OPEN_CHARACTERS:
            if self._goes_on_with(self._line, text):
                return closed, self._html_of(self._line, self._growth)
            if self._is_followed_by(self._line, text):
                closed = self._html_of(self._line)
                self._open, text = "", text.lstrip(" \n")
        self._line = None
        more, tail = self._read(text)
        return mark_safe(closed + more), tail  # noqa: S308 -- both are safe HTML

    def close(self) -> SafeString:
        """The HTML of the rest; the stream starts anew."""
        self._open += self._held.replace("\r", "\n")
        rest = html_of(self._parsed(self._open)[0])
        self._open, self._held, self._line, self._references = "", "", None, {}
        return rest

    # --- without reading more than the last line ----------------------------------------------------------------------

    def _goes_on_with(self, line: _Line, text: str) -> bool:
        """Take text that is more of the line, or the next item of its list, and read no more than that."""
        content = text
        if _STRANGE.search(text):
            following = _NEXT_LINE.fullmatch(text)
            if following is None or not self._is_next_item(line, following):
                return False
            content = following["content"]
            line.render(self._references)
            line.begin_item()
        elif "#" in text and _HEADING.fullmatch(line.after):
            return False
        shown = content.rstrip(" ")
        self._open += text.rstrip(" ")
        self._held = content[len(shown) :]
        line.text += shown
        line.settle()
        line.render(self._references)
        return True

    def _is_next_item(self, line: _Line, following: re.Match[str]) -> bool:
        mark = (following["mark"] or "").rstrip()[-1:]
        is_tight = len(following["ends"]) == 1 and self._open.count("\n") < MAX_OPEN_LINES
        return bool(mark) and mark == line.item_mark and is_tight and not _STRANGE.search(following["content"])

    def _is_followed_by(self, line: _Line, text: str) -> bool:
        """Whether the text begins a block of its own, so that the one of the line is finished as it is shown."""
        following = _NEXT_LINE.fullmatch(text) if line.is_alone else None
        if following is None:
            return False
        mark, is_after_blank_line = following["mark"] or "", len(following["ends"]) > 1
        if _HEADING.fullmatch(line.after):
            return True
        if _PARAGRAPH.fullmatch(line.after):
            return is_after_blank_line or mark[:1] in {"#", "-", "*", "+"}
        # Another item would belong to the list.
        return bool(_LIST.fullmatch(line.after)) and (mark[:1] == "#" or (is_after_blank_line and not mark))

    def _html_of(self, line: _Line, growth: str = "") -> SafeString:
        line.render(self._references)
        return mark_safe(f"{line.before}{line.html}{growth}{line.after}")  # noqa: S308 -- all are safe HTML

    # --- by reading the whole open tail -------------------------------------------------------------------------------

    def _read(self, text: str) -> tuple[SafeString, SafeString]:
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
                closed, tokens, first_line = html_of(tokens[:place]), tokens[place:], line
                self._open = self._open[self._offset_of(line) :]
            else:
                closed = self._close_until(self._offset_of(line))
                tokens, has_definitions = self._parsed(self._open)
        if len(self._open) > MAX_OPEN_CHARACTERS or self._open.count("\n") > MAX_OPEN_LINES:
            closed += self._close_by_force()
            (tokens, has_definitions), first_line = self._parsed(self._open), 0
        html = html_of(tokens, is_coloured=len(self._open) <= MAX_COLOURED_OPEN_CHARACTERS)
        if self._growth and not has_definitions and not self._held:
            self._line = self._last_line(tokens, first_line, html)
        if self._line is None:
            return closed, html
        shown = self._open.rstrip(" ")
        self._open, self._held = shown, self._open[len(shown) :]
        return closed, self._html_of(self._line, self._growth)

    def _last_line(self, tokens: list[Token], first_line: int, html: str) -> _Line | None:
        """The last line of the tail, whose tokens count lines from `first_line`, if more text only goes on with it.

        It does where this line, and the first one of its block, begin with words, so that neither can become something
        else.
        """
        source = self._open.rstrip(" ")
        place = next((place for place in range(len(tokens) - 1, 0, -1) if tokens[place].nesting >= 0), None)
        if place is None or source.endswith(("\n", "#")):
            return None
        last = tokens[place]
        if last.type != "inline" or tokens[place - 1].type not in {"paragraph_open", "heading_open"}:
            return None
        if last.map is None or last.map[1] != first_line + self._open.count("\n") + 1:
            return None
        last_line = last.content[last.content.rfind("\n") + 1 :]
        if not source.endswith(last_line) or not all(map(_BEGINS_WITH_WORDS.match, (last_line, last.content))):
            return None
        inner, end = html_of([last]), _BLOCK_ENDS.search(html)
        if end is None or not html[: end.start()].endswith(inner):
            return None
        is_alone = sum(map(_is_block, tokens)) == 1
        return _Line(
            before=html[: end.start() - len(inner)],
            text=last.content,
            after=end[0],
            item_mark=tokens[0].markup if is_alone and _LIST.fullmatch(end[0]) else "",
            is_alone=is_alone,
            html=inner,
            read=len(last.content),
            is_settled=_is_settled(last),
        )

    def _parsed(self, text: str) -> tuple[list[Token], bool]:
        """The tokens of a text, and whether it defines links. In the open tail a definition may be incomplete."""
        definitions: dict[str, Any] = {}
        return parse(text, ChainMap(definitions, self._references)), bool(definitions)

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
        last = lines[-1].strip()
        is_closed = len(lines) > 1 and len(last) >= len(fence.markup) and not last.strip(fence.markup[0])
        opening = f"{fence.markup}{fence.info}\n"
        return "" if is_closed or len(opening) > MAX_REOPENED_FENCE_CHARACTERS else opening


def _is_block(token: Token) -> bool:
    """Whether a top-level block begins with it."""
    return token.level == 0 and token.nesting >= 0 and bool(token.map)


def _starts(token: Token) -> int:
    """The line in which it starts, -1 for one that ends a block."""
    return token.map[0] if token.map else -1
