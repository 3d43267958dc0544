"""Reading the table of notices: what other processes told, and this one."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import connections
from django.db.models import Max, Q, QuerySet

from apps.core.models import Notice
from apps.core.notices.changes import POLL_EVERY_S, Waker, changes, make_bell
from apps.core.notices.notices import deliver
from apps.core.prepared import Select, slot

logger = logging.getLogger(__name__)

# PostgreSQL hands out ids before the commit, so a lower id can appear after a higher one: missing ids are looked for
# again, as many and for as long as a transaction of ours may plausibly take.
GAP_WIDTH = 100
GAP_SOUGHT_FOR_S = 60.0
BATCH_SIZE = 1000
LONGEST_DELAY_S = 5.0
REST_S = 0.05  # between two readings, however many notices there are


def _in_order(condition: Q) -> QuerySet[Notice, tuple[int, str, str]]:
    return Notice.objects.filter(condition).order_by("pk").values_list("pk", "topic", "kind")[:BATCH_SIZE]


_above = Select(lambda: _in_order(Q(pk__gt=slot(Notice, "pk", "highest"))))  # asked with every change of any row


class NoticeReader:
    """Reads each notice once, by id but for those that were committed late. Used by one thread at a time."""

    def __init__(self) -> None:
        self._highest = 0
        self._missing: dict[int, float] = {}  # id → the monotonic instant until which it is looked for

    def skip_past(self) -> None:
        """Begin after the newest notice there is; those committed late are still read."""
        newest = Notice.objects.aggregate(newest=Max("pk"))["newest"] or 0
        self._highest = max(newest - GAP_WIDTH, 0)
        self._take(list(Notice.objects.filter(pk__gt=self._highest, pk__lte=newest).values_list("pk", flat=True)))

    def read(self) -> list[tuple[str, str]]:
        """Return the (topic, kind) of up to `BATCH_SIZE` new notices; equal ones once, as they carry no content."""
        now = time.monotonic()
        self._missing = {pk: until for pk, until in self._missing.items() if until > now}
        if self._missing:
            rows = list(_in_order(Q(pk__gt=self._highest) | Q(pk__in=list(self._missing))))
        else:
            rows = _above(highest=self._highest)
        self._take([pk for pk, _topic, _kind in rows])
        return list(dict.fromkeys((topic, kind) for _pk, topic, kind in rows))

    def _take(self, pks: list[int]) -> None:
        until = time.monotonic() + GAP_SOUGHT_FOR_S
        for pk in pks:
            if pk > self._highest:
                # After a quiet day every row is pruned, and the ids before the first new one are just gone.
                self._missing |= dict.fromkeys(range(max(self._highest + 1, pk - GAP_WIDTH), pk), until)
                self._highest = pk
            else:
                self._missing.pop(pk, None)


class Tail:
    """Async context manager for the life of a process: hands the notices of all processes on to who hears of them here.

    With `REDIS_URL` it does nothing: the channel layer crosses processes by itself. A failing database is logged and
    outlived. One thread with one connection waits for commits and reads; the loop is told of notices alone.
    """

    def __init__(self) -> None:
        self._reader = NoticeReader()
        self._is_failing = False
        self._waker: Waker | None = None

    async def __aenter__(self) -> Self:
        if settings.REDIS_URL:
            return self
        self._loop = asyncio.get_running_loop()
        self._waker = Waker()
        self._begun, self._ended = self._loop.create_future(), asyncio.Event()
        # Not one that the interpreter waits for at its end: it would wait for ever where this block was not left.
        threading.Thread(target=self._run, args=(self._waker,), name="notices", daemon=True).start()
        try:
            await self._begun
        except BaseException:
            await self._end(self._waker)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._waker is not None:
            await self._end(self._waker)

    async def _end(self, waker: Waker) -> None:
        waker.end()
        await self._ended.wait()
        changes.end()
        waker.close()

    def _run(self, waker: Waker) -> None:
        try:
            self._reader.skip_past()
        except BaseException as error:
            self._loop.call_soon_threadsafe(self._begun.set_exception, error)
        else:
            self._loop.call_soon_threadsafe(self._begun.set_result, None)
            self._follow(waker)
        finally:
            connections.close_all()
            self._loop.call_soon_threadsafe(self._ended.set)

    def _follow(self, waker: Waker) -> None:
        bell, delay_s = make_bell(waker), POLL_EVERY_S
        while not waker.is_over:
            try:
                has_rung = bell.wait()
                found = self._reader.read()
                if found and not waker.is_over:
                    asyncio.run_coroutine_threadsafe(_deliver(found), self._loop).result()
                if found and not has_rung:
                    bell.was_missed()
            except Exception:  # without the tail no page of this process hears anything any more
                if not self._is_failing:
                    logger.exception("notices not delivered")
                self._is_failing = True
                connections.close_all()
                waker.wait(delay_s)
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)
            else:
                self._is_failing, delay_s = False, POLL_EVERY_S
                if found:
                    time.sleep(REST_S)


async def _deliver(found: list[tuple[str, str]]) -> None:
    for topic, kind in found:
        await deliver(topic, kind)
