"""At most so many requests at once, and so at most so many database connections.

Django serves each request from a thread of its own with a connection of its own. PostgreSQL refuses connections beyond
its limit, and then everything of every process fails; here a crowd waits for its turn instead.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

logger = logging.getLogger(__name__)

WAIT_S = 10.0
RETRY_AFTER_S = 5
MESSAGE = "Loom is busy with other requests."
ADVICE = "Try again in a few seconds."

Send = Callable[[dict[str, Any]], Awaitable[None]]


class NoSlotError(Exception):
    """Too many requests are being served, and none of them ended in time."""


class RequestSlots:
    """A number of slots; one is taken from before a view begins until the head of its answer is ready."""

    def __init__(self, count: int, *, wait_s: float = WAIT_S) -> None:
        self._free = asyncio.Semaphore(count)
        self._wait_s = wait_s
        self._is_refusing = False

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Callable[[], None]]:
        """Wait for a slot; it is given back by the function that the block gets, at the latest when the block ends.

        Raises NoSlotError when there was none in time.
        """
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError:
            if not self._is_refusing:
                logger.warning("too many requests at once; some are refused")
            self._is_refusing = True
            raise NoSlotError from None
        self._is_refusing = False
        is_taken = True

        def give_back() -> None:
            nonlocal is_taken
            if is_taken:
                self._free.release()
            is_taken = False

        try:
            yield give_back
        finally:
            give_back()


async def refuse(scope: dict[str, Any], send: Send) -> None:
    """Answer 503: in the shape of the API's errors below `/api/`, else in a sentence."""
    is_api = str(scope["path"]).startswith("/api/")
    body = json.dumps({"error": "busy", "message": MESSAGE, "advice": ADVICE}) if is_api else f"{MESSAGE} {ADVICE}"
    headers = [
        (b"content-type", b"application/json" if is_api else b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"retry-after", str(RETRY_AFTER_S).encode()),
    ]
    await send({"type": "http.response.start", "status": HTTPStatus.SERVICE_UNAVAILABLE, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
