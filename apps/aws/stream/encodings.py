"""The bytes of an answer as UTF-8: out of the charset that its content type names, and out of gzip."""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterator

from apps.aws.stream.lines import too_long
from loom_events.kinds import RunEvent

GZIP_MAGIC = b"\x1f\x8b"
MAX_UNZIPPED_BYTES = 100_000_000  # as much as a body may have without being compressed
_PIECE_BYTES = 64 * 1024
_CHARSETS = re.compile(r"iso[-_]?8859[-_]?\d+|latin[-_]?\d|l1|windows[-_]?125\d|cp125\d|utf[-_]?(16|32)([-_]?[bl]e)?|"
    r"shift[-_]?jis|sjis|euc[-_]?(jp|kr)|gbk|gb2312|gb18030|big5|koi8[-_]?[ru]|us[-_]ascii|ascii")  # fmt: skip
# What the Web calls these is a table of Windows, in which no byte is a control character.
_AS_WINDOWS = re.compile(r"iso[-_]?8859[-_]?1|latin[-_]?1|l1|us[-_]ascii|ascii")
FALLBACK = "loom.western"
"""The error handler for bytes that are no UTF-8, where nobody said that they would be."""


def _as_western(error: UnicodeError) -> tuple[str | bytes, int]:
    """A single byte that does not fit is a letter of Western Europe, several are a character that was cut."""
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    return (wrong.decode("cp1252", "replace") if len(wrong) == 1 else "\N{REPLACEMENT CHARACTER}"), error.end


codecs.register_error(FALLBACK, _as_western)


def charset_of(content_type: str) -> str:
    """The charset that a content type names, empty where it names none."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'").lower()
    return ""


class Transcoder:
    """Bytes of another charset as UTF-8, piece by piece."""

    def __init__(self, charset: str) -> None:
        self._codec = "cp1252" if _AS_WINDOWS.fullmatch(charset) else charset
        self._decoder = codecs.getincrementaldecoder(self._codec)("replace")

    def feed(self, data: bytes, *, is_over: bool = False) -> bytes:
        try:
            text = self._decoder.decode(data, final=is_over)
        except UnicodeError:  # UTF-16 or UTF-32 without the mark that says which of the two it is
            data = self._decoder.getstate()[0] + data
            self._decoder = codecs.getincrementaldecoder(f"{self._codec}-le")("replace")
            text = self._decoder.decode(data, final=is_over)
        return text.encode("utf-8", "replace")

    def close(self) -> bytes:
        return self.feed(b"", is_over=True)


def transcoder_for(charset: str) -> Transcoder | None:
    """None for UTF-8, and for a charset that nobody knows."""
    if not _CHARSETS.fullmatch(charset):
        return None
    try:
        return Transcoder(charset)
    except LookupError:
        return None


class Unzipper:
    """The bytes of a body that came compressed although that was not asked for, in pieces and up to a limit."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._byte_count = 0
        self._is_over = False

    def pieces(self, data: bytes) -> Iterator[bytes | RunEvent]:
        """What these bytes hold, and what is to be said if they cannot be read."""
        while not self._is_over:
            try:
                piece = self._inflater.decompress(data, _PIECE_BYTES)
            except zlib.error:
                self._is_over = True
                yield _unreadable()
                return
            data = self._inflater.unconsumed_tail
            self._byte_count += len(piece)
            self._is_over = self._inflater.eof
            if piece:
                yield piece
            if self._byte_count > MAX_UNZIPPED_BYTES:
                self._is_over = True
                yield too_long("The body", MAX_UNZIPPED_BYTES)
            elif not piece and not data:
                return

    def close(self) -> list[RunEvent]:
        """What is to be said if the end did not come."""
        if self._is_over:
            return []
        self._is_over = True
        return [_unreadable()]


def _unreadable() -> RunEvent:
    message = "The answer is compressed with gzip, which was not asked for, and cannot be unpacked to its end."
    return {"kind": "error", "error_type": "ContentEncodingError", "message": message}
