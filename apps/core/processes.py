"""Which processes of Loom are alive: each writes a heartbeat, and who is silent for 8 s counts as dead."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import TracebackType
from typing import ParamSpec, Self, TypeVar
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import Error as DatabaseFailure
from django.db import connections
from django.db.models import Q
from django.utils import timezone

from apps.core.models import Process

logger = logging.getLogger(__name__)

SILENT_AFTER = timedelta(seconds=8)
KEPT_FOR = timedelta(days=7)
BEAT_EVERY_S = 2.0

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def register(kind: Process.Kind) -> Process:
    """Write down that the calling process runs, and return its row."""
    now = timezone.now()
    return Process.objects.create(kind=kind, host=socket.gethostname(), pid=os.getpid(), started_at=now, beat_at=now)


def beat(process_id: UUID) -> None:
    """Say that the process is still alive."""
    Process.objects.filter(pk=process_id).update(beat_at=timezone.now())


def end(process_id: UUID) -> None:
    """Say that the process ended in good order. Its first end stays."""
    Process.objects.filter(pk=process_id, ended_at=None).update(ended_at=timezone.now())


def silent_process_ids(now: datetime) -> list[UUID]:
    """Return the processes that can no longer be working on anything: ended, or without a beat for `SILENT_AFTER`."""
    gone = Q(ended_at__isnull=False) | Q(beat_at__lt=now - SILENT_AFTER)
    return list(Process.objects.filter(gone).values_list("pk", flat=True))


def prune(now: datetime) -> None:
    """Delete the rows of processes that ended or fell silent more than `KEPT_FOR` ago."""
    Process.objects.filter(beat_at__lt=now - KEPT_FOR).delete()


class DatabaseThread:
    """One thread with a database connection of its own, for a coroutine that must not wait behind other work.

    The loop's shared threads can all be busy with slow requests; a heartbeat that queued behind them would make this
    process look dead.
    """

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Call `function` in the thread and return what it returns; stale connections are closed before and after."""
        call = database_sync_to_async(function, thread_sensitive=False, executor=self._executor)
        return await call(*args, **kwargs)

    async def close(self) -> None:
        """Close the thread's connection and end it, after what still runs in it."""
        await asyncio.get_running_loop().run_in_executor(self._executor, connections.close_all)
        self._executor.shutdown()


class Heartbeat:
    """Async context manager for the life of a web process: registers it, keeps it alive, and writes down its end.

    A failing database is logged and outlived; entering it raises, because a process without a row cannot own a run.
    """

    def __init__(self, kind: Process.Kind = Process.Kind.WEB, *, every_s: float = BEAT_EVERY_S) -> None:
        self._kind = kind
        self._every_s = every_s
        self._thread = DatabaseThread("heartbeat")
        self._process_id: UUID | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def process_id(self) -> UUID:
        assert self._process_id is not None, "the heartbeat has not been entered"
        return self._process_id

    async def __aenter__(self) -> Self:
        try:
            self._process_id = (await self._thread.run(register, self._kind)).pk
        except BaseException:
            await self._thread.close()
            raise
        self._task = asyncio.create_task(self._beat(self._process_id), name="heartbeat")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        try:
            await self._thread.run(end, self.process_id)
        except DatabaseFailure as failure:
            # Whoever looks next finds the process silent, which comes to the same a few seconds later.
            logger.warning("end of process not written id=%s error=%s", self.process_id, type(failure).__name__)
        finally:
            await self._thread.close()

    async def _beat(self, process_id: UUID) -> None:
        is_failing = False
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self._thread.run(beat, process_id)
            except Exception:  # a heart that stops for any reason ends every run of this process
                if not is_failing:
                    logger.exception("heartbeat not written id=%s", process_id)
                is_failing = True
            else:
                if is_failing:
                    logger.warning("heartbeat written again id=%s", process_id)
                is_failing = False
