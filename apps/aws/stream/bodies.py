"""Bodies that are no server-sent events: one JSON value, JSON line by line, text, media."""

from __future__ import annotations

import codecs

from apps.aws.stream.events import StreamReader
from apps.aws.stream.lines import LineReader, too_long
from apps.aws.stream.media import kind_of, sized
from apps.aws.stream.sse import BYTE_ORDER_MARK
from apps.aws.stream.values import UnreadableJsonError, is_cut_short, read_json, read_json_values
from loom_events.kinds import RunEvent
from loom_events.storable import storable_text

_LONGEST_FIRST_LINE = 1_000_000  # of JSON line by line that nobody announced


class JsonLinesReader(LineReader):
    """One JSON value a line; what is none is text."""

    def __init__(self, max_event_bytes: int, errors: str) -> None:
        super().__init__(max_event_bytes)
        self._values = StreamReader(max_event_bytes)
        self._errors = errors

    def close(self) -> list[RunEvent]:
        return super().close() + self._values.finish()

    def read_line(self, line: bytes) -> list[RunEvent]:
        if self._values.plain and (events := self._values.read_piece(line)) is not None:
            return events
        text = line.decode("utf-8", errors=self._errors).strip("\x1e\r\n")
        if not text.strip():
            return []
        try:
            return self._values.read(read_json(text.strip()), text)
        except UnreadableJsonError:
            return self._values.read_raw(f"{text}\n")

    def skip_event(self) -> list[RunEvent]:
        return [too_long("An event", self.max_event_bytes)]


class TextReader:
    """Text as it comes."""

    def __init__(self, errors: str) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors)

    def feed(self, data: bytes) -> list[RunEvent]:
        return self._text(self._decoder.decode(data))

    def close(self) -> list[RunEvent]:
        return self._text(self._decoder.decode(b"", final=True))

    def _text(self, text: str) -> list[RunEvent]:
        return [{"kind": "text", "text": storable_text(text)}] if text else []


class JsonReader:
    """A body that is one JSON value, or turns out to be several, line by line, or none."""

    def __init__(self, max_body_bytes: int, errors: str, *, is_announced: bool) -> None:
        self._max_body_bytes = max_body_bytes
        self._errors = errors
        self._is_announced = is_announced
        self._body = bytearray()
        self._is_too_long = False
        self._first_line_end: int | None = None
        self._looked_at = 0
        self._other: JsonLinesReader | TextReader | None = None

    def feed(self, data: bytes) -> list[RunEvent]:
        if self._other is not None:
            return self._other.feed(data)
        if self._is_too_long:
            return []
        self._body += data
        if len(self._body) > self._max_body_bytes:
            self._is_too_long = True
            self._body.clear()
            return [too_long("The body", self._max_body_bytes)]
        return self._look() if self._first_line_end != -1 else []

    def close(self) -> list[RunEvent]:
        if self._other is not None:
            return self._other.close()
        body = self._body.removeprefix(BYTE_ORDER_MARK).decode("utf-8", errors=self._errors)
        if not body.strip():
            return []
        values = StreamReader(self._max_body_bytes, is_body=True)
        try:
            return values.read_body(read_json(body), body)
        except UnreadableJsonError:
            pass
        several = read_json_values(body)
        if not several:
            return [{"kind": "text", "text": storable_text(body)}]
        stream = StreamReader(self._max_body_bytes)
        return [event for value in several for event in stream.read(value, "")] + stream.finish()

    def _look(self) -> list[RunEvent]:
        """With the first line: whether a value ends there and another one follows."""
        if self._first_line_end is None:
            end = self._body.find(b"\n", self._looked_at)
            self._looked_at = len(self._body)
            if end < 0:
                return []
            line = bytes(self._body[: min(end, _LONGEST_FIRST_LINE)]).removeprefix(BYTE_ORDER_MARK)
            text = line.decode("utf-8", errors=self._errors).strip()
            if not text:
                self._looked_at = end + 1
                return [] if end + 1 >= len(self._body) else self._look_again(end)
            self._first_line_end = end if _is_json(text) else -1
            self._looked_at = end + 1
            if self._first_line_end == -1 and not self._is_announced and not is_cut_short(text):
                return self._go_on_as(TextReader(self._errors))
        if self._first_line_end != -1 and self._body[self._looked_at :].strip():
            return self._go_on_as(JsonLinesReader(self._max_body_bytes, self._errors))
        self._looked_at = len(self._body)
        return []

    def _look_again(self, end: int) -> list[RunEvent]:
        """The first line was blank: it is of no interest."""
        del self._body[: end + 1]
        self._looked_at = 0
        return self._look()

    def _go_on_as(self, other: JsonLinesReader | TextReader) -> list[RunEvent]:
        body, self._body = bytes(self._body.removeprefix(BYTE_ORDER_MARK)), bytearray()
        self._other = other
        return other.feed(body)


class MediaReader:
    """A picture, a sound, a file: what it is and how large, once it is there."""

    def __init__(self, media_type: str) -> None:
        self._media_type = media_type
        self._byte_count = 0

    def feed(self, data: bytes) -> list[RunEvent]:
        self._byte_count += len(data)
        return []

    def close(self) -> list[RunEvent]:
        text = sized(kind_of(self._media_type), self._byte_count)
        return [{"kind": "text", "text": storable_text(text)}] if self._byte_count else []


def _is_json(text: str) -> bool:
    try:
        read_json(text)
    except UnreadableJsonError:
        return False
    return True
