"""Which processes of Loom are alive: each writes a heartbeat, and who is silent for 8 s counts as dead."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import Error as DatabaseFailure
from django.db import connections
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.core.models import Process
from apps.core.running import telemetry
from apps.core.supervised import restart_count, supervised_name

logger = logging.getLogger(__name__)

SILENT_AFTER = timedelta(seconds=8)
HOST_NAMESPACE = 0xEFFFFFFC  # the number that Linux gives the namespace in which it starts
GONE_AFTER = timedelta(seconds=3)
KEPT_FOR = timedelta(days=7)
BEAT_EVERY_S = 2.0
LONGEST_PAUSE_S = 2 * BEAT_EVERY_S

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def register(kind: Process.Kind) -> Process:
    """Write down that the calling process runs, and return its row."""
    now = timezone.now()
    return Process.objects.create(
        kind=kind,
        host=machine(),
        pid=os.getpid(),
        started_at=now,
        beat_at=now,
        name=supervised_name(),
        restart_count=restart_count(),
    )


def machine() -> str:
    """Where a pid means the same process: the host, or in it the namespace of pids that a container has of its own."""
    try:
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:  # no Linux
        namespace = HOST_NAMESPACE
    return socket.gethostname() if namespace == HOST_NAMESPACE else f"{socket.gethostname()} {namespace}"


def beat(process_id: UUID) -> bool:
    """Say that the process is still alive, and what it has counted.

    False where its row says that it ended, or is gone.
    """
    mine = Process.objects.filter(pk=process_id, ended_at=None)
    return bool(mine.update(beat_at=timezone.now(), telemetry=telemetry.snapshot()))


def end(process_id: UUID) -> None:
    """Say that the process ended in good order. Its first end stays."""
    Process.objects.filter(pk=process_id, ended_at=None).update(ended_at=timezone.now())


def silent_process_ids(now: datetime) -> list[UUID]:
    """Return the processes that can no longer be working on anything: ended, or without a beat for `SILENT_AFTER`."""
    gone = Q(ended_at__isnull=False) | Q(beat_at__lt=now - SILENT_AFTER)
    return list(Process.objects.filter(gone).values_list("pk", flat=True))


def gone_process_ids(now: datetime) -> list[UUID]:
    """Return the processes of this machine that it has no more, and that have missed a beat.

    That is known without their silence, which may have another cause than their death, and sooner.
    """
    quiet = Process.objects.filter(host=machine(), ended_at=None, beat_at__lt=now - GONE_AFTER)
    return [pk for pk, pid in quiet.values_list("pk", "pid") if not is_process_alive(pid)]


def living(now: datetime, kind: Process.Kind) -> QuerySet[Process]:
    """Return the processes of a kind that have not ended and are not silent."""
    return Process.objects.filter(kind=kind, ended_at=None, beat_at__gte=now - SILENT_AFTER)


def is_process_alive(pid: int) -> bool:
    """Tell whether this machine has such a process; one that ended and was not waited for counts as well."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it is somebody else's
    return True


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


class Steadiness:
    """Tells from a process's own heartbeats whether the silence of others means anything.

    While the database is out of reach, or the machine sleeps, nobody's heart can beat. Who judged right after it came
    back would find every process silent, and end runs that go on. `clock` is the wall clock: it is what beats are
    dated by.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._last_s = self._since_s = clock()

    def beaten(self) -> None:
        """Take note of a heartbeat that was written."""
        now_s = self._clock()
        if not 0 <= now_s - self._last_s <= LONGEST_PAUSE_S:
            self._since_s = now_s
        self._last_s = now_s

    @property
    def is_steady(self) -> bool:
        """Whether this process has beaten without a pause for as long as others have to be silent."""
        now_s = self._clock()
        is_recent = 0 <= now_s - self._last_s <= LONGEST_PAUSE_S
        return is_recent and now_s - self._since_s >= SILENT_AFTER.total_seconds()


Renewed = Callable[[UUID], Awaitable[None]]


class Heartbeat:
    """Async context manager for the life of a web process: registers it, keeps it alive, and writes down its end.

    A failing database is logged and outlived; entering it raises, because a process without a row cannot own a run.
    A process that was paused for as long as `SILENT_AFTER` finds itself declared dead: it goes on under a new id, which
    `on_renewed` is told before the old one is written down as ended.
    """

    def __init__(
        self,
        kind: Process.Kind = Process.Kind.WEB,
        *,
        every_s: float = BEAT_EVERY_S,
        on_renewed: Renewed | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kind = kind
        self._every_s = every_s
        self._on_renewed = on_renewed
        self._clock = clock
        self._thread = DatabaseThread("heartbeat")
        self._steadiness = Steadiness(clock)
        self._process_id: UUID | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def process_id(self) -> UUID:
        assert self._process_id is not None, "the heartbeat has not been entered"
        return self._process_id

    @property
    def is_steady(self) -> bool:
        """See `Steadiness`."""
        return self._steadiness.is_steady

    async def __aenter__(self) -> Self:
        try:
            self._process_id = (await self._thread.run(register, self._kind)).pk
        except BaseException:
            await self._thread.close()
            raise
        self._task = asyncio.create_task(self._beat_for_ever(), name="heartbeat")
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

    async def _beat_for_ever(self) -> None:
        is_failing = is_dead = False
        while True:
            before_s, slept_from = self._clock(), time.monotonic()
            await asyncio.sleep(self._every_s)
            telemetry.lag.seconds = max(0.0, time.monotonic() - slept_from - self._every_s)
            # Not the age of the last beat: a database that was away leaves others as ignorant as us.
            is_dead = is_dead or self._clock() - before_s >= SILENT_AFTER.total_seconds()
            try:
                is_dead = is_dead or not await self._thread.run(beat, self.process_id)
                if is_dead:
                    await self._renew()
                    is_dead = False
                self._steadiness.beaten()
            except Exception:  # a heart that stops for any reason ends every run of this process
                if not is_failing:
                    logger.exception("heartbeat not written id=%s", self.process_id)
                is_failing = True
            else:
                if is_failing:
                    logger.warning("heartbeat written again id=%s", self.process_id)
                is_failing = False

    async def _renew(self) -> None:
        old_id, new = self.process_id, await self._thread.run(register, self._kind)
        logger.warning("process was paused and counts as dead id=%s; it goes on as id=%s", old_id, new.pk)
        if self._on_renewed is not None:
            await self._on_renewed(new.pk)
        self._process_id = new.pk
        await self._thread.run(end, old_id)
