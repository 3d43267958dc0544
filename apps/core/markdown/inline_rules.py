"""What a line of an agent's answer means beyond CommonMark: a chat holds formulas, bare addresses and `<br>`."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline import image, link
from markdown_it.rules_inline.state_inline import Scanned, StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType

_BREAK = re.compile(r"<br[ \t]*/?>[ \t]*\n?[ \t]*", re.IGNORECASE)
_SCHEMES = ("https", "http")
# Brackets are left out for the sake of `[label](address)`, and what stands behind an address in a text without blanks.
_ADDRESS = re.compile(r"://[^\W_][^\s<>\"`|\[\]\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]*")
_NOT_OF_ADDRESS = "?!.,:;*_~'\u2019\u201d\u2026"
_CLOSERS = {r"\(": r"\)", r"\[": r"\]"}
# Han, kana, Hangul, bopomofo and their punctuation: scripts that put no blanks around emphasis.
_CJK = re.compile(
    "[\u1100-\u11ff\u2e80-\u303f\u3041-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\ufe30-\ufe4f\uff01-\uffef\U0001aff0-\U0001b16f\U00020000-\U0003ffff]"
)


_IN_WORD = re.compile(rf"(?!{_CJK.pattern})\w\Z")


class ChatInline(ParserInline):
    """Reads lines as markdown-it does, with emphasis beside CJK, and without looking in vain for the ends of links."""

    def __init__(self, other: ParserInline) -> None:
        self.__dict__.update(other.__dict__)

    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        state = ChatState(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


class ChatState(StateInline):
    """Marks beside a CJK character open and close as between letters.

    CommonMark asks punctuation within the marks for a blank or punctuation outside of them, which those scripts lack.
    """

    @property
    def may_have_links(self) -> bool:
        """There is a bracket left that could close one: who opens thousands would look for each to the end."""
        return self.html_terminator_last("]") > self.pos

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N802, N803 -- markdown-it's names
        end = start
        while end < self.posMax and self.src[end] == self.src[start]:
            end += 1
        before = self.src[start - 1] if start else " "
        after = self.src[end] if end < self.posMax else " "
        opens = _leans_on(after, before)
        closes = _leans_on(before, after)
        if not canSplitWord:
            opens, closes = opens and (not closes or _is_mark(before)), closes and (not opens or _is_mark(after))
        return Scanned(opens, closes, end - start)


def _leans_on(inner: str, outer: str) -> bool:
    """Whether marks belong to the character on their inner side, CommonMark's left- and right-flanking."""
    if isWhiteSpace(ord(inner)):
        return False
    is_word = not _is_mark(inner) or _CJK.match(inner) is not None
    return is_word or isWhiteSpace(ord(outer)) or _is_mark(outer) or _CJK.match(outer) is not None


def _is_mark(character: str) -> bool:
    return isMdAsciiPunct(ord(character)) or isPunctChar(character)


def formula(state: StateInline, silent: bool) -> bool:
    r"""LaTeX stays as it is written: `\(…\)`, `\[…\]`, `$…$` and `$$…$$`, and so does one of these marks alone."""
    start, source = state.pos, state.src
    if source[start] not in "\\$":
        return False
    opener = source[start : start + 2]
    if opener in {r"\(", r"\[", r"\)", r"\]"}:
        end = _end_of(state, _CLOSERS.get(opener, "")) or start + 2
    elif opener[:1] == "$":
        end = _end_of(state, "$$") if opener == "$$" else _end_of_dollars(state)
    else:
        return False
    if not end:
        return False
    if not silent:
        for number, line in enumerate(source[start:end].split("\n")):
            if number:
                state.push("softbreak", "br", 0)
            state.push("formula", "", 0).content = line.strip(" ") if number else line
    state.pos = end
    return True


def _end_of(state: StateInline, closer: str) -> int:
    """Where the text ends that began at the state's place; 0 where its end is missing."""
    start = state.pos + 2
    if not closer or state.html_terminator_last(closer) < start:  # looked for once in a text
        return 0
    found = state.src.find(closer, start, state.posMax)
    return found + 2 if found > start else 0


def _end_of_dollars(state: StateInline) -> int:
    """The same between two dollars, which are a formula only where they lean on it, and no prices."""
    start, source = state.pos + 1, state.src
    end = source.find("$", start, state.posMax)
    if end <= start or source[start - 2 : start - 1] == "$":
        return 0
    inner, after = source[start:end], source[end + 1 : end + 2]
    is_tight = not inner[0].isspace() and not inner[-1].isspace() and inner[-1] != "\\"
    is_alone = not after.isdigit() and after != "$"
    return end + 1 if is_tight and is_alone and "\n" not in inner and "`" not in inner else 0


def line_break(state: StateInline, silent: bool) -> bool:
    """`<br>`, the one tag that people write into markdown because there is no other way within a cell."""
    found = _BREAK.match(state.src, state.pos, state.posMax) if state.src[state.pos] == "<" else None
    if found is None:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = found.end()
    return True


def bare_link(state: StateInline, silent: bool) -> bool:
    """An address in a text becomes a link, without the punctuation behind it."""
    start, source = state.pos, state.src
    if source[start] != ":" or silent or state.linkLevel or not source.startswith("://", start):
        return False
    scheme = next((scheme for scheme in _SCHEMES if state.pending.lower().endswith(scheme)), "")
    found = _ADDRESS.match(source, start, state.posMax)
    if not scheme or found is None or _IN_WORD.search(state.pending[: -len(scheme)]):
        return False
    rest = _without_punctuation(found[0])
    written = state.pending[-len(scheme) :] + rest
    state.pending = state.pending[: -len(scheme)]
    opening = state.push("link_open", "a", 1)
    opening.attrs = {"href": state.md.normalizeLink(scheme + rest)}
    state.push("text", "", 0).content = written
    state.push("link_close", "a", -1)
    state.pos = start + len(rest)
    return True


def _without_punctuation(address: str) -> str:
    surplus = address.count(")") - address.count("(")
    end = len(address)
    while address[end - 1] in _NOT_OF_ADDRESS or (address[end - 1] == ")" and surplus > 0):
        surplus -= address[end - 1] == ")"
        end -= 1
    return address[:end]


def link_but_no_footnote(state: StateInline, silent: bool) -> bool:
    """`[^1]` is a footnote's mark, whatever stands behind it."""
    assert isinstance(state, ChatState)
    source, start = state.src, state.pos
    return (
        source[start] == "[" and source[start + 1 : start + 2] != "^" and state.may_have_links and link(state, silent)
    )


def some_image(state: StateInline, silent: bool) -> bool:
    """An image, where a bracket is left that could close it."""
    assert isinstance(state, ChatState)
    return state.src.startswith("![", state.pos) and state.may_have_links and image(state, silent)
