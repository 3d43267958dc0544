"""The one writer of a process: every 250 ms one transaction with the new events of all its running streams.

Measured: a commit for each event costs five to eight times the CPU of streaming it, one transaction for all streams a
third of it or less. Every write is guarded by `process = me and the run is not over`: a process that was paused and
declared dead overwrites nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connections, transaction
from django.db.models import F

from apps.agents.models import Agent
from apps.aws.stream_events import storable_text
from apps.core.notices import notify
from apps.sessions.events import Event
from apps.sessions.models import Invocation, RecordingBatch, Session
from apps.sessions.signals import invocation_completed

logger = logging.getLogger(__name__)

WRITE_EVERY_S = 0.25
FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 15.0
UNSTORABLE = {
    "error_code": "not_stored",
    "error_message": "The database could not hold the end of this answer. What was recorded before it is kept.",
}
T = TypeVar("T")


class Recorded(Protocol):
    """What the recorder needs of a running stream."""

    invocation_id: int
    events: list[Event]
    recorded_sequence: int
    changed_fields: dict[str, Any]

    def lose(self) -> None:
        """The row no longer belongs to this process: end the run without writing."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What one stream has to write now: new events and changed columns."""

    invocation_id: int
    events: list[Event]
    fields: dict[str, Any] = field(default_factory=dict)


def _fitting(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields as their columns can hold them.

    Agents and AWS choose the texts, and PostgreSQL, unlike SQLite, refuses some characters and whatever is longer than
    its column. A row that cannot be written would leave its run without an end.
    """
    lengths = {column.name: column.max_length for column in Invocation._meta.concrete_fields}
    return {
        name: storable_text(value)[: lengths[name]] if isinstance(value, str) else value
        for name, value in fields.items()
    }


def _batch(pending: Pending) -> RecordingBatch:
    return RecordingBatch(
        invocation_id=pending.invocation_id,
        first_sequence=pending.events[0]["seq"],
        last_sequence=pending.events[-1]["seq"],
        events=pending.events,
    )


def write_batches(process_id: UUID, pending: list[Pending]) -> set[int]:
    """Store the events and columns of running invocations of this process.

    Return the ids of those that are no longer its own.
    """
    with transaction.atomic():
        ids = [item.invocation_id for item in pending]
        own = set(
            Invocation.objects.filter(pk__in=ids, process_id=process_id, status__in=Invocation.RUNNING).values_list(
                "pk", flat=True
            )
        )
        kept = [item for item in pending if item.invocation_id in own]
        RecordingBatch.objects.bulk_create([_batch(item) for item in kept if item.events])
        for item in kept:
            if item.fields:
                Invocation.objects.filter(pk=item.invocation_id).update(**item.fields)
        begun = [item.invocation_id for item in kept if "first_chunk_at" in item.fields]
        for session in Session.objects.filter(invocations__in=begun) if begun else ():
            notify(session.topic, "measurement")  # the time to first token is known, long before the end
    return set(ids) - own


def finish_invocation(process_id: UUID | None, rest: Pending, *, status: str, completed_at: datetime) -> bool:
    """End a run in one transaction: its last events, its status and whatever listens to `invocation_completed`.

    Returns False, and writes nothing, when the run is over already or belongs to another process.
    """
    with transaction.atomic():
        rows = Invocation.objects.filter(pk=rest.invocation_id, status__in=Invocation.RUNNING, process=process_id)
        if not rows.update(**rest.fields, status=status, completed_at=completed_at):
            return False
        if rest.events:
            _batch(rest).save(force_insert=True)
        invocation = Invocation.objects.select_related("session__agent").get(pk=rest.invocation_id)
        session = invocation.session
        Agent.objects.filter(pk=session.agent_id).update(
            last_invoked_at=invocation.requested_at, invocation_count=F("invocation_count") + 1
        )
        invocation_completed.send(sender=Invocation, invocation=invocation)
        notify(session.topic, "finished")
    return True


def stop_requests(invocation_ids: list[int]) -> set[int]:
    """The runs among these that someone asked to stop, in whichever process."""
    rows = Invocation.objects.filter(
        pk__in=invocation_ids, stop_requested_at__isnull=False, status__in=Invocation.RUNNING
    )
    return set(rows.values_list("pk", flat=True))


class Recorder:
    """Collects what the streams of this process have to write and writes it from one thread with one connection."""

    def __init__(self, process_id: UUID, streams: Callable[[], list[Recorded]], on_stop: Callable[[int], None]) -> None:
        self._process_id = process_id
        self._streams = streams
        self._on_stop = on_stop
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recorder")
        self._task: asyncio.Task[None] | None = None
        # A tick that fails gives its events back; the end of a run must not overtake it and leave a gap.
        self._order = asyncio.Lock()

    def start(self) -> None:
        self._task = asyncio.create_task(self._write_for_ever(), name="recorder")

    async def close(self) -> None:
        """Stop ticking; what the streams still hold was written when they ended."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.call(connections.close_all)
        self._thread.shutdown(wait=True)

    async def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a database function in the writer's thread, after the writes before it."""

        def work() -> T:
            close_old_connections()
            return function(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def tick(self) -> None:
        """Write what is new in all streams, and pass on stop requests from other processes."""
        async with self._order:
            streams = self._streams()
            await self._write([(stream, self._take(stream)) for stream in streams])
            if streams:
                for invocation_id in await self.call(stop_requests, [stream.invocation_id for stream in streams]):
                    self._on_stop(invocation_id)

    async def finish(self, stream: Recorded, *, status: str, completed_at: datetime) -> bool:
        """End a run with all that is left of it; tried again for as long as the database is out of reach.

        A session answers one prompt at a time, so an end that is never written would close it for ever. What the
        database cannot hold is left out, and the row says so.
        """
        delay_s = FIRST_DELAY_S
        while True:
            async with self._order:
                rest = self._take(stream)
                try:
                    return await self.call(
                        finish_invocation, self._process_id, rest, status=status, completed_at=completed_at
                    )
                except (OperationalError, InterfaceError):
                    logger.exception("end of run not stored yet id=%s", stream.invocation_id)
                    self._give_back(stream, rest)
                except DatabaseError:
                    logger.exception("end of run does not fit id=%s", stream.invocation_id)
                    bare = Pending(stream.invocation_id, [], UNSTORABLE)
                    return await self.call(
                        finish_invocation, self._process_id, bare, status="failed", completed_at=completed_at
                    )
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)

    async def _write(self, taken: list[tuple[Recorded, Pending]]) -> None:
        dirty = [(stream, item) for stream, item in taken if item.events or item.fields]
        if not dirty:
            return
        try:
            lost = await self.call(write_batches, self._process_id, [item for _, item in dirty])
        except DatabaseError:
            logger.exception("recording failed streams=%d", len(dirty))
            for stream, item in dirty:
                self._give_back(stream, item)
            return
        for stream, _ in dirty:
            if stream.invocation_id in lost:
                stream.lose()

    @staticmethod
    def _take(stream: Recorded) -> Pending:
        """Take what the stream has not recorded yet; it counts as recorded from here."""
        events = stream.events[stream.recorded_sequence :]
        fields, stream.changed_fields = stream.changed_fields, {}
        stream.recorded_sequence += len(events)
        return Pending(stream.invocation_id, events, _fitting(fields))

    @staticmethod
    def _give_back(stream: Recorded, item: Pending) -> None:
        """What was taken and not written is new again."""
        stream.recorded_sequence -= len(item.events)
        stream.changed_fields = {**item.fields, **stream.changed_fields}

    async def _write_for_ever(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                await self.tick()
            except DatabaseError:
                logger.exception("recorder tick failed")
