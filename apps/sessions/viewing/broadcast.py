"""One stream, many viewers: every frame of a running answer is rendered once in a process and handed to all of them.

Each frame says which place in the stream a page shows after it: `invocation:epoch:event`. A viewer that comes back with
its place gets exactly what it lacks, as long as the same broadcast goes on (the epoch) and remembers the place; anyone
else gets the whole turn anew.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from copy import copy
from functools import cached_property
from typing import Protocol

from channels.db import database_sync_to_async

from apps.sessions.engine.engine import engine, follow
from apps.sessions.engine.host import Environment
from apps.sessions.engine.run_stream import LiveStream
from apps.sessions.models import Invocation
from apps.sessions.viewing import stored_turns
from apps.sessions.viewing.frames import Frame, message, words_message
from apps.sessions.viewing.places import ClosedParts, Place
from apps.sessions.viewing.rendering import (
    AnswerRenderer,
    answer_message,
    environment_message,
    idle_environment_of,
    state_message,
    turn_message,
)
from apps.sessions.viewing.ticker import rest_s, ticker
from apps.sessions.viewing.turns import Turn, answer_url_of
from loom_events.recorded import RecordedEvent

logger = logging.getLogger(__name__)

QUEUE_LOOK_S = 2.0
CLOCK_TICK_S = 0.001  # an event loop counts no finer
LINGER_S = 60.0  # how long the place of a viewer that was cut off is kept


class Viewer(Protocol):
    """Who takes frames. Never waits: what it cannot pass on it drops, and comes back with its place."""

    def take(self, frame: Frame) -> None: ...


class Broadcast:
    """Follows one invocation to its end, for viewers that come and go."""

    def __init__(self, invocation: Invocation) -> None:
        self.invocation = invocation
        self.invocation_id = invocation.pk
        self.epoch = secrets.token_hex(4)
        self.viewers: set[Viewer] = set()
        self._at = f"{Place(invocation.pk, self.epoch)}".removesuffix("0")  # a place as pages write it, up to the event
        self._renderer = AnswerRenderer(invocation.pk, answer_url_of(invocation))
        self._closed_parts = ClosedParts()
        self._whole_turn = Frame("")  # as it was rendered last
        self._place_in_queue: int | None = None
        self._is_state_told = False  # that the answer comes, which no page shows that was there before
        self._is_caught_up = asyncio.Event()
        self._is_news = asyncio.Event()
        self._leave_timer: asyncio.TimerHandle | None = None
        self.is_over = False
        self._look: asyncio.Task[None] | None = None
        self._gathered: list[RecordedEvent] = []
        self._next_frame_at = 0.0
        self._is_awaiting_tick = False
        self._loop = asyncio.get_running_loop()
        self._ticker = ticker()
        self._task = self._loop.create_task(self._run(), name=f"broadcast-{invocation.pk}")

    @property
    def place(self) -> Place:
        return Place(self.invocation_id, self.epoch, self._renderer.position)

    async def join(self, viewer: Viewer, shown: Place | None) -> Frame | None:
        """Hand every later frame to `viewer`; return what brings its page from `shown` to the first of them.

        The whole turn where this broadcast does not know what `shown` looks like. None, and nothing is handed on, where
        it is over by now.
        """
        await self._is_caught_up.wait()
        if self.is_over:
            return None
        if self._leave_timer:
            self._leave_timer.cancel()
            self._leave_timer = None
        self.viewers.add(viewer)
        if shown is not None and (more := self._more_since(shown)) is not None:
            if self._is_state_told:
                viewer.take(self._state)
            return more
        return self._whole()

    def since(self, shown: Place) -> Frame:
        """What brings the page of a viewer that follows this from `shown` to now."""
        return self._more_since(shown) or self._whole()

    def _more_since(self, shown: Place) -> Frame | None:
        """None where it is not known what that page shows."""
        part = self._closed_parts.at(shown.sequence) if shown.epoch == self.epoch else None
        if part is None or shown.sequence > self._renderer.position:
            return None
        return self._frame_from(shown.sequence, part)

    def _whole(self) -> Frame:
        place = self.place
        if self._whole_turn.place != place:  # viewers of a run that begins come all at once
            self._whole_turn = self._render_whole_turn()
        return self._whole_turn

    @property
    def is_running(self) -> bool:
        """A process has it: until then, and while it waits for a person, no environment works for it."""
        return self.invocation.status in Invocation.RUNNING

    @cached_property
    def busy_environment(self) -> Frame:
        """What becomes of the environment while this runs."""
        return Frame(environment_message(self.invocation.session, Environment("busy")))

    def look_again(self) -> None:
        """The row says something new (it left the queue, it waits for a person): show its turn as it stands now.

        Every viewer hears of that; one look is enough for all of them.
        """
        if self._look is None or self._look.done():
            self._look = self._loop.create_task(self._refresh(), name=f"look-again-{self.invocation_id}")

    async def _refresh(self) -> None:
        read = database_sync_to_async(stored_turns.unfinished, thread_sensitive=False)
        invocation, place_in_queue = await read(self.invocation_id)
        if invocation is None or self.is_over:
            return
        was_running = self.is_running
        self.invocation, self._place_in_queue = invocation, place_in_queue
        self._hand_on()
        self._whole_turn = self._render_whole_turn()
        self._tell(self._whole_turn)
        if self.is_running and not was_running:
            self._tell(self.busy_environment)
        elif was_running and not self.is_running:
            render = database_sync_to_async(stored_turns.environment_message_now, thread_sensitive=False)
            self._tell(Frame(await render(invocation.session_id)))

    def hurry(self) -> None:
        """The run is over, as a notice says: what follows it elsewhere need not wait for its next look."""
        self._is_news.set()

    def _render_whole_turn(self) -> Frame:
        place = self.place
        return Frame(turn_message(self._turn(str(place))), place)

    def _turn(self, position: str) -> Turn:
        """The turn as far as it came. Its row may have been read before it was sent: what came says so as well."""
        if self._renderer.position and self.invocation.status == Invocation.Status.PENDING:
            self.invocation = copy(self.invocation)
            self.invocation.status = Invocation.Status.STREAMING
        return self._renderer.turn(self.invocation, position, self._place_in_queue)

    @property
    def _state(self) -> Frame:
        return Frame(state_message(self._turn("")))

    def leave(self, viewer: Viewer) -> None:
        """Hand it nothing more; without viewers the broadcast ends after a while."""
        self.viewers.discard(viewer)
        if not self.viewers and not self._leave_timer and not self._task.done():
            self._leave_timer = self._loop.call_later(LINGER_S, self._give_up)

    def _give_up(self) -> None:
        """End before the run does; whoever comes from now on gets another broadcast."""
        self._close()
        self._task.cancel()

    def _close(self) -> None:
        """Nobody joins any more, and nothing is rendered by a tick."""
        self.is_over = True
        if self._leave_timer:
            self._leave_timer.cancel()
        if _broadcasts.get(self.invocation_id) is self:
            del _broadcasts[self.invocation_id]
        self._is_caught_up.set()

    def _frame_from(self, sequence: int, part: int) -> Frame:
        place = self.place
        text = answer_message(self._renderer, str(place), after=sequence, from_part=part)
        return Frame(text, place, is_delta=True)

    async def _run(self) -> None:
        stream = engine.stream(self.invocation_id)
        try:
            await self._catch_up(stream)
            self._is_caught_up.set()
            await self._follow(stream)
            self._hand_on()
            frames = await self._last_frames(stream)
        except Exception:  # the top frame of the task
            logger.exception("broadcast failed invocation=%s", self.invocation_id)
            frames = [Frame("", is_failure=True)]
        finally:
            self._close()
        for frame in frames:
            self._tell(frame)

    async def _catch_up(self, stream: LiveStream | None) -> None:
        read = database_sync_to_async(stored_turns.recorded, thread_sensitive=False)
        if stream is None:
            past, self._place_in_queue = await read(self.invocation)
        else:
            past = list(stream.events)
            if self.invocation.status == Invocation.Status.QUEUED and stream.invocation is not None:
                self.invocation = copy(stream.invocation)  # taken since its row was read
        if past:
            self._renderer.feed(past)
        self._closed_parts.note(self._renderer.position, len(self._renderer.parts))

    async def _follow(self, stream: LiveStream | None) -> None:
        """Take every event to the end; those of this process without a task that wakes up for each."""
        if stream is not None:
            stream.listen(self._take)
            try:
                await stream.ended.wait()
            finally:
                stream.forget(self._take)
            if stream.is_stored and not stream.is_waiting:
                return
        known = self._gathered[-1]["seq"] if self._gathered else self._renderer.position
        async for events in follow(self.invocation_id, after=known, pause_s=QUEUE_LOOK_S, news=self._is_news):
            if events:
                self._take(events)
            if self.invocation.status == Invocation.Status.QUEUED:
                self.look_again()  # its place changes as others are taken, and so does what was read before it was

    async def _last_frames(self, stream: LiveStream | None) -> list[Frame]:
        """The finished turn, and then what becomes of the environment."""
        self._close()
        invocation = stream.invocation if stream and stream.is_stored and not stream.is_waiting else None
        if stream is not None and invocation is not None:
            self._renderer.close()
            text = turn_message(self._renderer.turn(invocation), is_end=True)
        else:
            read = database_sync_to_async(stored_turns.final_turn, thread_sensitive=False)
            invocation, text = await read(self.invocation_id, is_end=True)
        end = Frame(text, Place(invocation.pk), is_end=True)
        self._tell(end)
        await asyncio.sleep(0)  # answers that end at the same moment are shown before any of the cards beside them
        session = invocation.session
        render_environment = database_sync_to_async(stored_turns.idle_environment_message, thread_sensitive=False)
        try:
            if invocation.number == 1:
                environment = environment_message(session, idle_environment_of(session, invocation))
            else:
                environment = await render_environment(session.pk)
            return [Frame(environment, end.place, is_end=True)]
        except Exception:  # the end is told, and nobody is to lose the connection for a card beside it
            logger.exception("environment not shown session=%s", session.pk)
            return []

    def _take(self, events: list[RecordedEvent]) -> None:
        """Take events: at once when the last frame is long enough ago, else together with what comes until then."""
        if not events:
            self._tell(Frame(message("held")))
            return
        self._gathered.extend(events)
        if self._is_awaiting_tick:
            return
        if self._loop.time() >= self._next_frame_at:
            self._guarded(self._hand_on)
        else:
            self._await_tick()

    def _await_tick(self) -> None:
        self._is_awaiting_tick = True
        self._ticker.at(self._next_frame_at, self._tick)

    def _tick(self) -> None:
        self._is_awaiting_tick = False
        if self.is_over or not self._gathered:
            return
        if self._loop.time() < self._next_frame_at - CLOCK_TICK_S:
            self._await_tick()  # something else made a frame meanwhile
        else:
            self._guarded(self._hand_on)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception:  # the top frame of a tick, and nothing that the run itself is to hear of
            logger.exception("frame failed invocation=%s", self.invocation_id)
            self._give_up()
            self._tell(Frame("", is_failure=True))

    def _hand_on(self) -> None:
        """Render what has gathered and tell the viewers."""
        events, self._gathered = self._gathered, []
        if not events:
            return
        began = time.perf_counter()
        renderer = self._renderer
        before, parts = renderer.position, len(renderer.parts)
        words = renderer.extend(events)
        if words is None:
            renderer.feed(events)
            frame = self._frame_from(before, parts)
            self._closed_parts.note(renderer.position, len(renderer.parts))
        else:
            place = self.place
            frame = Frame(words_message(f"{self._at}{place.sequence}", words), place, is_delta=True)
        if renderer.is_blank:  # the request, the headers: no frame, after which the first token would have to wait
            return
        if words != "":  # blanks wait for the word behind them
            self._tell(frame)
            if not self._is_state_told:
                self._is_state_told = True
                self._tell(self._state)
        took_s = time.perf_counter() - began
        self._next_frame_at = self._loop.time() + rest_s(len(self.viewers), len(_broadcasts), took_s, len(frame.text))

    def _tell(self, frame: Frame) -> None:
        for viewer in tuple(self.viewers):
            viewer.take(frame)


_broadcasts: dict[int, Broadcast] = {}


def broadcast_of(invocation: Invocation) -> Broadcast:
    """The broadcast of a running invocation (with its session and agent loaded) in this process."""
    broadcast = _broadcasts.get(invocation.pk)
    if broadcast is None:
        broadcast = _broadcasts[invocation.pk] = Broadcast(invocation)
    return broadcast
