"""Runs that no caller waits for begin as rows: any process that runs agents, and has room, takes them from there.

A claim is a conditional update, so each run is taken by one process. Who enqueues wakes its own process and tells the
others by a notice; as that may be lost, each of them looks every `POLL_S` as well.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.core.models import Process
from apps.core.notices.waiting import listening_to
from apps.core.prepared import Select
from apps.core.running import processes
from apps.sessions.engine import guards
from apps.sessions.engine.host import check_agent
from apps.sessions.models import Invocation
from apps.sessions.selectors import events_after, of_agents_in_use
from loom_events.recorded import RecordedEvent

logger = logging.getLogger(__name__)

QUEUE_TOPIC = "runs.queued"
POLL_S = 1.0
LONGEST_DELAY_S = 5.0
# So much longer a web process leaves a run to the runners, as long as there are any: tools do not delay its pages.
LEFT_TO_RUNNERS = timedelta(seconds=0.5)
ROOM = 50

_is_any_queued = Select(
    lambda: Invocation.objects.filter(status=Invocation.Status.QUEUED).order_by().values_list("pk", flat=True)[:1]
)
Taken = tuple[Invocation, list[RecordedEvent]]


def claim_queued(process_id: UUID, kind: Process.Kind, room: int) -> list[Taken]:
    """Take up to `room` of the longest queued runs to a process, each with what its recording holds already."""
    now = timezone.now()
    # Nearly always there is none, and every process asks each second.
    if not _is_any_queued():
        return []
    queued = of_agents_in_use(Invocation.objects.filter(status=Invocation.Status.QUEUED)).order_by("queued_at", "pk")
    candidates = list(queued.values_list("pk", "queued_at")[:room])
    if not candidates:
        return []
    # Left to the runners for a moment, where there are any.
    is_patient = kind == Process.Kind.WEB and processes.living(now, Process.Kind.RUNNER).exists()
    latest = now - LEFT_TO_RUNNERS if is_patient else now
    taken = [pk for pk, queued_at in candidates if (queued_at or now) <= latest and _claim(process_id, pk)]
    runs = (
        Invocation.objects.select_related("session__agent__runtime", "repeated_from__session")
        .filter(pk__in=taken)
        .order_by("queued_at", "pk")
    )
    return [(run, events_after(run.pk) if run.invoked_at is not None else []) for run in runs]


def _claim(process_id: UUID, invocation_id: int) -> bool:
    queued = Invocation.objects.filter(pk=invocation_id, status=Invocation.Status.QUEUED)
    return bool(
        queued.update(
            status=Invocation.Status.PENDING,
            process_id=process_id,
            claimed_at=timezone.now(),
            attempt=Coalesce(F("attempt"), 0) + 1,
        )
    )


def check_queued(invocation: Invocation) -> None:
    """While it was queued, the agent may have been archived or changed, and a budget spent. Raises LoomError."""
    check_agent(invocation.session.agent)
    guards.check_before(invocation.session)
    guards.watch(invocation)


def put_back(process_id: UUID, invocation_id: int) -> bool:
    """Give a run that was taken and provably not begun back to the queue, at its old place."""
    mine = Invocation.objects.filter(pk=invocation_id, process_id=process_id, status=Invocation.Status.PENDING)
    return bool(
        mine.exclude(queued_at=None).update(
            status=Invocation.Status.QUEUED, process=None, claimed_at=None, attempt=F("attempt") - 1
        )
    )


def place_in_queue(invocation: Invocation) -> int | None:
    """How many queued runs are taken before this one, and this one, from 1; None where it is not queued."""
    if invocation.status != Invocation.Status.QUEUED or invocation.queued_at is None:
        return None
    earlier = Q(queued_at__lt=invocation.queued_at) | Q(queued_at=invocation.queued_at, pk__lt=invocation.pk)
    queued = of_agents_in_use(Invocation.objects.filter(status=Invocation.Status.QUEUED))
    return queued.filter(earlier).count() + 1


class Runs(Protocol):
    """What the taker needs of the engine."""

    process_id: UUID | None

    def is_accepting(self) -> bool: ...

    def queued_count(self) -> int: ...

    def stream(self, invocation_id: int) -> Any: ...

    def launch(self, invocation: Invocation, *, is_claimed: bool, recorded: list[RecordedEvent]) -> Any: ...


class Taker:
    """Takes runs out of the queue for the engine of this process, from `start` to `close`."""

    def __init__(
        self, runs: Runs, call: Callable[..., Awaitable[Any]], kind: Process.Kind, room: int, poll_s: float = POLL_S
    ) -> None:
        """`call` runs a database function in the engine's own thread."""
        self._runs = runs
        self._call = call
        self._kind = kind
        self._room = room
        self._poll_s = poll_s
        self._wake = asyncio.Event()
        self._is_closing = False
        self._is_failing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._take_for_ever(), name="queue")

    def wake(self) -> None:
        """Look at once; on the engine's loop."""
        self._wake.set()

    async def close(self) -> None:
        """Take no more; what is being taken at this moment goes back to the queue."""
        self._is_closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def _take_for_ever(self) -> None:
        delay_s, is_told = self._poll_s, True
        async with listening_to(QUEUE_TOPIC, self._wake) as hear:
            while not self._is_closing:
                try:
                    await self._take()
                except Exception:  # a taker that stops for any reason starts no run any more
                    if not self._is_failing:
                        logger.exception("queue not read")
                    self._is_failing, delay_s = True, min(2 * delay_s, LONGEST_DELAY_S)
                else:
                    # What it was told of it may have left to a runner, which then was not there.
                    is_left = is_told and self._kind == Process.Kind.WEB
                    left_s = LEFT_TO_RUNNERS.total_seconds()
                    self._is_failing, delay_s = False, min(self._poll_s, left_s) if is_left else self._poll_s
                is_told = await hear(delay_s)

    async def _take(self) -> None:
        room = self._room - self._runs.queued_count()
        process_id = self._runs.process_id
        if room <= 0 or process_id is None or not self._runs.is_accepting():
            return
        for invocation, recorded in await self._call(claim_queued, process_id, self._kind, room):
            # This process may still be letting go of it: it was paused, counted as dead, and the run was queued again.
            is_held = self._runs.stream(invocation.pk) is not None
            if is_held or self._is_closing or not self._runs.is_accepting():
                await self._call(put_back, process_id, invocation.pk)
            else:
                self._runs.launch(invocation, is_claimed=True, recorded=recorded)
