"""At most so many requests at once, and so at most so many database connections.

Django serves each request from a thread of its own with a connection of its own. PostgreSQL refuses connections beyond
its limit, and then everything of every process fails; here a crowd waits for its turn instead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from apps.core.exceptions import LoomError
from apps.core.requests.refusals import refusal

logger = logging.getLogger(__name__)

WAIT_S = 10.0

Send = Callable[[dict[str, Any]], Awaitable[None]]


class BusyError(LoomError):
    """Too many requests are being served, and none of them ended in time."""

    code = "busy"
    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    is_retryable = True
    retry_after_s = 5

    def __init__(self) -> None:
        super().__init__("Loom is busy with other requests.", advice="Try again in a few seconds.")


class RequestSlots:
    """A number of slots. A request takes one when all of it has arrived: a slow sender keeps nobody waiting."""

    def __init__(self, count: int, *, wait_s: float = WAIT_S) -> None:
        self._free = asyncio.Semaphore(count)
        self._wait_s = wait_s
        self._is_refusing = False

    async def take(self) -> Callable[[], None]:
        """Wait for a slot; return the function that gives it back, of which only the first call counts.

        Raises BusyError when there was none in time.
        """
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError:
            if not self._is_refusing:
                logger.warning("too many requests at once; some are refused")
            self._is_refusing = True
            raise BusyError from None
        self._is_refusing = False
        is_taken = True

        def give_back() -> None:
            nonlocal is_taken
            if is_taken:
                self._free.release()
            is_taken = False

        return give_back


async def refuse(scope: dict[str, Any], send: Send, error: LoomError) -> None:
    """Answer with an error, in the form of whoever asks."""
    accept = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"accept"), "")
    response = refusal(error, path=str(scope["path"]), accept=accept)
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.items()]
    headers.append((b"content-length", str(len(response.content)).encode()))
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
