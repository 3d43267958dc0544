"""An agent's answer, from bytes to events: pure, incremental, and indifferent to where the bytes were cut.

The content type says how to read it; where it is missing, says nothing, or is not what comes, the first bytes decide.
`text/event-stream` is read as server-sent events, JSON as one value or line by line, everything else as text.
"""

from __future__ import annotations

import re
from typing import Protocol

from apps.aws.stream.bodies import JsonLinesReader, JsonReader, MediaReader, TextReader
from apps.aws.stream.encodings import FALLBACK, GZIP_MAGIC, Unzipper, charset_of, transcoder_for
from apps.aws.stream.prefixed import BEGINNING, UNSURE, PrefixedReader
from apps.aws.stream.sse import BYTE_ORDER_MARK, SseReader
from loom_events.kinds import RunEvent

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""The longest event or JSON body that is read; AgentCore's own limit for one chunk is 10 MB."""

_MOST_SNIFFED_BYTES = 512
_JSON_LINES = re.compile(r"application/(x-)?(ndjson|jsonl|jsonlines|json-lines|json-seq|json-stream|stream\+json)|"
    r"application/(x-)?ldjson|text/(x-)?(ndjson|jsonl)")  # fmt: skip
_GENERIC = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/x-unknown", "unknown/unknown",
    "text/plain", "text", "*/*", "application/unknown"})  # fmt: skip
_MEDIA = re.compile(r"(image|audio|video)/(?!svg).*|application/(pdf|zip|gzip|x-gzip)")
_FIELD = re.compile(rb"(?:data|event|id|retry):|:")
_FIELD_ALONE = re.compile(rb"(?:data|event|id|retry)(?:\r|\n)")
_SURE_FIELD = re.compile(
    rb'data: ?(?:[{"\[]|null)|(?:event|id|retry): ?[^\r\n]*(?:\r\n|\r|\n)(?:data|event|id|retry|:)'
)
_UNSURE_FIELD = re.compile(rb"(?:event|id|retry):[^\r\n]*(?:(?:\r\n|\r|\n)[a-z]{0,5})?|data: ?n?u?l?")
_NAME = re.compile(rb"[A-Za-z_-]{1,20}")
_OTHER_FIELD = re.compile(rb"[A-Za-z_-]{1,20}:")  # one that the standard tells to ignore
_JSON_START = re.compile(rb'\{\s*["}]|\[\s*[{"\[\]\dtfn-]|"')
_UNSURE_JSON = re.compile(rb"[{\[]\s*")
_UNSURE = (_UNSURE_FIELD, _UNSURE_JSON, UNSURE)


class _Reader(Protocol):
    def feed(self, data: bytes) -> list[RunEvent]: ...

    def close(self) -> list[RunEvent]: ...


class StreamParser:
    """Reads one answer: `feed` its bytes as they come, then `close` once.

    Nothing a peer sends raises, the work is proportional to the bytes, and of an event at most `max_event_bytes` are
    kept; of the texts that were said, twice as many characters, so that a message that repeats them is known.
    """

    def __init__(self, content_type: str, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._media_type = content_type.partition(";")[0].strip().lower()
        charset = charset_of(content_type)
        self._errors = FALLBACK if not charset else "replace"
        self._max_event_bytes = max_event_bytes
        self._transcoder = transcoder_for(charset)
        self._unzipper: Unzipper | None = None
        self._reader: _Reader | None = None
        self._direct: _Reader | None = None  # the reader, once it takes the bytes as they come
        self._first_bytes = b""
        self._head = b""
        self._is_zip_looked_for = False
        self._is_closed = False

    def feed(self, data: bytes) -> list[RunEvent]:
        """The events that these bytes complete, in order."""
        if self._direct is not None:
            return self._direct.feed(data)
        if self._is_closed:
            raise ValueError("This parser has been closed.")
        return self._feed_encoded(data)

    def close(self) -> list[RunEvent]:
        """The events of what was left: an unterminated last line, or the JSON body. Empty when called again."""
        if self._is_closed:
            return []
        self._is_closed = True
        self._direct = None
        events: list[RunEvent] = []
        if not self._is_zip_looked_for:
            events += self._feed_text(self._begin(is_over=True))
        if self._unzipper is not None:
            events += self._unzipper.close()
        if self._transcoder is not None:
            events += self._sniff_and_feed(self._transcoder.close())
        if self._reader is None:
            self._reader = self._reader_for(self._head, is_over=True)
            if self._reader is None:
                return events
            events += self._reader.feed(self._head)
        return events + self._reader.close()

    def _feed_encoded(self, data: bytes) -> list[RunEvent]:
        if not self._is_zip_looked_for:
            self._first_bytes += data
            data = self._begin(is_over=False)
        if self._unzipper is None:
            return self._feed_text(data)
        events: list[RunEvent] = []
        for piece in self._unzipper.pieces(data):
            events += self._feed_text(piece) if isinstance(piece, bytes) else [piece]
        return events

    def _begin(self, *, is_over: bool) -> bytes:
        """With the first two bytes: whether they are compressed."""
        first, self._first_bytes = self._first_bytes, b""
        if len(first) < len(GZIP_MAGIC) and not is_over and GZIP_MAGIC.startswith(first):
            self._first_bytes = first
            return b""
        self._is_zip_looked_for = True
        if first.startswith(GZIP_MAGIC) and not _MEDIA.fullmatch(self._media_type):
            self._unzipper = Unzipper()
        return first

    def _feed_text(self, data: bytes) -> list[RunEvent]:
        return self._sniff_and_feed(data if self._transcoder is None else self._transcoder.feed(data))

    def _sniff_and_feed(self, data: bytes) -> list[RunEvent]:
        if self._reader is None:
            self._head += data
            self._reader = self._reader_for(self._head, is_over=False)
            if self._reader is None:
                return []
            data, self._head = self._head, b""
            if self._unzipper is None and self._transcoder is None and not self._is_closed:
                self._direct = self._reader
        return self._reader.feed(data)

    def _reader_for(self, head: bytes, *, is_over: bool) -> _Reader | None:
        """The reader that the content type and the first bytes ask for; None as long as these are too few."""
        kind = self._media_type
        if _MEDIA.fullmatch(kind):
            return MediaReader(kind)
        if kind == "text/event-stream":
            return self._announced(head, is_over=is_over, is_stream=True)
        if kind == "application/json" or kind.endswith(("+json", "/json")) or _JSON_LINES.fullmatch(kind):
            return self._announced(head, is_over=is_over, is_stream=False)
        return self._generic(head, is_over=is_over) if kind in _GENERIC else TextReader(self._errors)

    def _announced(self, head: bytes, *, is_over: bool, is_stream: bool) -> _Reader | None:
        """A stream of events or JSON was announced: which of them comes, or text."""
        start = _without_blanks(head)
        limit, errors = self._max_event_bytes, self._errors
        if not start and not is_over and len(head) < _MOST_SNIFFED_BYTES:
            return None
        if _FIELD.match(start) or _FIELD_ALONE.match(start):
            return SseReader(limit, errors)
        if not is_over and _may_be_field(head, is_over):
            return None
        if not is_stream:
            is_lines = bool(_JSON_LINES.fullmatch(self._media_type))
            return JsonLinesReader(limit, errors) if is_lines else JsonReader(limit, errors, is_announced=True)
        if not is_over and _NAME.fullmatch(start):
            return None
        if start[:1] in (b"{", b"[", b'"'):
            return JsonReader(limit, errors, is_announced=False)
        return TextReader(errors) if start and not _OTHER_FIELD.match(start) else SseReader(limit, errors)

    def _generic(self, head: bytes, *, is_over: bool) -> _Reader | None:
        """Nothing was announced: events and JSON are known by how they begin."""
        start = _without_blanks(head)
        limit, errors = self._max_event_bytes, self._errors
        is_undecided = not is_over and len(head) < _MOST_SNIFFED_BYTES
        if not start and is_undecided and self._media_type != "text/plain":
            return None
        is_sure = _SURE_FIELD if self._media_type.startswith("text") else _FIELD
        if is_sure.match(start):
            return SseReader(limit, errors)
        if _JSON_START.match(start):
            return JsonReader(limit, errors, is_announced=False)
        if BEGINNING.match(start):
            return PrefixedReader(limit, errors)
        if is_undecided and (_may_be_field(head, is_over) or any(unsure.fullmatch(start) for unsure in _UNSURE)):
            return None
        return TextReader(errors)


def _without_blanks(head: bytes) -> bytes:
    return head.removeprefix(BYTE_ORDER_MARK).lstrip(b" \t\r\n\x1e")


def _may_be_field(head: bytes, is_over: bool) -> bool:
    """Whether the first bytes could go on to be the name of a field, or the mark before it."""
    if is_over:
        return False
    start = _without_blanks(head)
    if BYTE_ORDER_MARK.startswith(head):
        return True
    return any(field.startswith(start) for field in (b"data:", b"event:", b"id:", b"retry:"))
