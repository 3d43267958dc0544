"""The few spans that nearly every answer consists of, without a parser: words, `**strong**`, `*em*` and `code`.

What fits the pattern below reads alike in markdown-it, as a test asserts for any text that does; reading it costs a
tenth. Everything else, links, formulas, nested marks, is left to the parser.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from apps.core.text.escapes import BIDI_CONTROLS

# Of blanks, only the plain space is none of these.
BLANKS = "".join(character for character in map(chr, range(0x10000)) if character.isspace() and character != " ")
CONTROLS = rf"\x00-\x1f\x7f-\x9f\ud800-\udfff{BIDI_CONTROLS}"

_NO_WORDS = rf"{BLANKS}{CONTROLS}\\`*_~\[<>&$"
_WORDS = f"[^{_NO_WORDS}]"
_BEGINS, _INNER = r"(?<![^ ])", rf"(?=[^\W_]){_WORDS}++(?<=[\w.,:!?])"
_ENDS = r"(?![^ .,:;!?)])"
_STRONG = rf"{_BEGINS}\*\*(?P<strong>{_INNER})\*\*{_ENDS}"
_EMPHASIS = rf"{_BEGINS}\*(?P<em>{_INNER})\*{_ENDS}"
_CODE = rf"`(?P<code>(?! )[^{BLANKS}{CONTROLS}\\`<>&]++(?<! ))`(?!`)"
_OPEN = rf"(?:{_BEGINS}\*{{1,2}}(?:(?=[^\W_]){_WORDS}*+)?|`{_WORDS}*+)\Z"
_SPAN = re.compile(f"{_STRONG}|{_EMPHASIS}|{_CODE}")
_TEXT = re.compile(
    rf"(?:{_WORDS}++|{re.sub(r'[?]P<[a-z]+>', '?:', f'{_STRONG}|{_EMPHASIS}|{_CODE}')})*+(?P<open>{_OPEN})?"
)
_TAGS = {"strong": ("<strong>", "</strong>"), "em": ("<em>", "</em>"), "code": ('<code dir="ltr">', "</code>")}


class Spans(NamedTuple):
    """The HTML of a line's text; it is settled where none of its marks waits for the one that closes it."""

    html: str
    is_settled: bool


def read_spans(text: str) -> Spans | None:
    """The HTML of words and simple spans; None for a text that holds anything else."""
    found = _TEXT.fullmatch(text)
    if found is None or "://" in text:
        return None
    is_settled = found["open"] is None
    return Spans(text if "*" not in text and "`" not in text else _SPAN.sub(_tagged, text), is_settled)


def _tagged(span: re.Match[str]) -> str:
    kind = span.lastgroup or ""
    opening, closing = _TAGS[kind]
    return f"{opening}{span[kind]}{closing}"
