"""Server-sent events, in the format of the HTML standard, with the habits of agents.

A line whose data is a whole JSON object or string counts at once, without the blank line that should follow.
"""

from __future__ import annotations

from apps.aws.stream.encoded import DONE
from apps.aws.stream.events import StreamReader
from apps.aws.stream.lines import LineReader, too_long
from apps.aws.stream.values import UnreadableJsonError, read_json
from loom_events.kinds import RunEvent

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_DATA = b"data:"
_DATA_BLANK = b"data: "
_KNOWN = frozenset({b"data", b"id", b"retry", b""})
_MOST_IGNORED = 4_000


class SseReader(LineReader):
    def __init__(self, max_event_bytes: int, errors: str) -> None:
        super().__init__(max_event_bytes)
        self._values = StreamReader(max_event_bytes)
        self._errors = errors
        self._is_first_line = True
        self._is_skipping_event = False
        self._event_name = ""
        self._data: list[str] = []
        self._data_bytes = 0
        self._has_data = False
        self._ignored = ""

    def close(self) -> list[RunEvent]:
        events = super().close() + self._dispatch()
        if self._ignored and not self._has_data:
            events += self._values.keep(self._ignored)
        return events + self._values.finish()

    def read_line(self, line: bytes) -> list[RunEvent]:
        if not line:
            self._is_first_line = False
            if self._data or self._is_skipping_event or self._event_name:
                return self._dispatch()
            return []
        if len(line) > self.max_event_bytes:
            return self.skip_event()
        if self._values.plain and line.startswith(_DATA) and not (self._data or self._event_name):
            piece = None if self._is_skipping_event else self._values.read_piece(line[5:])
            if piece is not None:
                return piece
        if self._is_first_line:
            self._is_first_line = False
            line = line.removeprefix(BYTE_ORDER_MARK)
            if not line:
                return []
        if not line.startswith(_DATA):
            if line != b"data":
                self._read_field(line)
                return []
            line = _DATA
        if self._is_skipping_event:
            return []
        self._has_data = True
        text = line[6 if line.startswith(_DATA_BLANK) else 5 :].decode("utf-8", self._errors)
        if not self._data and (events := self._read_whole(text)) is not None:
            return events
        self._data.append(text)
        self._data_bytes += len(line)
        return self.skip_event() if self._data_bytes > self.max_event_bytes else []

    def skip_event(self) -> list[RunEvent]:
        """Give up the event that is too long, saying so once."""
        self._data, self._data_bytes = [], 0
        if self._is_skipping_event:
            return []
        self._is_skipping_event = True
        return [too_long("An event", self.max_event_bytes)]

    def _read_field(self, line: bytes) -> None:
        """The name of an event; some of the fields that are to be ignored, in case that nothing else comes."""
        name, _, value = line.partition(b":")
        if name == b"event":
            self._event_name = value.decode("utf-8", errors="replace").strip()
        elif name not in _KNOWN and not self._has_data and len(self._ignored) < _MOST_IGNORED:
            self._ignored += line[:_MOST_IGNORED].decode("utf-8", errors=self._errors) + "\n"

    def _read_whole(self, text: str) -> list[RunEvent] | None:
        """The events of a line that is complete in itself, so that nothing waits for the blank line; else None."""
        if not text.startswith(("{", '"')):
            if text.strip() == DONE:
                return []
            if not text.lstrip().startswith(("{", '"')):
                return None
        try:
            value = read_json(text)
        except UnreadableJsonError:
            return None
        return self._values.read(value, text, self._event_name)

    def _dispatch(self) -> list[RunEvent]:
        """At a blank line or the end: the event made of the `data` lines so far."""
        lines, self._data, self._data_bytes = self._data, [], 0
        name, self._event_name = self._event_name, ""
        self._is_skipping_event = False
        text = "\n".join(lines)
        if not text or text.strip() == DONE:
            return []
        try:
            value = read_json(text)
        except UnreadableJsonError:
            return self._values.read_raw(text, name)
        return self._values.read(value, text, name)
