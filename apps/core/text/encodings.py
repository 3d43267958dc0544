"""Text files as people have them: not all of them are UTF-8."""

from __future__ import annotations

import codecs

_MARKED = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before that of UTF-16, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decoded(content: bytes) -> str:
    """The text of a file in UTF-8, in UTF-16 or UTF-32 as Windows saves them, or in a Western encoding of one byte.

    Raises UnicodeDecodeError for what is no text. Of the last kind nothing is known but its ASCII: good enough to find
    identifiers in, not to show or to send.
    """
    for mark, encoding in _MARKED:
        if content.startswith(mark):
            return content.decode(encoding)
    if b"\0" in content:
        return content.decode("utf-16-be" if content.startswith(b"\0") else "utf-16-le")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
