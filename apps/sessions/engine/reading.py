"""Reading on in the recording of a run of another process, through a database that may be away for a while."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import Error as DatabaseError

from apps.core.notices.changes import changes
from apps.core.prepared import Select, slot
from apps.core.requests.unavailability import unavailability
from apps.sessions import selectors
from apps.sessions.models import Invocation
from loom_events.recorded import RecordedEvent

AWAY_AT_MOST_S = 300.0
UNREAD_AT_MOST_S = 5.0
_state = Select(
    lambda: Invocation.objects.filter(pk=slot(Invocation, "pk")).order_by().values_list("status", "process_id")
)


class RecordingReader:
    """Asked again and again, by one reader; reads only where something may have been committed since."""

    def __init__(self, invocation_id: int, *, away_at_most_s: float = AWAY_AT_MOST_S) -> None:
        self._invocation_id = invocation_id
        self._away_at_most_s = away_at_most_s
        self._away_since: float | None = None
        self.process_id: UUID | None = None  # whose the run was when it was read last
        self._status: str | None = Invocation.Status.WAITING
        self._read_at = 0.0
        self._commits: int | None = None

    async def after(self, sequence: int) -> tuple[str | None, list[RecordedEvent]]:
        """The status and the events above a number. For all that is known a run goes on while the database is away.

        Raises UnavailableError when it was away for longer than `away_at_most_s`.
        """
        commits, now = changes.commits, time.monotonic()
        if commits is not None and commits == self._commits and now - self._read_at < UNREAD_AT_MOST_S:
            return self._status, []
        try:
            found = await database_sync_to_async(self._read, thread_sensitive=False)(sequence)
        except DatabaseError as error:
            away = unavailability(error)
            self._away_since = self._away_since or time.monotonic()
            if away is None or time.monotonic() - self._away_since > self._away_at_most_s:
                raise away or error from error
            return Invocation.Status.WAITING, []
        self._away_since = None
        self._commits, self._read_at, self._status = commits, now, found[0]
        return found

    def _read(self, sequence: int) -> tuple[str | None, list[RecordedEvent]]:
        # The status first: events that were stored before the end are then never missed.
        status, self.process_id = next(iter(_state(pk=self._invocation_id)), (None, None))
        return status, selectors.events_after(self._invocation_id, sequence)


async def news_within(at_most_s: float, news: asyncio.Event | None) -> None:
    """Wait for news, but not for long: they may be lost, and most who follow hear of none."""
    if news is None:
        await asyncio.sleep(at_most_s)
        return
    with suppress(TimeoutError):
        await asyncio.wait_for(news.wait(), at_most_s)
    news.clear()
