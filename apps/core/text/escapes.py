"""Text of strangers without what steers a terminal or deceives a reader, also where it arrives in pieces."""

from __future__ import annotations

import re

_STRING_LENGTH = 2_000
"""A control string that has not ended by then, or with its line, is none: its text is shown."""
# ECMA-48: control sequences (colours, the cursor), control strings (a window's title, images), other escapes.
_CONTROL_SEQUENCE = r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}"
_CONTROL_STRING = rf"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x00-\x1f\x80-\x9f]{{0,{_STRING_LENGTH}}}"
_ESCAPE = r"\x1b[ -/]{0,8}"
_LINE_ENDS = "\r\x0b\x0c\x85"
_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
_SURROGATES = "\ud800-\udfff"
_REMOVED = re.compile(
    rf"{_CONTROL_SEQUENCE}[@-~]|{_CONTROL_STRING}(?:\x07|\x1b\\|\x9c)|{_ESCAPE}[0-~]|\r\n|[{_CONTROLS}{_SURROGATES}]"
)
_UNFINISHED = re.compile(rf"(?:{_CONTROL_SEQUENCE}|{_CONTROL_STRING}\x1b?|{_ESCAPE}|\r)\Z")
_SPECIAL = re.compile(f"[{_CONTROLS}{_SURROGATES}]")

BIDI_CONTROLS = "\u202a-\u202e\u2066-\u2069\u206a-\u206f"
"""For a character class: they order the letters that follow, so that words read otherwise than they are written.

The marks of Arabic and Hebrew (U+200E, U+200F, U+061C) move no letter and stay.
"""
_BIDI = re.compile(f"[{BIDI_CONTROLS}]")


class EscapeFilter:
    """Takes a text in pieces and gives it back without control characters and escape sequences, however it is cut.

    Tabs and line ends stay, each line end as one line feed: a carriage return would write over what stands there. Half
    of a surrogate pair becomes a replacement character. At most `_STRING_LENGTH` characters are held back.
    """

    def __init__(self) -> None:
        self._held = ""

    @property
    def is_holding(self) -> bool:
        """A sequence is not complete, so that the next piece has to be fed."""
        return bool(self._held)

    def feed(self, text: str) -> str:
        """The next piece, as far as it is known what it is."""
        if not self._held and _SPECIAL.search(text) is None:
            return text
        text = self._held + text
        unfinished = _UNFINISHED.search(text)
        end = len(text) if unfinished is None else unfinished.start()
        self._held = text[end:]
        return _REMOVED.sub(_replacement, text[:end])

    def close(self) -> str:
        """What was held back: the text of a sequence that never ended."""
        rest, self._held = self._held, ""
        return _REMOVED.sub(_replacement, rest)


def _replacement(found: re.Match[str]) -> str:
    first = found[0][0]
    if first in _LINE_ENDS:
        return "\n"
    return "\N{REPLACEMENT CHARACTER}" if "\ud800" <= first <= "\udfff" else ""


def without_escapes(text: str) -> str:
    """The whole of `text` as an `EscapeFilter` gives it back."""
    return text if _SPECIAL.search(text) is None else _REMOVED.sub(_replacement, text)


def with_visible_bidi(text: str) -> str:
    """`text` with the name of each character that would turn the order of its letters in place of the character."""
    return _BIDI.sub(lambda found: f"‹U+{ord(found[0]):04X}›", text)


def shown_in_terminal(text: str) -> str:
    """The whole of a text of strangers as it may be written to a terminal."""
    return with_visible_bidi(without_escapes(text))
