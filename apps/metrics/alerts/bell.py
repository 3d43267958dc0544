"""How many alerts wait for somebody, for the frame of every page: asked for once in a while, not with each page.

The number is up to `lasting_s` old. The rows are the truth, and the page of alerts reads those.
"""

from __future__ import annotations

import time

from apps.accounts.models import User
from apps.metrics.alerts.selectors import firing_count

LASTING_S = 10.0
MOST_REMEMBERED = 2000


class Bell:
    """What this process remembers, by user."""

    def __init__(self, lasting_s: float = LASTING_S) -> None:
        self.lasting_s = lasting_s
        self._counts: dict[int, tuple[float, int]] = {}

    def count_for(self, user: User) -> int:
        """How many alerts fire of those that `user` sees."""
        now = time.monotonic()
        asked_at, count = self._counts.get(user.pk, (float("-inf"), 0))
        if now - asked_at >= self.lasting_s:
            if len(self._counts) >= MOST_REMEMBERED:
                self._counts.clear()
            count = firing_count(user)
            self._counts[user.pk] = (now, count)
        return count

    def forget(self) -> None:
        """Ask anew: after a change that whoever made it is to see at once."""
        self._counts.clear()


bell = Bell()
