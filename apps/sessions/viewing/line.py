"""The way out to one viewer: everything that it is told goes through here, in the order in which it was put."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from apps.core.requests.direct_write import DirectWrite
from apps.sessions.viewing.credit import Credit
from apps.sessions.viewing.frames import Frame
from apps.sessions.viewing.viewer_queue import Outbox

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Line:
    """Hands frames to the server at once while nothing else waits, and otherwise keeps them for the task that sends.

    That task is idle in `wait`, until `wake` says that there is something to do; while it does that, and while frames
    wait for it, whatever comes waits behind. So a frame never overtakes another, nor what the task itself sends.
    """

    def __init__(self, send: Send, write: DirectWrite | None, limit: int, credit: Credit) -> None:
        """`send` is the server's, as in ASGI; `write` its shorter way, where it has one; `limit` is the outbox's."""
        self.outbox = Outbox(limit)
        self.credit = credit
        self._send = send
        self._write = write
        self._is_idle = False
        self._is_woken = asyncio.Event()
        self._sending_since: float | None = None

    def put(self, frame: Frame) -> bool:
        """Pass a frame on, or keep it; whether it is gone already. Never waits."""
        if self._is_idle and self._write is not None and not frame.is_failure and self._write(frame.data):
            self.credit.spend(len(frame.text))
            return True
        self.outbox.put(frame)
        self.wake()
        return False

    def wake(self) -> None:
        """There is something to do for the task; nothing is handed on past it until it is idle again."""
        self._is_idle = False
        self._is_woken.set()

    async def wait(self) -> None:
        """Wait for `wake`; the task has nothing to do."""
        self._is_idle = True  # and not for a moment where it is woken already
        try:
            await self._is_woken.wait()
        finally:
            self._is_idle = False
        self._is_woken.clear()

    async def send(self, text: str) -> None:
        """Send now, for the task alone.

        Waits where the viewer does not read: the server holds back what does not fit into its buffer of 64 KB.
        """
        self._sending_since = asyncio.get_running_loop().time()
        self.credit.spend(len(text))
        await self._send({"type": "websocket.send", "text": text})
        self._sending_since = None

    @property
    def waited_s(self) -> float:
        """How long the viewer has not read what is being sent."""
        if self._sending_since is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._sending_since
