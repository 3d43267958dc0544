"""What one viewer is still to be sent, and what its page shows by now."""

from __future__ import annotations

from collections import deque
from urllib.parse import parse_qs

from apps.sessions.viewing.frames import Frame
from apps.sessions.viewing.places import Place

PAGE = "2"
"""What a page of this release calls itself; those of the release before took HTML and named only what they show."""


class Outbox:
    """Frames on their way to one viewer: at most `limit` characters, then none until the viewer reads again."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._frames: deque[Frame] = deque()
        self._size = 0
        self.has_overflowed = False

    def __bool__(self) -> bool:
        return bool(self._frames)

    def put(self, frame: Frame) -> None:
        """Add a frame, or drop all of them where that is too much: what follows would make no sense without them."""
        if self.has_overflowed:
            return
        if self._frames and self._size + len(frame.text) > self._limit:
            self.clear()
            self.has_overflowed = True
            return
        self._frames.append(frame)
        self._size += len(frame.text)

    def take(self) -> Frame:
        frame = self._frames.popleft()
        self._size -= len(frame.text)
        return frame

    def clear(self) -> None:
        self._frames.clear()
        self._size = 0
        self.has_overflowed = False


class Shown:
    """What the page shows, as its address told and as was sent to it since."""

    def __init__(self, query: str) -> None:
        values = parse_qs(query, max_num_fields=50)
        places = [Place.parse(value) for value in values.get("at", [])]
        self.running = {place.invocation_id: place for place in places if place}
        self.last = self._number(values, "last")
        self.environment = values.get("environment", [""])[0]  # its state; empty from when this viewer is told of it
        page = values.get("page", [""])[0]
        self.acknowledges = page == PAGE
        self.is_outdated = bool(self.environment) and page != PAGE

    @staticmethod
    def _number(values: dict[str, list[str]], name: str) -> int | None:
        text = values.get(name, [""])[0]
        return int(text) if text.isdecimal() and len(text) < 19 else None
