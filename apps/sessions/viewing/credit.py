"""How much a viewer may be sent before its page has shown it."""

from __future__ import annotations

from collections import deque

FRAMES = 2
CHARACTERS = 16_000
"""So much may be on its way: two messages, or more small ones. A page acknowledges after 6,000 (see frames.js)."""


class Credit:
    """What was sent and not acknowledged; a viewer that does not acknowledge at all has credit without end.

    A page acknowledges by the number of messages that it has shown since it connected. An acknowledgement for each
    message would cost more than the message: many words are on their way together, of large messages only two.
    """

    def __init__(self, *, is_limited: bool) -> None:
        self._is_limited = is_limited
        self._sent = 0
        self._acknowledged = 0
        self._sizes: deque[int] = deque()
        self._size = 0

    def spend(self, size: int) -> None:
        """A message of so many characters goes out."""
        if self._is_limited:
            self._sent += 1
            self._sizes.append(size)
            self._size += size

    def acknowledge(self, count: int) -> None:
        """So many messages have been shown; never more than were sent, and never fewer than before."""
        for _ in range(min(count, self._sent) - self._acknowledged):
            self._size -= self._sizes.popleft()
            self._acknowledged += 1

    @property
    def is_left(self) -> bool:
        """Whether what only goes on with an answer may go out."""
        return self._size < CHARACTERS or len(self._sizes) < FRAMES
