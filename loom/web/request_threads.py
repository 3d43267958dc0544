"""The threads in which requests ask the database: each has one of its own, and the next request has it after that.

Django makes a thread for every request. What a thread knows of its connection (`apps.core.prepared`: the statements of
every run) was then found out anew for each prompt over the API, which took longer than all of its queries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from asgiref.sync import ThreadSensitiveContext


class RequestThreads:
    """As many threads as there are requests at a time; of those that nobody needs any more `most_idle` are kept."""

    def __init__(self, most_idle: int) -> None:
        self._most_idle = most_idle
        self._idle: list[ThreadPoolExecutor] = []

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A thread for this block, which is alone with it; the one that was used last, for it knows most."""
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                yield
        finally:
            if len(self._idle) < self._most_idle:
                self._idle.append(thread)
            else:
                thread.shutdown(wait=False)
