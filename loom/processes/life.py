"""What a process that runs agents needs while it does: its heartbeat, the engine, and whatever follows from runs."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error as DatabaseFailure
from django.db import connections
from django.utils import timezone

from apps.agentcore.runtime_rows import adopt_unsplit_agents
from apps.core.models import Process
from apps.core.notices.tail import Tail
from apps.core.running.memory import MemoryKeeper
from apps.core.running.processes import BEAT_EVERY_S, Heartbeat
from apps.metrics.series.advancing import advance_all, open_advancer
from apps.sessions.engine.engine import engine
from apps.sessions.engine.housekeeping import take_care_of_orphans

logger = logging.getLogger(__name__)


TAKE_OVER_EVERY_S = 5.0


def _adopt() -> None:
    try:
        adopt_unsplit_agents()
    finally:
        connections.close_all()  # the thread may never be used for rows again


class Life:
    """From `begin` to `end`. It hears what others tell: its pages, of runs that wait or are to stop."""

    def __init__(self, kind: Process.Kind) -> None:
        self._kind = kind
        self._stack: AsyncExitStack | None = None
        self._lock = asyncio.Lock()

    async def begin(self) -> None:
        """Register the process and take up runs; a second call does nothing."""
        async with self._lock:
            if self._stack is not None:
                return
            async with AsyncExitStack() as stack:
                heartbeat = await stack.enter_async_context(Heartbeat(self._kind, on_renewed=self._renew))
                await stack.enter_async_context(Tail())
                # Closed after the engine, whose last runs it hears of.
                stack.push_async_callback(asyncio.to_thread, open_advancer().close)
                await engine.start(heartbeat.process_id, takes=self._kind, room=settings.MAX_QUEUED_RUNS)
                stack.push_async_callback(engine.close)
                orphans = asyncio.create_task(self._take_care_of_orphans(heartbeat), name="orphans")
                stack.callback(orphans.cancel)
                taking_over = asyncio.create_task(self._take_over_agents(), name="take over agents")
                stack.callback(taking_over.cancel)
                memory = asyncio.create_task(MemoryKeeper().look_for_ever(), name="memory")
                stack.callback(memory.cancel)
                self._stack = stack.pop_all()

    @staticmethod
    async def _renew(process_id: UUID) -> None:
        await engine.renew(process_id)

    @staticmethod
    async def _take_care_of_orphans(heartbeat: Heartbeat) -> None:
        """End or queue again what dead processes have left: the worker does so too, but it may have died with them.

        Of those that are merely silent not before this process has been alive for as long as they have to be: after a
        database was away, every process is silent.
        """
        take_care = sync_to_async(take_care_of_orphans, thread_sensitive=False)
        is_failing, is_first = False, True
        while True:
            is_steady = heartbeat.is_steady
            try:
                found = await take_care(timezone.now(), is_steady=is_steady)
                if found or (is_first and is_steady):
                    await sync_to_async(advance_all, thread_sensitive=False)()
                    is_first = False
            except DatabaseFailure as error:
                if not is_failing:
                    logger.warning("orphans not taken care of yet error=%s", type(error).__name__)
                is_failing = True
            else:
                is_failing = False
            await asyncio.sleep(BEAT_EVERY_S)

    @staticmethod
    async def _take_over_agents() -> None:
        """What web processes of the release before write while they are replaced; the worker is replaced last."""
        while True:
            try:
                await asyncio.to_thread(_adopt)
            except DatabaseFailure as error:
                logger.warning("agents not taken over yet error=%s", type(error).__name__)
            await asyncio.sleep(TAKE_OVER_EVERY_S)

    async def end(self) -> None:
        """Let the runs end, then the process."""
        if self._stack is not None:
            await self._stack.aclose()
