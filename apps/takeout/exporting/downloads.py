"""What is taken out, as a file: its name, its type, and its text in pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from django.http import HttpRequest, StreamingHttpResponse

from apps.core.requests.streaming import streamed

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Document:
    """A text to be taken out; `chunks` may read rows as they are asked for."""

    name: str
    content_type: str
    chunks: Iterable[str]

    def text(self) -> str:
        """All of it."""
        return "".join(self.chunks)


def file_name(*parts: object, suffix: str) -> str:
    """A name that every file system and shell takes: ASCII, no blank, no dot or minus first, of a bounded length."""
    words = (_UNSAFE.sub("-", str(part)).strip("-._") for part in parts)
    stem = "-".join(word for word in words if word)[:_LONGEST].rstrip("-._")
    return f"{stem or 'loom'}.{suffix}"


def download(request: HttpRequest, document: Document) -> StreamingHttpResponse:
    """The document as a file of the reader's, sent as it is made. No page of ours ever opens one."""
    response = streamed(request, encoded(document.chunks), content_type=f"{document.content_type}; charset=utf-8")
    response["Content-Disposition"] = (
        f"attachment; filename=\"{document.name}\"; filename*=UTF-8''{quote(document.name)}"
    )
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def encoded(chunks: Iterable[str]) -> Iterator[bytes]:
    return (chunk.encode("utf-8", "replace") for chunk in chunks)
