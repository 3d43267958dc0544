"""Tell every web process that a topic changed, and from there the sockets that follow it.

Without `REDIS_URL` a notice is a row, written in the transaction of the change itself, and each web process tails the
table. With it, the channel layer carries it. Either way a notice may be lost: the rows are the truth, and every page is
right after a reload.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q

from apps.core.models import Notice
from apps.core.prepared import Insert
from apps.core.running.processes import DatabaseThread

logger = logging.getLogger(__name__)

KEPT_FOR = timedelta(minutes=10)
POLL_EVERY_S = 0.25
# PostgreSQL hands out ids before the commit, so a lower id can appear after a higher one: missing ids are looked for
# again, as many and for as long as a transaction of ours may plausibly take.
GAP_WIDTH = 100
GAP_SOUGHT_FOR_S = 60.0
BATCH_SIZE = 1000
_insert_notice = Insert(Notice)


def group_name(topic: str) -> str:
    """Return the channel layer's group of a topic: a digest, because the name of a group is short and plain."""
    return f"notice.{hashlib.blake2b(topic.encode(), digest_size=20).hexdigest()}"


def notify(topic: str, kind: str) -> None:
    """Tell whoever follows `topic` (at most 100 characters) that it changed, once the caller's transaction commits.

    Consumers in the group `group_name(topic)` get `{"type": "notice", "topic": topic, "kind": kind}`. A kind like
    `started:17` names the row that it is about, for those who may know it already.
    """
    if not settings.REDIS_URL:
        _insert_notice(Notice(topic=topic, kind=kind))
        return
    # robust: an unreachable Redis is logged; what the caller has committed stays done.
    transaction.on_commit(lambda: async_to_sync(_deliver)(topic, kind), robust=True)


def is_layer_away(error: BaseException) -> bool:
    """Whether the channel layer failed because its Redis cannot be reached, for now."""
    return isinstance(error, ConnectionError) or type(error).__module__ == "redis.exceptions"


def prune(now: datetime) -> None:
    """Delete notices older than `KEPT_FOR`."""
    Notice.objects.filter(created_at__lt=now - KEPT_FOR).delete()


async def _deliver(topic: str, kind: str) -> None:
    layer = get_channel_layer()
    assert layer is not None, "settings.CHANNEL_LAYERS names no default"
    await layer.group_send(group_name(topic), {"type": "notice", "topic": topic, "kind": kind})


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
        fresh = Q(pk__gt=self._highest) | Q(pk__in=list(self._missing))
        rows = list(Notice.objects.filter(fresh).order_by("pk").values_list("pk", "topic", "kind")[:BATCH_SIZE])
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
    """Async context manager for the life of a web process: hands the notices of all processes on to its own sockets.

    With `REDIS_URL` it does nothing: the channel layer crosses processes by itself. A failing database is logged and
    outlived.
    """

    def __init__(self, *, every_s: float = POLL_EVERY_S) -> None:
        self._every_s = every_s
        self._reader = NoticeReader()
        self._thread: DatabaseThread | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if settings.REDIS_URL:
            return self
        self._thread = DatabaseThread("notices")
        try:
            await self._thread.run(self._reader.skip_past)
        except BaseException:
            await self._thread.close()
            raise
        self._task = asyncio.create_task(self._follow(self._thread), name="notices")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is None or self._thread is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._thread.close()

    async def _follow(self, thread: DatabaseThread) -> None:
        is_failing = False
        while True:
            await asyncio.sleep(self._every_s)
            try:
                for topic, kind in await thread.run(self._reader.read):
                    await _deliver(topic, kind)
            except Exception:  # without the tail no page of this process hears anything any more
                if not is_failing:
                    logger.exception("notices not delivered")
                is_failing = True
            else:
                is_failing = False
