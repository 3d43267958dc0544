"""The channel layer of a process without Redis: channels' own, which costs as much for many open pages as for few.

Channels looks through all channels and groups with every message that anybody sends or takes. With a few hundred pages
open that was most of what a notice cost, and it grew with their square where all of them hear it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from channels.exceptions import ChannelFull
from channels.layers import InMemoryChannelLayer

CLEAN_EVERY_S = 5.0  # what nobody takes is stale after a minute


class NoticeLayer(InMemoryChannelLayer):
    """`BACKEND` of the settings."""

    _clean_at = 0.0

    def _clean_expired(self) -> None:
        now = time.monotonic()
        if now >= self._clean_at:
            self._clean_at = now + CLEAN_EVERY_S
            super()._clean_expired()  # type: ignore[misc] # the stubs know none

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Put the message into each channel of the group; that waits for nobody, so it needs no task for each."""
        self.require_valid_group_name(group)
        self._clean_expired()
        for channel in list(self.groups.get(group, ())):
            with suppress(ChannelFull):
                await self.send(channel, message)
