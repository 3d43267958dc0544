"""The runs of this process: streamed from AgentCore, held in memory for every viewer, handed to the recorder.

A run belongs to the process, not to a socket: closing the tab does not stop it, and whoever comes later sees all of
it. Viewers read the shared list of events with a cursor of their own, so a slow one costs nothing and misses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from contextvars import Context
from copy import copy
from functools import partial
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async

from apps.agentcore.connection import current_connection
from apps.aws.agentcore import AgentCoreClient
from apps.aws.arn import RuntimeArn
from apps.sessions import selectors
from apps.sessions.engine.recorder import HOLD_S, Recorder
from apps.sessions.engine.recording import claim_invocation
from apps.sessions.engine.run_stream import LiveStream, Run
from apps.sessions.events import Event
from apps.sessions.exceptions import ShuttingDownError
from apps.sessions.models import Invocation, Session

logger = logging.getLogger(__name__)

DRAIN_S = 20.0
ADMISSION_S = 5.0  # storing a run takes milliseconds
POLL_S = 0.25
INTERRUPTED = {
    "error_code": "interrupted",
    "error_message": "Loom was stopped while the agent was answering. What had arrived until then is kept.",
    "error_advice": "The agent may have gone on by itself. Send the prompt again if you need the whole answer.",
}


class EngineNotStartedError(RuntimeError):
    """Something asked for a run in a process that does not serve pages."""

    def __init__(self) -> None:
        super().__init__("the engine was not started: serve with loom.asgi")


class Engine:
    """Everything that runs in this process: its streams, their recorder and the client they share."""

    def __init__(self) -> None:
        self.process_id: UUID | None = None
        self._is_accepting = False
        self._admitted = 0
        self._admission = threading.Condition()
        self._streams: dict[int, LiveStream] = {}
        self._client: AgentCoreClient | None = None
        self._recorder: Recorder | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drain: asyncio.Task[None] | None = None

    async def start(self, process_id: UUID, *, hold_s: float = HOLD_S) -> None:
        """Begin to accept runs, on the running loop, for the registered process.

        `hold_s`: how long a run that has ended waits for a database that does not take its last events.
        """
        self.process_id = process_id
        self._loop = asyncio.get_running_loop()
        self._client = AgentCoreClient(current_connection())
        self._recorder = Recorder(process_id, lambda: list(self._streams.values()), self.stop, hold_s=hold_s)
        self._recorder.start()
        self._is_accepting = True

    async def warm_up(self) -> None:
        """Make what the first prompt would wait for; never raises."""
        if self._client is not None:
            await self._client.warm_up()

    async def renew(self, process_id: UUID) -> None:
        """Go on under another id: this process was paused and counts as dead under its old one.

        Runs that were declared interrupted meanwhile are lost; the others go on. Raises DatabaseError, and then changes
        nothing.
        """
        if self._recorder is not None:
            await self._recorder.move_to(process_id)
            self.process_id = process_id

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
        if self._recorder:
            await self._recorder.close()
        if self._client:
            await self._client.close()
        self.process_id = self._client = self._recorder = self._loop = self._drain = None

    async def _drain_runs(self, drain_s: float) -> None:
        await asyncio.to_thread(self._close_admission)
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

    def launch_soon(self, invocation: Invocation) -> None:
        """Launch a run that its caller has claimed, from another thread, before what that tells the loop next."""
        if self._loop is None:
            raise EngineNotStartedError
        self._loop.call_soon_threadsafe(partial(self.launch, invocation, is_claimed=True))

    def launch(self, invocation: Invocation, *, is_claimed: bool = False) -> LiveStream:
        """Run a pending invocation (with its session and agent loaded) as a task of this process.

        However often and wherever it is launched, it is sent once: by whoever claims its row.
        """
        if self._client is None or self._recorder is None:
            raise EngineNotStartedError
        stream = self._streams.get(invocation.pk)
        if stream is not None:
            return stream
        stream = LiveStream(invocation.pk, copy(invocation))  # the recorder keeps it up to date
        self._streams[invocation.pk] = stream
        stream.task = asyncio.create_task(
            self._run(Run(invocation, stream), self._client, self._recorder, is_claimed=is_claimed),
            name=f"invocation-{invocation.pk}",
            context=Context(),  # not that of the request, which would live as long as the connections made here
        )
        return stream

    def stop(self, invocation_id: int) -> None:
        """Close the upstream connection of a run of this process, if it is one."""
        stream = self._streams.get(invocation_id)
        if stream:
            stream.cancel(Invocation.Status.STOPPED)

    def stop_soon(self, invocation_id: int) -> bool:
        """`stop`, from another thread; return whether it runs in this process."""
        if self._loop is None or invocation_id not in self._streams:
            return False
        self._loop.call_soon_threadsafe(self.stop, invocation_id)
        return True

    def stop_runtime_session(self, session: Session) -> None:
        """Ask AgentCore to end a session (with its agent loaded), from another thread. Blocks; raises AwsError."""
        if self._loop is None or self._client is None:
            raise EngineNotStartedError
        stopped = self._client.stop_session(
            RuntimeArn.parse(session.agent.arn),
            qualifier=session.qualifier,
            runtime_session_id=session.runtime_session_id,
        )
        asyncio.run_coroutine_threadsafe(stopped, self._loop).result()

    async def _run(self, run: Run, client: AgentCoreClient, recorder: Recorder, *, is_claimed: bool) -> None:
        stream = run.stream
        try:
            status, fields = await self._execute(run, client, recorder, is_claimed=is_claimed)
            if status is None:
                return
            stream.is_finishing = True
            completed_at = run.clock.at(run.clock.offset_ms())
            stream.changed_fields |= {**run.summary(), **fields}
            stream.changed_fields.pop("status", None)
            stream.is_stored = await recorder.finish(stream, status=status, completed_at=completed_at)
            logger.info(
                "invocation %s id=%s chunks=%d bytes=%d", status, stream.invocation_id, run.chunk_count, run.byte_count
            )
        finally:
            self._streams.pop(stream.invocation_id, None)
            stream.end()

    async def _execute(
        self, run: Run, client: AgentCoreClient, recorder: Recorder, *, is_claimed: bool
    ) -> tuple[Invocation.Status | None, dict[str, Any]]:
        """Claim the run and send it; return how it ended, None where somebody else has it."""
        stream = run.stream
        try:
            stream.begin()
            if not is_claimed:
                assert self.process_id is not None
                if not await recorder.call(claim_invocation, self.process_id, stream.invocation_id):
                    logger.warning("invocation is claimed already id=%s", stream.invocation_id)
                    return None, {}
            return await run.execute(client)
        except asyncio.CancelledError:
            status = Invocation.Status(stream.end_reason)
            is_interrupted = status == Invocation.Status.INTERRUPTED
            return status, INTERRUPTED if is_interrupted else {}
        except Exception:  # the top frame of the task: a defect of ours ends as a row too
            logger.exception("invocation failed id=%s", stream.invocation_id)
            return Invocation.Status.FAILED, {
                "error_code": "internal", "error_message": "Loom failed; its log says how."
            }  # fmt: skip


engine = Engine()


async def follow(
    invocation_id: int, after: int = 0, *, pause_s: float | None = None
) -> AsyncGenerator[list[Event], None]:
    """Hand on the events of an invocation above `after` until it is over, wherever it runs: each once, in order.

    In this process they come from memory as they happen; from another process they come from the recording, at most
    250 ms later. It is over when the row says so. With `pause_s` an empty list after so long a silence.
    """
    read = database_sync_to_async(_read_recording, thread_sensitive=False)
    loop = asyncio.get_running_loop()
    silent_since = loop.time()
    while True:
        stream = engine.stream(invocation_id)
        if stream is not None:
            async for events in stream.follow(after, pause_s=pause_s):
                after = events[-1]["seq"] if events else after
                yield events
            if stream.is_stored:
                return
        is_over, events = await read(invocation_id, after)
        if events:
            after, silent_since = events[-1]["seq"], loop.time()
            yield events
        if is_over:
            return
        if pause_s is not None and loop.time() - silent_since >= pause_s:
            silent_since = loop.time()
            yield []
        await asyncio.sleep(POLL_S)


def _read_recording(invocation_id: int, after: int) -> tuple[bool, list[Event]]:
    # The status first: events that were stored before the end are then never missed.
    is_over = not Invocation.objects.filter(pk=invocation_id, status__in=Invocation.RUNNING).exists()
    return is_over, selectors.events_after(invocation_id, after)
