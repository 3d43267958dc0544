"""The runs of this process: answered by the host of their agent's kind, held in memory for every viewer, recorded.

A run belongs to the process, not to a socket: closing the tab does not stop it, and whoever comes later sees all of
it. Viewers read the shared list of events with a cursor of their own, so a slow one costs nothing and misses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing, contextmanager, suppress
from contextvars import Context
from copy import copy
from functools import partial
from uuid import UUID

from apps.core.exceptions import LoomError
from apps.core.models import Process
from apps.core.running.telemetry import Gauge
from apps.sessions.engine import guards, queue
from apps.sessions.engine.adopting import AdoptedRun, claim_adopted
from apps.sessions.engine.counting import count_run, log_end, say_run
from apps.sessions.engine.host import AgentHost, RunEnd, UnknownKindError, make_hosts
from apps.sessions.engine.reading import AWAY_AT_MOST_S, RecordingReader, news_within
from apps.sessions.engine.recorder import HOLD_S, Recorder
from apps.sessions.engine.recording import claim_invocation
from apps.sessions.engine.relay import Relay, Relayed
from apps.sessions.engine.run import AnswerTooLargeError, Run
from apps.sessions.engine.run_stream import LiveStream
from apps.sessions.exceptions import ShuttingDownError
from apps.sessions.models import Invocation, Session
from loom_events.recorded import RecordedEvent

logger = logging.getLogger(__name__)

DRAIN_S = 20.0
ADMISSION_S = 5.0  # storing a run takes milliseconds
POLL_S = 0.25
WAITING_POLL_S = 1.0  # people take their time
INTERRUPTED = "Loom was stopped while the agent was answering. What had arrived until then is kept."


class EngineNotStartedError(RuntimeError):
    """Something asked for a run in a process that runs no agents."""

    def __init__(self) -> None:
        super().__init__("the engine was not started: serve with loom.asgi, or start a runner")


class Engine:
    """Everything that runs in this process: its streams, their recorder, and the hosts that answer."""

    def __init__(self) -> None:
        self.process_id: UUID | None = None
        self._is_accepting = False
        self._admitted = 0
        self._admission = threading.Condition()
        self._streams: dict[int, LiveStream] = {}
        self._adopted: dict[int, AdoptedRun] = {}
        self._hosts: dict[str, AgentHost] = {}
        self._recorder: Recorder | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drain: asyncio.Task[None] | None = None
        self._taker: queue.Taker | None = None
        self._relay = Relay(self.stream)

    async def start(
        self, process_id: UUID, *, hold_s: float = HOLD_S, takes: Process.Kind | None = None, room: int = 0
    ) -> None:
        """Begin to accept runs, on the running loop, for the registered process.

        `hold_s`: how long a run that has ended waits for a database that does not take its last events. With `takes`,
        the kind of this process, it also takes runs out of the queue, `room` of them at a time.
        """
        self.process_id = process_id
        self._loop = asyncio.get_running_loop()
        self._hosts = make_hosts()
        for host in self._hosts.values():
            await host.open()
        self._recorder = Recorder(process_id, lambda: list(self._streams.values()), self.stop, hold_s=hold_s)
        self._recorder.start()
        await self._relay.open(process_id)
        self._is_accepting = True
        if takes is not None:
            self._taker = queue.Taker(self, self._recorder.call, takes, room)
            self._taker.start()

    async def warm_up(self) -> None:
        """Make what the first prompt would wait for; never raises."""
        for host in self._hosts.values():
            await host.warm_up()

    async def renew(self, process_id: UUID) -> None:
        """Go on under another id: this process was paused and counts as dead under its old one.

        Runs that were declared interrupted meanwhile are lost; the others go on. Raises DatabaseError, and then changes
        nothing.
        """
        if self._recorder is not None:
            await self._recorder.move_to(process_id)
            self.process_id = process_id
            self._relay.renew(process_id)

    def is_accepting(self) -> bool:
        """Whether this process takes new runs; one that is about to end does not."""
        return self._is_accepting

    @contextmanager
    def admission(self) -> Iterator[UUID]:
        """From the decision to run to the launch, for a thread: the process does not end in between.

        Gives the id of the process; raises ShuttingDownError when it is ending.
        """
        with self._admission:
            if self.process_id is None:
                raise EngineNotStartedError
            if not self._is_accepting:
                raise ShuttingDownError
            process_id = self.process_id
            self._admitted += 1
        try:
            yield process_id
        finally:
            with self._admission:
                self._admitted -= 1
                self._admission.notify_all()

    def _close_admission(self) -> None:
        with self._admission:
            self._is_accepting = False
            self._admission.wait_for(lambda: not self._admitted, timeout=ADMISSION_S)

    def begin_drain(self, drain_s: float = DRAIN_S) -> asyncio.Task[None]:
        """Take no new runs, let the others end by themselves for up to `drain_s`, then interrupt the rest.

        All of them are stored. On the engine's loop; a second call changes nothing.
        """
        if self._drain is None:
            self._is_accepting = False
            self._drain = asyncio.create_task(self._drain_runs(drain_s), name="drain")
        return self._drain

    async def close(self, drain_s: float = DRAIN_S) -> None:
        """Drain, if that has not begun yet, and let go of everything."""
        await self.begin_drain(drain_s)
        await self._relay.close()
        if self._recorder:
            await self._recorder.close()
        for host in self._hosts.values():
            await host.close()
        self._hosts = {}
        self.process_id = self._recorder = self._loop = self._drain = None

    async def _drain_runs(self, drain_s: float) -> None:
        await asyncio.to_thread(self._close_admission)
        if self._taker is not None:
            await self._taker.close()
            self._taker = None
        tasks = [stream.task for stream in self._streams.values() if stream.task]
        if tasks:
            logger.info("draining runs=%d", len(tasks))
            _, late = await asyncio.wait(tasks, timeout=drain_s)
            if self._recorder and late:
                self._recorder.hurry()
            for stream in list(self._streams.values()):
                stream.cancel(Invocation.Status.INTERRUPTED)
            if late:
                await asyncio.wait(late)

    def stream(self, invocation_id: int) -> LiveStream | None:
        return self._streams.get(invocation_id)

    def stream_count(self) -> int:
        """How many runs go on in this process."""
        return len(self._streams)

    def queued_count(self) -> int:
        """How many of the runs of this process came out of the queue."""
        return sum(1 for stream in self._streams.values() if stream.is_from_queue)

    def look_into_queue(self) -> None:
        """Take up what was queued just now, from any thread; where this process takes none, others do."""
        if self._loop is not None and self._taker is not None:
            with suppress(RuntimeError):  # the loop ended meanwhile
                self._loop.call_soon_threadsafe(self._taker.wake)

    def launch_soon(self, invocation: Invocation) -> None:
        """Launch a run that its caller has claimed, from another thread, before what that tells the loop next."""
        if self._loop is None:
            raise EngineNotStartedError
        self._loop.call_soon_threadsafe(partial(self.launch, invocation, is_claimed=True))

    def launch(
        self, invocation: Invocation, *, is_claimed: bool = False, recorded: Iterable[RecordedEvent] = ()
    ) -> LiveStream:
        """Run a pending invocation (with its session and agent loaded) as a task of this process.

        However often and wherever it is launched, it is sent once: by whoever claims its row. `recorded` is what its
        recording holds when it is taken up again.
        """
        if self._recorder is None:
            raise EngineNotStartedError
        stream = self._streams.get(invocation.pk)
        if stream is not None:
            return stream
        # The recorder keeps its copy up to date.
        stream = LiveStream(invocation.pk, copy(invocation), recorded=recorded)
        stream.is_from_queue = invocation.queued_at is not None
        self._streams[invocation.pk] = stream
        stream.task = asyncio.create_task(
            self._run(Run(invocation, stream), self._recorder, is_claimed=is_claimed),
            name=f"invocation-{invocation.pk}",
            context=Context(),  # not that of the request, which would live as long as the connections made here
        )
        return stream

    async def adopt(self, invocation: Invocation) -> AdoptedRun:
        """Take the events of a stored run (with its session and agent loaded) from outside: see `adopting`.

        Adopted a second time, it is the same run, and goes on from what is recorded. Raises HeldElsewhereError.
        """
        if self._recorder is None or self.process_id is None:
            raise EngineNotStartedError
        adopted = self._adopted.get(invocation.pk)
        if adopted is not None and invocation.pk in self._streams:
            return adopted
        recorded = await self._recorder.call(claim_adopted, self.process_id, invocation.pk)
        if invocation.pk in self._adopted:  # asked for twice at once
            return self._adopted[invocation.pk]
        stream = LiveStream(invocation.pk, copy(invocation), recorded=recorded)
        run = Run(invocation, stream)
        adopted = self._adopted[invocation.pk] = AdoptedRun(run)
        self._streams[invocation.pk] = stream
        running = self._run(run, self._recorder, is_claimed=True, answered_by=adopted)
        stream.task = asyncio.create_task(running, name=f"adopted-{invocation.pk}", context=Context())
        await asyncio.sleep(0)  # it begins
        return adopted

    def stop(self, invocation_id: int) -> bool:
        """Close the upstream connection of a run, from any thread; return whether it runs in this process."""
        stream = self._streams.get(invocation_id)
        if stream is None or self._loop is None:
            return False
        try:
            on_loop = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            on_loop = False
        if on_loop:
            stream.cancel(Invocation.Status.STOPPED)
        else:
            self._loop.call_soon_threadsafe(stream.cancel, Invocation.Status.STOPPED)
        return True

    def end_session(self, session: Session) -> None:
        """Let the host free what it keeps for a session (with its agent loaded), from a thread of any process.

        Blocks; raises LoomError.
        """
        if self._loop is None:
            asyncio.run(_end_session(session))
        else:
            ending = self._host(session.agent.kind).end_session(session)
            asyncio.run_coroutine_threadsafe(ending, self._loop).result()

    def _host(self, kind: str) -> AgentHost:
        try:
            return self._hosts[kind]
        except KeyError:
            raise UnknownKindError(f"This process answers for no agents of the kind {kind}.") from None

    async def _run(
        self, run: Run, recorder: Recorder, *, is_claimed: bool, answered_by: AdoptedRun | None = None
    ) -> None:
        stream = run.stream
        say_run(run.invocation)
        try:
            end = await self._execute(run, recorder, is_claimed=is_claimed, answered_by=answered_by)
            if end is None:
                return
            stream.is_finishing = True
            completed_at = run.clock.at(run.clock.offset_ms())
            stream.changed_fields |= {**run.summary(), **end.fields()}
            stream.changed_fields.pop("status", None)
            stream.is_stored = await recorder.finish(stream, status=end.status, completed_at=completed_at)
            count_run(run, end)
            stream.is_waiting = stream.is_stored and end.status == Invocation.Status.WAITING
            log_end(run, end)
        finally:
            self._streams.pop(stream.invocation_id, None)
            self._adopted.pop(stream.invocation_id, None)
            guards.unwatch(stream.invocation_id)
            stream.end()
            if self._taker is not None and stream.is_from_queue:
                self._taker.wake()  # there is room again

    async def _execute(
        self, run: Run, recorder: Recorder, *, is_claimed: bool, answered_by: AdoptedRun | None
    ) -> RunEnd | None:
        """Claim the run and let its host, or who brings its events, answer it; return how it ended, None where somebody
        else has it.
        """
        stream, invocation = run.stream, run.invocation
        try:
            stream.begin()
            assert self.process_id is not None
            if not is_claimed and not await recorder.call(claim_invocation, self.process_id, invocation.pk):
                logger.warning("invocation is claimed already id=%s", invocation.pk)
                return None
            if stream.is_from_queue:
                await recorder.call(queue.check_queued, invocation)
                if not await recorder.begin(invocation.pk):
                    logger.warning("invocation from the queue is not ours any more id=%s", invocation.pk)
                    return None
            if answered_by is not None:
                return await answered_by.wait()
            return await self._host(invocation.session.agent.kind).run(run)
        except asyncio.CancelledError:
            status = Invocation.Status(stream.end_reason)
            if status == Invocation.Status.INTERRUPTED:
                advice = self._host(invocation.session.agent.kind).interrupted_advice
                return RunEnd(status, code="interrupted", message=INTERRUPTED, advice=advice)
            return RunEnd(status)
        except AnswerTooLargeError:
            logger.warning("answer too large id=%s bytes=%d", invocation.pk, run.byte_count)
            return RunEnd(
                Invocation.Status.FAILED,
                code="answer_too_large",
                message=f"The agent said more than {run.byte_count:,} bytes without an end, and was cut off.",
                advice="What it said until then is kept. Let the agent store large results, and answer with where "
                "they are.",
            )
        except LoomError as error:
            return RunEnd(Invocation.Status.FAILED, code=error.code, message=str(error), advice=error.advice)
        except Exception:  # the top frame of the task: a defect of ours ends as a row too
            logger.exception("invocation failed id=%s", stream.invocation_id)
            return RunEnd(Invocation.Status.FAILED, code="internal", message="Loom failed; its log says how.")


async def _end_session(session: Session) -> None:
    """The same in a process that runs no agents, as the worker and commands, with a host of its own."""
    host = make_hosts()[session.agent.kind]
    await host.open()
    try:
        await host.end_session(session)
    finally:
        await host.close()


engine = Engine()
Gauge("loom_streams", "Runs that go on in this process", engine.stream_count)


async def follow(
    invocation_id: int,
    after: int = 0,
    *,
    stream: LiveStream | None = None,
    pause_s: float | None = None,
    news: asyncio.Event | None = None,
    away_at_most_s: float = AWAY_AT_MOST_S,
) -> AsyncGenerator[list[RecordedEvent], None]:
    """Hand on the events of an invocation above `after` until it is over, wherever it runs: each once, in order.

    In this process they come from memory as they happen, from others of this machine through their relay, else out of
    the recording, half a second later at most. It is over when the row says so; one that waits in the queue or for a
    person is not. With `pause_s` an empty list after so long a silence. Who hears of changes sets `news`: the row is
    looked at at once. A database that is away is waited for, at most `away_at_most_s`; then UnavailableError. Who has
    the `stream` hears the rest of it from there, though the run may be over by now.
    """
    recording = RecordingReader(invocation_id, away_at_most_s=away_at_most_s)
    loop = asyncio.get_running_loop()
    silent_since = loop.time()
    while True:
        stream = stream or engine.stream(invocation_id)
        if stream is not None:
            async for events in stream.follow(after, pause_s=pause_s):
                after = events[-1]["seq"] if events else after
                yield events
            if stream.is_stored and not stream.is_waiting:
                return
            stream = None
        status, events = await recording.after(after)
        if events:
            after, silent_since = events[-1]["seq"], loop.time()
            yield events
        if status not in Invocation.UNFINISHED:
            return
        if status in Invocation.RUNNING and (relayed := await Relayed.open(recording.process_id, invocation_id, after)):
            async with aclosing(relayed.events(pause_s)) as told:
                async for events in told:
                    after, silent_since = events[-1]["seq"] if events else after, loop.time()
                    yield events
            continue
        if pause_s is not None and loop.time() - silent_since >= pause_s:
            silent_since = loop.time()
            yield []
        await news_within(WAITING_POLL_S if status == Invocation.Status.WAITING else POLL_S, news)
