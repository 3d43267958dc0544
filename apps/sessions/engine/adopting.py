"""Runs whose events arrive from outside, with numbers of their own: a mirrored terminal, an agent behind a bridge.

Whoever brings them may say everything twice, may be cut off and come back, to this process or to another one. Each
event is taken once, by its number; what is missing is asked for, not guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from apps.core.exceptions import ConflictError
from apps.core.running.processes import silent_process_ids
from apps.sessions.engine.host import RunEnd
from apps.sessions.engine.run import Run
from apps.sessions.models import Invocation
from apps.sessions.selectors import events_after
from loom_events.kinds import RunEvent
from loom_events.recorded import RecordedEvent


class GapError(ConflictError):
    """An event came before the one it follows; `expected` is the number to go on from."""

    code = "events_missing"

    def __init__(self, expected: int) -> None:
        super().__init__(f"Events are missing: {expected} is the next one.", advice=f"Send them again from {expected}.")
        self.expected = expected


class HeldElsewhereError(ConflictError):
    """Another process, which lives, takes the events of this run."""

    code = "run_held_elsewhere"
    is_retryable = True

    def __init__(self) -> None:
        super().__init__(
            "Another process takes the events of this run.", advice="Try again in some seconds, or go on there."
        )


def claim_adopted(process_id: UUID, invocation_id: int) -> list[RecordedEvent]:
    """Take a stored run to this process, again where its process is gone; return what is recorded of it already.

    Raises HeldElsewhereError.
    """
    mine = Q(process_id=process_id) | Q(process=None) | Q(process_id__in=silent_process_ids(timezone.now()))
    rows = Invocation.objects.filter(mine, pk=invocation_id, status__in=Invocation.RUNNING)
    if not rows.update(process_id=process_id, claimed_at=timezone.now()):
        raise HeldElsewhereError
    return events_after(invocation_id)


class AdoptedRun:
    """The run as whoever brings its events sees it. Everything on the engine's loop."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._end: asyncio.Future[RunEnd] = asyncio.get_running_loop().create_future()
        self.stop_asked = asyncio.Event()

    @property
    def next_sequence(self) -> int:
        """The number of the event that is expected next, from 1."""
        return len(self._run.events) + 1

    def take(self, first_sequence: int, events: Iterable[RunEvent]) -> int:
        """Take events of which the first has this number; those that are known are passed over.

        Return the number that is expected next. Raises GapError where some are missing, and then takes nothing.
        """
        expected = self.next_sequence
        if first_sequence > expected:
            raise GapError(expected)
        if self._run.clock.invoked_at is None:
            self._run.clock.start()
            self._run.note({"invoked_at": 0.0}, status=Invocation.Status.STREAMING)
        for event in list(events)[expected - first_sequence :]:
            self._run.emit(event)
        return self.next_sequence

    def end(self, end: RunEnd) -> None:
        """The run is over outside; a second end changes nothing."""
        if not self._end.done():
            self._end.set_result(end)

    async def wait(self) -> RunEnd:
        """What the engine waits for in a host's place; a stop is passed on, and ends the run here at once."""
        try:
            return await self._end
        except asyncio.CancelledError:
            self.stop_asked.set()
            raise
