"""What the end of an answer that is still arriving can be, where more text only goes on with it.

Nearly every piece of a stream goes on with the last line of a paragraph, a heading or an item of a list, with a block
of code or with the row of a table. Each of these knows how to take such text without the markdown before it being read
again, and which text it must not take.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

from markdown_it.token import Token

from apps.core.markdown.rendering import SMALLEST_PLAIN_PART, html_of, parse_inline, plain_html
from apps.core.markdown.spans import BLANKS, CONTROLS, read_spans

# Words without any of these cannot change how the text before them reads, unless it ends in one of these.
_MARKS = rf"{BLANKS}{CONTROLS}\\`*_~\[\])<>&;|#$"
_PLAIN = re.compile(f"[^{_MARKS}]*")
_ENDS_PLAINLY = re.compile(f"[^{_MARKS} ]$")
# The same of nearly every piece: it begins with a blank, ends without one, and no part of an address is in it.
_NEXT_WORDS = re.compile(f" [^{_MARKS}/]*[^{_MARKS}/ ]")
_STRANGE = re.compile(rf"[{BLANKS}{CONTROLS}]")
# A line of words: whatever follows, it begins no other kind of block, and is no line of a table or a definition.
_WORDS = r"(?:[*_]{1,3}|~~|`{1,2}|[\"'(“„«]|\d+ )?(?:[^\W\d_]|[^\x00-\x7f\s])"
_BEGINS_WITH_WORDS = re.compile(_WORDS)
_NEXT_LINE = re.compile(rf" *(?P<ends>\n+)(?P<mark>[-*+] |#{{1,6}} |\d{{1,9}}[.)] )?(?P<content>{_WORDS}[^\n]*)")
# The beginning of a line that says nothing yet: an empty item or heading, or a number that may become one.
_LINE_TO_COME = re.compile(r" *\n+ *(?:[-*+]|#{1,6}|\d{1,3}[.)]?)? ?")
_BLOCK_ENDS = re.compile(r"(?:</(?:p|li|ul|ol|blockquote|h[1-6])>\n?)+$")
_PARAGRAPH, _HEADING, _LIST = re.compile("</p>\n"), re.compile("</h[1-6]>\n"), re.compile("</li>\n</[uo]l>\n")
# What a closing mark further on may still pair with.
_OPEN_MARK = re.compile(r"(?<! )\*|\*(?! )|(?<![^\W_])_|_(?![^\W_])|[~`\[]|\\\(|\$(?! )|<(?:br?)?[ /]*$", re.IGNORECASE)
_NOT_CODE = re.compile(rf"(?![\t\n])[{CONTROLS}]")
_ITEM = '<li dir="auto">'
_BULLETS = frozenset("-*+")
_FIRST_LINE = re.compile(r"(?P<mark>[-*+] |#{1,6} )?(?P<words>\*{0,2}[^\W\d_](?:[^\n#]*[^\n# ])?) *")
_BEGUN = {"": ('<p dir="auto">', "</p>\n")} | {
    f"{'#' * level} ": (f'<h{shown} dir="auto">', f"</h{shown}>\n")
    for level, shown in ((1, 4), (2, 5), (3, 6), (4, 6), (5, 6), (6, 6))
}
_CODE_END = re.compile(r"\n*</code></pre>\n$")
_BLANK_LINE = re.compile(r"\n[ \t]*\n[ \t]*$")
_LONGEST_HELD_ROW = 1_000


class Growth(NamedTuple):
    """Text that was taken: by what the source has grown, by what the page has, and what waits for the text behind."""

    source: str
    html: str
    held: str


@dataclass(slots=True)
class Line:
    """The last line of the open tail, or the last lines of a paragraph.

    The tail's HTML is `before`, then the HTML of `text`, then `after`. `read` characters of the text have been
    rendered, as `inner`; `is_settled` when nothing among them waits for a closing mark. `is_alone` where the tail is
    one top-level block, and `item_mark` that of the items where this is a simple list.
    """

    before: str
    text: str
    after: str
    item_mark: str
    is_alone: bool
    inner: str
    read: int
    is_settled: bool

    @classmethod
    def begin(cls, source: str) -> Line | None:
        """The line that a tail of this one line is, without reading it; None where it may become anything else."""
        found = _FIRST_LINE.fullmatch(source)
        spans = None if found is None else read_spans(found["words"])
        if found is None or spans is None:
            return None
        mark, text = found["mark"] or "", found["words"]
        before, after = _BEGUN.get(mark) or (f"<ul>\n{_ITEM}", "</li>\n</ul>\n")
        item_mark = mark[0] if mark[:1] in _BULLETS else ""
        return cls(before, text, after, item_mark, True, spans.html, len(text), spans.is_settled)

    @classmethod
    def find(cls, source: str, tokens: list[Token], first_line: int, html: str) -> Line | None:
        """The last line of a tail, whose tokens count lines from `first_line`; None where it may become anything else.

        It cannot where this line, and the first one of its block, begin with words.
        """
        source = source.rstrip(" ")
        place = next((place for place in range(len(tokens) - 1, 0, -1) if tokens[place].nesting >= 0), None)
        if place is None or source.endswith(("\n", "#")):
            return None
        last = tokens[place]
        if last.type != "inline" or tokens[place - 1].type not in {"paragraph_open", "heading_open"}:
            return None
        if last.map is None or last.map[1] != first_line + source.count("\n") + 1:
            return None
        last_line = last.content[last.content.rfind("\n") + 1 :]
        if not source.endswith(last_line) or not all(map(_BEGINS_WITH_WORDS.match, (last_line, last.content))):
            return None
        inner, end = html_of([last]), _BLOCK_ENDS.search(html)
        if end is None or not html[: end.start()].endswith(inner):
            return None
        is_alone = sum(map(is_block, tokens)) == 1
        item_mark = tokens[0].markup if is_alone and _LIST.fullmatch(end[0]) else ""
        before = html[: end.start() - len(inner)]
        return cls(before, last.content, end[0], item_mark, is_alone, inner, len(last.content), is_settled(last))

    def extend(self, held: str, text: str) -> Growth | None:
        """Take plain words. Blanks at the end, which no rendering shows, wait, and so does what begins a line."""
        if not held and _NEXT_WORDS.fullmatch(text):
            self.text += text
            return Growth(text, text, "")
        if "\n" in held or "\n" in text:
            if _LINE_TO_COME.fullmatch(held + text):
                return Growth("", "", held + text)
            if "\n" in held:
                return None
        words = text.rstrip("\n").rstrip(" ")
        if not _PLAIN.fullmatch(words):
            return None
        # The end of the text counts as a blank, so a blank changes nothing; but `# a #` ends in a mark, `# a # b` not.
        if not held and text[:1] not in " \n" and not _ENDS_PLAINLY.search(self.text[-1:]):
            return None
        if not words:
            return Growth("", "", held + text)
        shown = held + words  # no character in it has to be escaped
        if "://" in (shown if shown[0] == " " else self.text[self.text.rfind(" ") + 1 :] + shown):
            return None  # an address, of which the text may be a part
        self.text += shown
        return Growth(shown, shown, text[len(words) :])

    def go_on(self, text: str, references: dict[str, Any]) -> Growth | None:
        """Take text with marks in it, or the next item of the list, and read no more than may have changed by that."""
        content = text
        if _STRANGE.search(text):
            following = _NEXT_LINE.fullmatch(text)
            if following is None or not self._is_next_item(following):
                return None
            content = following["content"]
            self._render(references)
            self.before += f"{self.inner}</li>\n{_ITEM}"
            self.text, self.inner, self.read, self.is_settled = "", "", 0, False
        elif "#" in text and _HEADING.fullmatch(self.after):
            return None
        shown = content.rstrip(" ")
        self.text += shown
        if self.is_settled and self.text.startswith(" ", self.read):
            # Marks behind a blank never look back beyond it.
            self.before += self.inner
            self.text, self.inner, self.read = self.text[self.read :], "", 0
        return Growth(text.rstrip(" "), "", content[len(shown) :])

    def _is_next_item(self, following: re.Match[str]) -> bool:
        mark = (following["mark"] or "").rstrip()[-1:]
        is_of_list = bool(mark) and mark == self.item_mark and len(following["ends"]) == 1
        return is_of_list and not _STRANGE.search(following["content"])

    def is_followed_by(self, text: str) -> bool:
        """Whether the text begins a block of its own, so that the one of the line is finished as it is shown."""
        following = _NEXT_LINE.fullmatch(text) if self.is_alone else None
        if following is None:
            return False
        mark, is_after_blank_line = following["mark"] or "", len(following["ends"]) > 1
        if _HEADING.fullmatch(self.after):
            return True
        if _PARAGRAPH.fullmatch(self.after):
            return is_after_blank_line or mark[:1] in {"#", "-", "*", "+"}
        # Another item would belong to the list.
        return bool(_LIST.fullmatch(self.after)) and (mark[:1] == "#" or (is_after_blank_line and not mark))

    def html(self, references: dict[str, Any], growth: str = "") -> str:
        """The HTML of the whole tail, with the growth element behind its text."""
        self._render(references)
        return f"{self.before}{self.inner}{growth}{self.after}"

    def _render(self, references: dict[str, Any]) -> None:
        if self.read == len(self.text):
            return
        if spans := read_spans(self.text):
            self.inner, self.read, self.is_settled = spans.html, len(self.text), spans.is_settled
        else:
            tokens = parse_inline(self.text, references)
            self.inner, self.read, self.is_settled = html_of(tokens), len(self.text), is_settled(tokens[0])


@dataclass(slots=True)
class Code:
    """A block of code without its end. What is added has no colours until a quarter of the block has none."""

    mark: str
    last_line: str
    unrendered: str
    length: int
    grown: int = 0

    @classmethod
    def find(cls, source: str, tokens: list[Token], first_line: int) -> Code | None:
        """The fence at the end of a tail, unless it is closed or stands in another block."""
        fence = tokens[-1] if tokens else None
        if fence is None or fence.type != "fence" or fence.level or fence.map is None:
            return None
        begin, end = fence.map
        lines = source.split("\n")[begin - first_line :]
        if len(lines) == 1 or not lines[0].startswith(fence.markup) or is_closed(fence, lines[: end - begin]):
            return None
        code = "\n".join(lines[1:])
        indent = lines[-1] if not lines[-1].strip() else ""  # left out of a rendering
        ends = code[: len(code) - len(indent)]
        ends = ends[len(ends.rstrip("\n")) :]  # Pygments adds one where there is none
        return cls(fence.markup[0], lines[-1], f"{ends}{indent}", len(source))

    def extend(self, held: str, text: str) -> Growth | None:
        lines = (self.last_line + text).split("\n")
        if held or _NOT_CODE.search(text) or any(line.lstrip(" ").startswith(self.mark) for line in lines):
            return None
        if len(lines) > 1 and 4 * (self.grown + len(text)) >= self.length:
            return None
        self.last_line = lines[-1]
        self.grown += len(text)
        return Growth(text, escape(text, quote=False), "")

    def html(self, html: str, growth: str) -> str:
        """The rendering of the tail with the growth element at its end."""
        end = _CODE_END.search(html)
        if end is None:
            return html
        return f"{html[: end.start()]}{self.unrendered}{growth}</code></pre>\n"


@dataclass(slots=True)
class Row:
    """The end of a table: its next row is shown when it is complete."""

    last_line: str

    @classmethod
    def find(cls, source: str, tokens: list[Token]) -> Row | None:
        is_table = bool(tokens) and tokens[-1].type == "table_close" and tokens[-1].level == 0
        if not is_table or _BLANK_LINE.search(source):
            return None
        return cls(source[source.rfind("\n") + 1 :])

    def extend(self, held: str, text: str) -> Growth | None:
        row = self.last_line + held + text
        is_row = row.startswith("|") and not _STRANGE.search(text) and len(row) < _LONGEST_HELD_ROW
        return Growth("", "", held + text) if is_row else None


class Plain:
    """The end of a text that is too long to be rendered."""

    def extend(self, held: str, text: str) -> Growth | None:
        is_fit = _NOT_CODE.search(text) is None and len(text) < SMALLEST_PLAIN_PART
        return Growth(text, plain_html(text), held) if is_fit else None


def is_block(token: Token) -> bool:
    """Whether a top-level block begins with it."""
    return token.level == 0 and token.nesting >= 0 and bool(token.map)


def is_closed(fence: Token, lines: list[str]) -> bool:
    """Whether the last of these lines, the first of which opens the fence, closes it."""
    last = lines[-1].strip()
    return len(lines) > 1 and len(last) >= len(fence.markup) and not last.strip(fence.markup[0])


def is_settled(inline: Token) -> bool:
    texts = (token.content for token in inline.children or () if token.type == "text")
    return not any(_OPEN_MARK.search(text) for text in texts)
