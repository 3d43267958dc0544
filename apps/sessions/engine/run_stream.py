"""The events of one run in memory, and its clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from apps.sessions.models import Invocation
from loom_events.kinds import RunEvent
from loom_events.recorded import RecordedEvent

Listener = Callable[[list[RecordedEvent]], None]


class LiveStream:
    """The events of one run, from `invoked` to the last; appended by the run, read by any number of followers."""

    def __init__(
        self, invocation_id: int, invocation: Invocation | None = None, *, recorded: Iterable[RecordedEvent] = ()
    ) -> None:
        """`recorded` is what the recording of a run that is taken up again holds already."""
        self.invocation_id = invocation_id
        self.invocation = invocation
        self.events: list[RecordedEvent] = list(recorded)
        self.recorded_sequence = len(self.events)
        self.changed_fields: dict[str, Any] = {}
        self.ended = asyncio.Event()
        self.is_stored = False
        self.task: asyncio.Task[None] | None = None
        self.end_reason: str = Invocation.Status.INTERRUPTED
        self.has_begun = self.is_cancelled = self.is_finishing = False
        self.is_from_queue = False
        self.is_waiting = False  # it is stored, and goes on when somebody has answered
        self._waiting: list[asyncio.Future[None]] = []
        self._listeners: list[Listener] = []

    def append(self, *events: RunEvent, offset_ms: float) -> list[RecordedEvent]:
        """Number events and hand them on, as they are then; `offset_ms` counts from invoked_at."""
        number, offset_ms = len(self.events) + 1, int(offset_ms * 1000 + 0.5) / 1000
        if len(events) == 1:  # as nearly always
            new: list[RecordedEvent] = [{"seq": number, "offset_ms": offset_ms, **events[0]}]  # type: ignore[list-item] # mypy adds nothing to a union
        else:
            new = [
                {"seq": place, "offset_ms": offset_ms, **event}  # type: ignore[misc] # likewise
                for place, event in enumerate(events, number)
            ]
        self.events += new
        for listener in self._listeners:
            listener(new)
        if self._waiting:
            self._wake()
        return new

    def hold(self) -> None:
        """Tell the listeners, with no events, that the run is over and the database does not take that yet."""
        for listener in self._listeners:
            listener([])

    def end(self) -> None:
        """Tell the followers that nothing more comes."""
        self.ended.set()
        self._wake()

    def listen(self, listener: Listener) -> None:
        """Call `listener` with whatever is appended from now on, at once: no task has to wake up. It must not raise."""
        self._listeners.append(listener)

    def forget(self, listener: Listener) -> None:
        self._listeners.remove(listener)

    def begin(self) -> None:
        """The task runs; raises CancelledError where it was cancelled before it came to that."""
        self.has_begun = True
        if self.is_cancelled:
            raise asyncio.CancelledError

    def cancel(self, reason: Invocation.Status) -> None:
        """Close the upstream connection and end the run as `reason`; the partial answer is kept.

        A second call changes nothing.
        """
        if self.task is None or self.is_finishing or self.is_cancelled:
            return
        self.is_cancelled = True
        self.end_reason = reason
        # A task that is cancelled before its first step never takes it, and nobody would end its row.
        if self.has_begun:
            self.task.cancel()

    def lose(self) -> None:
        self.cancel(Invocation.Status.INTERRUPTED)

    async def follow(self, after: int = 0, *, pause_s: float | None = None) -> AsyncIterator[list[RecordedEvent]]:
        """Hand on every event above `after`, as many at a time as have gathered, until the run has ended.

        With `pause_s` an empty list after so long a silence, and again after the next.
        """
        loop = asyncio.get_running_loop()
        while True:
            if len(self.events) > after:
                events, after = self.events[after:], len(self.events)
                yield events
            elif self.ended.is_set():
                return
            else:
                waiter = loop.create_future()
                self._waiting.append(waiter)
                timer = None if pause_s is None else loop.call_later(pause_s, _wake, waiter)
                await waiter
                if timer is not None:
                    timer.cancel()
                if len(self.events) == after and not self.ended.is_set():
                    yield []

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            _wake(waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class RunClock:
    """One wall-clock reading per attempt, just before the request is sent.

    Every later instant is that plus a monotonic difference.
    """

    def __init__(self) -> None:
        self.invoked_at: datetime | None = None
        self._started = 0.0

    def start(self) -> datetime:
        self.invoked_at, self._started = timezone.now(), time.perf_counter()
        return self.invoked_at

    def go_on(self, invoked_at: datetime) -> None:
        """Count from an earlier process's reading: the only one there is of a run that is taken up again."""
        self.invoked_at = invoked_at
        self._started = time.perf_counter() - max((timezone.now() - invoked_at).total_seconds(), 0.0)

    def offset_ms(self) -> float:
        return (time.perf_counter() - self._started) * 1000 if self.invoked_at else 0.0

    def at(self, offset_ms: float) -> datetime:
        return (self.invoked_at or timezone.now()) + timedelta(milliseconds=offset_ms)
