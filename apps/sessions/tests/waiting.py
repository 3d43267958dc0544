from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_S = 60.0


async def wait_until(is_so: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until a condition holds, for a minute at most."""
    for _ in range(int(PATIENCE_S / 0.01)):
        if await is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"it never came to this: {what}")
