from __future__ import annotations

import asyncio
from typing import Any


class Clock:
    """The event loop's clock, which can be put forward: every timer that is due by then goes off."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._ahead_s, real = 0.0, loop.time
        loop.time = lambda: real() + self._ahead_s  # type: ignore[method-assign]

    async def advance(self, seconds: float) -> None:
        self._ahead_s += seconds
        for _ in range(20):
            await asyncio.sleep(0.001)

    async def hurry(self, task: asyncio.Task[Any]) -> None:
        """Let an hour pass in a second until the task is done."""
        while not task.done():
            await self.advance(1.0)
