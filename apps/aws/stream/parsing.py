"""An agent's answer, from bytes to events: pure, incremental, and indifferent to where the bytes were cut.

`text/event-stream` follows the Server-Sent Events format of the HTML standard, with the habits of agents: a line whose
data is a whole JSON object or string counts at once, without the blank line that should follow. Any other
`application/json` body is one value, and everything else is text.
"""

from __future__ import annotations

import codecs
import json

from apps.aws.stream.events import StreamReader, UnreadableJsonError, answer_text, read_json
from loom_events.kinds import ErrorEvent, RunEvent
from loom_events.storable import storable_text

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""The longest event or JSON body that is read; AgentCore's own limit for one chunk is 10 MB."""

_DONE = "[DONE]"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class StreamParser:
    """Reads one answer: `feed` its bytes as they come, then `close` once.

    Nothing a peer sends raises, the work is proportional to the bytes, and at most `max_event_bytes` are kept.
    """

    def __init__(self, content_type: str, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        media_type = content_type.partition(";")[0].strip().lower()
        self._reader: _SseReader | _JsonReader | _TextReader
        if media_type == "text/event-stream":
            self._reader = _SseReader(max_event_bytes)
        elif media_type == "application/json" or media_type.endswith("+json"):
            self._reader = _JsonReader(max_event_bytes)
        else:
            self._reader = _TextReader()
        self._is_closed = False

    def feed(self, data: bytes) -> list[RunEvent]:
        """The events that these bytes complete, in order."""
        if self._is_closed:
            raise ValueError("This parser has been closed.")
        return self._reader.feed(data)

    def close(self) -> list[RunEvent]:
        """The events of what was left: an unterminated last line, or the JSON body. Empty when called again."""
        if self._is_closed:
            return []
        self._is_closed = True
        return self._reader.close()


class _SseReader:
    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._values = StreamReader()
        self._line = bytearray()
        self._is_first_line = True
        self._is_skipping_line = False
        self._is_skipping_event = False
        self._data: list[str] = []
        self._data_bytes = 0

    def feed(self, data: bytes) -> list[RunEvent]:
        first, *others = data.split(b"\n")
        if not others:
            return self._extend_line(first)
        events = self._extend_line(first)
        events += self._end_line()
        for line in others[:-1]:
            events += self._read_line(line)
        return events + self._extend_line(others[-1])

    def close(self) -> list[RunEvent]:
        return self._end_line() + self._dispatch() + self._values.finish()

    def _extend_line(self, data: bytes) -> list[RunEvent]:
        if self._is_skipping_line:
            return []
        # A bytearray grows in place, so a line that arrives byte by byte costs no more than one that comes at once.
        self._line += data
        if len(self._line) <= self._max_event_bytes:
            return []
        self._line.clear()
        self._is_skipping_line = True
        return self._skip_event()

    def _end_line(self) -> list[RunEvent]:
        line = bytes(self._line)
        self._line.clear()
        if self._is_skipping_line:
            self._is_skipping_line = False
            return []
        return self._read_line(line)

    def _read_line(self, line: bytes) -> list[RunEvent]:
        if len(line) > self._max_event_bytes:
            return self._skip_event()
        if self._is_first_line:
            self._is_first_line = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        line = line.removesuffix(b"\r")
        if not line:
            return self._dispatch() if self._data or self._is_skipping_event else []
        name, _, value = line.partition(b":")
        if name != b"data" or self._is_skipping_event:
            return []
        text = value.removeprefix(b" ").decode("utf-8", errors="replace")
        if not self._data and (events := self._read_whole(text)) is not None:
            return events
        self._data.append(text)
        self._data_bytes += len(line)
        return self._skip_event() if self._data_bytes > self._max_event_bytes else []

    def _read_whole(self, text: str) -> list[RunEvent] | None:
        """The events of a line that is complete in itself, so that nothing waits for the blank line; else None."""
        if not text.startswith(("{", '"')):
            if text.strip() == _DONE:
                return []
            if not text.lstrip().startswith(("{", '"')):
                return None
        try:
            return self._values.read(read_json(text), text)
        except UnreadableJsonError:
            return None

    def _dispatch(self) -> list[RunEvent]:
        """At a blank line or the end: the event made of the `data` lines so far."""
        lines, self._data, self._data_bytes = self._data, [], 0
        self._is_skipping_event = False
        text = "\n".join(lines)
        if not text or text.strip() == _DONE:
            return []
        try:
            return self._values.read(read_json(text), text)
        except UnreadableJsonError:
            return self._values.read_text(text)

    def _skip_event(self) -> list[RunEvent]:
        """Give up the event that is too long, saying so once."""
        self._data, self._data_bytes = [], 0
        if self._is_skipping_event:
            return []
        self._is_skipping_event = True
        return [_too_long("An event", self._max_event_bytes)]


class _JsonReader:
    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._body = bytearray()
        self._is_too_long = False

    def feed(self, data: bytes) -> list[RunEvent]:
        if self._is_too_long:
            return []
        self._body += data
        if len(self._body) <= self._max_body_bytes:
            return []
        self._is_too_long = True
        self._body.clear()
        return [_too_long("The body", self._max_body_bytes)]

    def close(self) -> list[RunEvent]:
        body = self._body.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", errors="replace")
        if not body.strip():
            return []
        try:
            value = read_json(body)
        except UnreadableJsonError:
            return [{"kind": "text", "text": storable_text(body)}]
        text = answer_text(value)
        shown = json.dumps(value, ensure_ascii=False, indent=2) if text is None else text
        return [{"kind": "json", "value": value, "text": shown}]


class _TextReader:
    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> list[RunEvent]:
        return self._text(self._decoder.decode(data))

    def close(self) -> list[RunEvent]:
        return self._text(self._decoder.decode(b"", final=True))

    def _text(self, text: str) -> list[RunEvent]:
        return [{"kind": "text", "text": storable_text(text)}] if text else []


def _too_long(subject: str, limit: int) -> ErrorEvent:
    message = f"{subject} of the answer is longer than {limit} bytes and was left out."
    return {"kind": "error", "error_type": "EventTooLongError", "message": message}
