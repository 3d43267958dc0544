"""The one writer of a process: every 250 ms one transaction with the new events of all its running streams.

Measured: a commit for each event costs five to eight times the CPU of streaming it, one transaction for all streams a
third of it or less. Of more than `AT_ONCE` streams there are several, so that starts and ends come in between. Every
write is guarded by `process = me and the run is not over`: a process that was paused and declared dead overwrites
nothing.

A database that takes nothing (full, away, locked) holds up no run: what it did not take stays in memory and is offered
again, less and less often. A run that ends meanwhile waits `HOLD_S` for room; then it is ended without the events that
do not fit, as soon as as little as that can be written.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from django.db import DatabaseError, close_old_connections, connections

from apps.core.notices.waiting import listening_to
from apps.sessions.engine import recording
from apps.sessions.engine.recording import PASSING, Pending
from apps.sessions.models import Invocation
from loom_events.recorded import RecordedEvent

logger = logging.getLogger(__name__)

WRITE_EVERY_S = 0.25
AT_ONCE = 32
STOP_TOPIC = "runs.stopped"
STOP_LOOK_S = 1.0  # a notice tells at once, and may be lost
FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 5.0
HOLD_S = 60.0
T = TypeVar("T")


class Recorded(Protocol):
    """What the recorder needs of a running stream."""

    invocation_id: int
    events: list[RecordedEvent]
    recorded_sequence: int
    changed_fields: dict[str, Any]
    invocation: Invocation | None

    def lose(self) -> None:
        """The row no longer belongs to this process: end the run without writing."""

    def hold(self) -> None:
        """The run has ended, and its end is not written yet."""


@dataclass(frozen=True, slots=True)
class LateEnd:
    """The end of a run that nothing could be written of yet: all that is kept of it is how it ended."""

    invocation_id: int
    event_count: int
    fields: dict[str, Any]
    status: str
    completed_at: datetime


class Recorder:
    """Collects what the streams of this process have to write and writes it from one thread with one connection."""

    def __init__(
        self,
        process_id: UUID,
        streams: Callable[[], list[Recorded]],
        on_stop: Callable[[int], object],
        *,
        hold_s: float = HOLD_S,
    ) -> None:
        self.process_id = process_id
        self._streams = streams
        self._on_stop = on_stop
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recorder")
        self._tasks: list[asyncio.Task[None]] = []
        # A tick that fails gives its events back; the end of a run must not overtake it and leave a gap.
        self._order = asyncio.Lock()
        self._hold_s = hold_s
        self._is_failing = False
        # Streams of which a write failed: it may have been stored nevertheless, when the connection broke in a commit.
        self._unsure: set[int] = set()
        # Streams with something that the database refuses; they are written when they end.
        self._refused: set[int] = set()
        self._late_ends: list[LateEnd] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._write_for_ever(), name="recorder"),
            asyncio.create_task(self._listen_for_stops(), name="recorder-stops"),
        ]

    def hurry(self) -> None:
        """The process is about to end: wait for no more room in the database."""
        self._hold_s = 0.0

    async def close(self) -> None:
        """Stop ticking; what the streams still hold was written when they ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.call(connections.close_all)
        self._thread.shutdown(wait=True)

    async def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a database function in the writer's thread, after the writes before it."""

        def work() -> T:
            close_old_connections()
            return function(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def move_to(self, process_id: UUID) -> None:
        """Go on as another process of the registry, with the runs that nobody has ended; raises DatabaseError.

        Those that somebody has ended or queued again are lost at once: a silent agent would not let them notice soon.
        """
        async with self._order:
            streams = self._streams()
            await self.call(recording.move_runs, self.process_id, process_id)
            self.process_id = process_id
            lost = await self.call(recording.lost_runs, process_id, [stream.invocation_id for stream in streams])
        for stream in streams:
            if stream.invocation_id in lost:
                stream.lose()

    async def begin(self, invocation_id: int) -> bool:
        """Write down that a run from the queue is about to be sent, before it is: then, and not earlier, a dead process
        may have sent it. False where it is not ours any more. Waits for a database that is away.
        """
        delay_s = FIRST_DELAY_S
        while True:
            try:
                return await self.call(recording.begin_invocation, self.process_id, invocation_id)
            except PASSING:
                self._note_failure("run from the queue not begun yet id=%s", invocation_id)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)

    async def tick(self) -> bool:
        """Write what is new in all streams; return False where the database does not take it now.

        So many at a time that whoever begins or ends a run meanwhile does not wait for all of them.
        """
        new = [stream for stream in self._streams() if stream.changed_fields or _is_behind(stream)]
        for at in range(0, len(new), AT_ONCE):
            async with self._order:
                part = [stream for stream in new[at : at + AT_ONCE] if stream.invocation_id not in self._refused]
                taken = [(stream, self._take(stream)) for stream in part]
                if not await self._write([(stream, item) for stream, item in taken if item.events or item.fields]):
                    return False
        return True

    async def finish(self, stream: Recorded, *, status: str, completed_at: datetime) -> bool:
        """End a run with all that is left of it; return False where that is not written: it is not ours any more, or
        nothing can be written now, and the end follows later.

        A session answers one prompt at a time, so an end that is never written would close it for ever. What the
        database cannot hold is left out, and the row says so.
        """
        delay_s, began = FIRST_DELAY_S, time.monotonic()
        while True:
            async with self._order:
                rest = self._take(stream)
                try:
                    is_ours = await self.call(
                        recording.finish_whatever_listens,
                        self.process_id,
                        rest,
                        status=status,
                        completed_at=completed_at,
                        invocation=_as_stored(stream, status, completed_at),
                    )
                except DatabaseError as error:
                    self._note_failure("end of run not stored yet id=%s", stream.invocation_id)
                    self._give_back(stream, rest)
                    stream.hold()
                    is_passing = isinstance(error, PASSING)
                else:
                    self._forget(stream)
                    return is_ours
            if not is_passing or time.monotonic() - began >= self._hold_s:
                fields = {name: value for name, value in stream.changed_fields.items() if name != "response_text"}
                stream.invocation = None  # the row will say something else
                late = LateEnd(stream.invocation_id, len(stream.events), fields, status, completed_at)
                self._forget(stream)
                return await self._finish_incomplete(late)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)

    async def _finish_incomplete(self, end: LateEnd) -> bool:
        async with self._order:
            try:
                return await self.call(
                    recording.finish_incomplete,
                    self.process_id,
                    end.invocation_id,
                    end.event_count,
                    end.fields,
                    status=end.status,
                    completed_at=end.completed_at,
                )
            except DatabaseError:
                self._note_failure("end of run put off id=%s", end.invocation_id)
                self._late_ends.append(end)
                return False

    async def _write(self, dirty: list[tuple[Recorded, Pending]]) -> bool:
        if not dirty:
            return True
        try:
            lost = await self.call(recording.write_batches, self.process_id, [item for _, item in dirty])
        except PASSING:
            self._note_failure("recording put off streams=%d", len(dirty))
            for stream, item in dirty:
                self._give_back(stream, item)
            return False
        except DatabaseError:
            if len(dirty) > 1:  # one stream's trouble is not the others'
                for pair in dirty:
                    await self._write([pair])
                return True
            [(stream, item)] = dirty
            logger.exception("recording refused id=%s", stream.invocation_id)
            self._give_back(stream, item)
            self._refused.add(stream.invocation_id)
            return True
        self._unsure.difference_update(item.invocation_id for _, item in dirty)
        for stream, _ in dirty:
            if stream.invocation_id in lost:
                stream.lose()
        return True

    def _take(self, stream: Recorded) -> Pending:
        """Take what the stream has not recorded yet; it counts as recorded from here."""
        events = stream.events[stream.recorded_sequence :]
        fields, stream.changed_fields = stream.changed_fields, {}
        if stream.invocation is not None:
            for name, value in fields.items():
                setattr(stream.invocation, name, value)
        stream.recorded_sequence += len(events)
        return Pending(stream.invocation_id, events, fields, stream.invocation_id in self._unsure)

    def _give_back(self, stream: Recorded, item: Pending) -> None:
        """What was taken and not written is new again."""
        stream.recorded_sequence -= len(item.events)
        stream.changed_fields = {**item.fields, **stream.changed_fields}
        self._unsure.add(stream.invocation_id)

    def _forget(self, stream: Recorded) -> None:
        self._unsure.discard(stream.invocation_id)
        self._refused.discard(stream.invocation_id)

    def _note_failure(self, message: str, *arguments: object) -> None:
        """Log the first failure with its traceback: a database that is away for an hour fails thousands of times."""
        logger.warning(message, *arguments, exc_info=not self._is_failing)
        self._is_failing = True

    async def _write_for_ever(self) -> None:
        delay_s = WRITE_EVERY_S
        while True:
            await asyncio.sleep(delay_s)
            try:
                has_written = await self.tick() and await self._write_late_ends()
            except Exception:  # a recorder that stops for any reason records nothing of any run any more
                logger.exception("recorder tick failed")
                has_written = False
            if has_written and self._is_failing and not self._unsure:
                logger.warning("recording again")
                self._is_failing = False
            delay_s = WRITE_EVERY_S if has_written else min(2 * delay_s, LONGEST_DELAY_S)

    async def _write_late_ends(self) -> bool:
        late, self._late_ends = self._late_ends, []
        for end in late:
            await self._finish_incomplete(end)
        return not self._late_ends

    async def _listen_for_stops(self) -> None:
        """Pass on the stop requests that other processes wrote into the rows of this one's runs."""
        async with listening_to(STOP_TOPIC) as hear:
            while True:
                await hear(STOP_LOOK_S)
                if not self._streams():
                    continue
                try:
                    stopped = await self.call(recording.stop_requests, self.process_id)
                except DatabaseError:
                    await asyncio.sleep(LONGEST_DELAY_S)
                    continue
                for invocation_id in stopped:
                    self._on_stop(invocation_id)


def _is_behind(stream: Recorded) -> bool:
    return len(stream.events) > stream.recorded_sequence


def _as_stored(stream: Recorded, status: str, completed_at: datetime) -> Invocation | None:
    """The run as its row will be, which saves reading it again."""
    if stream.invocation is not None:
        stream.invocation.status = status
        stream.invocation.completed_at = completed_at if status in Invocation.FINISHED else None
    return stream.invocation
