"""A reader of a run to whom the run itself writes: no task of his wakes up for a token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

from apps.core.requests.direct_write import DirectWrite
from apps.sessions.engine.engine import engine, follow
from apps.sessions.engine.reading import AWAY_AT_MOST_S
from apps.sessions.engine.run_stream import LiveStream
from loom_events.recorded import RecordedEvent

# So many events at a time for one who has fallen behind: what he has not taken yet stays where it is, in the list.
AT_ONCE = 32


class DirectReader:
    """One reader's place in a run, and the one way past it: nothing is told twice, or left out."""

    def __init__(
        self,
        invocation_id: int,
        after: int,
        *,
        encode: Callable[[list[RecordedEvent]], bytes],
        write: DirectWrite | None,
        stream: LiveStream | None = None,
        away_at_most_s: float = AWAY_AT_MOST_S,
    ) -> None:
        """`encode` says what is written of some events, and may be asked twice about the same; `stream` is the run, in
        the hands of whoever saw it begin: by the time somebody reads it may be over.
        """
        self.after = after  # the number of the last event that was written, or handed on
        self._invocation_id = invocation_id
        self._encode = encode
        self._write = write
        self._stream = stream
        self._away_at_most_s = away_at_most_s
        self._loop = asyncio.get_running_loop()
        self._sleep: asyncio.Timeout | None = None
        self._heard_at = 0.0

    async def read_on(self, *, pause_s: float, is_direct: bool) -> AsyncGenerator[list[RecordedEvent], None]:
        """As `follow`, of the events above `after`; with `is_direct` only those that could not be written at once.

        Direct is only what runs in this process, and where there is somebody to write to.
        """
        seen = self._stream or engine.stream(self._invocation_id)
        stream = seen if is_direct and self._write is not None else None
        if stream is not None:
            self._stream = seen = None
            async with aclosing(self._left_over(stream, pause_s)) as batches:
                async for events in batches:
                    yield events
            if stream.is_stored and not stream.is_waiting:
                return
        rest = follow(
            self._invocation_id, self.after, stream=seen, pause_s=pause_s, away_at_most_s=self._away_at_most_s
        )
        async with aclosing(rest) as batches:
            async for events in batches:
                self.after = events[-1]["seq"] if events else self.after
                yield events

    async def _left_over(self, stream: LiveStream, pause_s: float) -> AsyncGenerator[list[RecordedEvent], None]:
        """Sleep while the run writes; wake up for what it could not, and for silence."""
        stream.listen(self._take)
        try:
            while True:
                events = stream.events[self.after : self.after + AT_ONCE]
                if events:
                    self.after += len(events)
                    yield events
                elif stream.ended.is_set():
                    return
                elif await self._is_silent(stream, pause_s):
                    yield []
        finally:
            stream.forget(self._take)

    async def _is_silent(self, stream: LiveStream, pause_s: float) -> bool:
        """Until the run has ended, or somebody has to look; tell whether that is because nothing came for so long."""
        self._heard_at = self._loop.time()
        while (until := self._heard_at + pause_s) > self._loop.time():
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until) as self._sleep:
                    await stream.ended.wait()
            self._sleep = None
            if stream.ended.is_set() or len(stream.events) > self.after:
                return False
        return True

    def _take(self, events: list[RecordedEvent]) -> None:
        """Called by the run: write what came, unless its reader is awake, who then does so in his turn."""
        if self._sleep is None:
            return
        if events and events[0]["seq"] <= self.after:  # he asked for what comes after a later one
            events = [event for event in events if event["seq"] > self.after]
        if not events:
            return
        if self._is_written(events):
            self._heard_at = self._loop.time()
            self.after += len(events)
        else:
            if not self._sleep.expired():
                self._sleep.reschedule(self._loop.time())
            self._sleep = None

    def _is_written(self, events: list[RecordedEvent]) -> bool:
        try:
            body = self._encode(events)
            return not body or (self._write is not None and self._write(body))
        except Exception:  # it is the reader's and not the run's: he meets it again when he is awake
            return False
