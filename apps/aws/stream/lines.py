"""Lines of bytes, whichever way they are cut and ended: the ground of server-sent events and of JSON line by line."""

from __future__ import annotations

from abc import ABC, abstractmethod

from loom_events.kinds import ErrorEvent, RunEvent

_NEWLINE = 0x0A


class LineReader(ABC):
    """Hands complete lines to `read_line`; a line may end in `\\n`, `\\r\\n` or `\\r`."""

    def __init__(self, max_event_bytes: int) -> None:
        self.max_event_bytes = max_event_bytes
        self._line = bytearray()
        self._is_skipping_line = False
        self._is_after_cr = False
        self._is_between_lines = True

    @abstractmethod
    def read_line(self, line: bytes) -> list[RunEvent]:
        """The events that a line completes."""

    @abstractmethod
    def skip_event(self) -> list[RunEvent]:
        """What is to be said about a line that is too long."""

    def feed(self, data: bytes) -> list[RunEvent]:
        end = data.find(b"\n")
        if end > 0 and end == len(data) - 2 and data[-1] == _NEWLINE and self._is_between_lines and b"\r" not in data:
            # One line and the blank one after it, as nearly every chunk of a stream is.
            events = self.read_line(data[:end])
            return events + end_events if (end_events := self.read_line(b"")) else events
        events = self._feed_lines(data)
        self._is_between_lines = not (self._line or self._is_skipping_line or self._is_after_cr)
        return events

    def _feed_lines(self, data: bytes) -> list[RunEvent]:
        if b"\r" in data or self._is_after_cr:
            data = self._with_newlines(data)
        first, *others = data.split(b"\n")
        if not others:
            return self._extend_line(first)
        events = self._extend_line(first)
        events += self._end_line()
        for line in others[:-1]:
            events += self.read_line(line)
        return events + self._extend_line(others[-1])

    def close(self) -> list[RunEvent]:
        return self._end_line()

    def _with_newlines(self, data: bytes) -> bytes:
        """The bytes with every line ended by a newline; one that follows a return of the chunk before belongs to it."""
        if self._is_after_cr and data:
            data = data.removeprefix(b"\n")
        self._is_after_cr = data.endswith(b"\r") if data else False
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _extend_line(self, data: bytes) -> list[RunEvent]:
        if self._is_skipping_line:
            return []
        # A bytearray grows in place, so a line that arrives byte by byte costs no more than one that comes at once.
        self._line += data
        if len(self._line) <= self.max_event_bytes:
            return []
        self._line.clear()
        self._is_skipping_line = True
        return self.skip_event()

    def _end_line(self) -> list[RunEvent]:
        line = bytes(self._line)
        self._line.clear()
        if self._is_skipping_line:
            self._is_skipping_line = False
            return []
        return self.read_line(line)


def too_long(subject: str, limit: int) -> ErrorEvent:
    message = f"{subject} of the answer is longer than {limit} bytes and was left out."
    return {"kind": "error", "error_type": "EventTooLongError", "message": message}
