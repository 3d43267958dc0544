from __future__ import annotations

from apps.core.markdown.stream import MarkdownStream


def streamed(text: str, size: int) -> str:
    """What a page shows that gets the text in pieces, with what only goes on appended to its end."""
    stream, closed = MarkdownStream("growth"), ""
    for start in range(0, len(text), size):
        piece = text[start : start + size]
        if stream.extend(piece) is None:
            closed += stream.feed(piece)[0]
    return closed + stream.close()
