"""Texts as every database can hold them; whoever makes an event of what somebody else chose makes it storable first."""

from __future__ import annotations

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def storable_text(text: str) -> str:
    """The text without NUL characters and lone surrogates, which neither UTF-8 nor PostgreSQL can hold."""
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub(_REPLACEMENT, text)
