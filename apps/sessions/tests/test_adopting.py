"""Runs whose events arrive from outside."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.core.running import processes
from apps.sessions.engine.adopting import GapError, HeldElsewhereError
from apps.sessions.engine.engine import Engine
from apps.sessions.engine.host import COMPLETED
from apps.sessions.invoking import Request, stop_invocation, store_adopted
from apps.sessions.models import Invocation
from apps.sessions.selectors import events_after
from apps.sessions.tests.queueing import MakeSession, over
from apps.sessions.tests.queueing import echo as echo
from apps.sessions.tests.queueing import runner as runner
from apps.sessions.tests.queueing import taker as taker
from apps.sessions.tests.queueing import talk as talk
from apps.sessions.tests.waiting import wait_until

pytestmark = pytest.mark.agentcore  # they bring a host of their own


def words(*texts: str) -> list[Any]:
    return [{"kind": "text", "text": text} for text in texts]


async def test_events_from_outside_are_taken_once_and_in_order(taker: Engine, talk: MakeSession) -> None:
    session = await sync_to_async(talk)()
    store, request = sync_to_async(store_adopted), Request("from a terminal", key="mirror")
    run = await store(session=session, request=request)
    adopted, at_once = await asyncio.gather(taker.adopt(run), taker.adopt(run))
    assert at_once is adopted
    assert await taker.adopt(await store(session=session, request=request)) is adopted

    assert adopted.take(1, words("one ", "two ")) == 3
    assert adopted.take(1, words("one ", "two ")) == 3  # said twice
    assert adopted.take(2, words("two ", "three")) == 4
    with pytest.raises(GapError) as gap:
        adopted.take(9, words("nine"))
    assert (gap.value.expected, adopted.next_sequence) == (4, 4)
    adopted.end(COMPLETED)

    ended = await over(run)
    assert (ended.status, ended.response_text, ended.last_sequence) == ("completed", "one two three", 3)


async def test_an_adopted_run_goes_on_in_another_process_where_the_recording_ends(
    taker: Engine, runner: Engine, talk: MakeSession
) -> None:
    run = await sync_to_async(store_adopted)(session=await sync_to_async(talk)(), request=Request("go", key="mirror"))
    adopted = await taker.adopt(run)
    adopted.take(1, words("one "))

    async def is_recorded() -> bool:
        return len(await sync_to_async(events_after)(run.pk)) == 1

    await wait_until(is_recorded, "the first event is recorded")
    with pytest.raises(HeldElsewhereError):
        await runner.adopt(run)
    assert taker.process_id is not None
    await sync_to_async(processes.end)(taker.process_id)  # it is gone, for all that anybody knows
    again = await runner.adopt(await Invocation.objects.select_related("session__agent").aget(pk=run.pk))
    assert again.next_sequence == 2
    again.take(1, words("one ", "two"))
    again.end(COMPLETED)

    ended = await over(run)
    assert (ended.status, ended.response_text) == ("completed", "one two")


async def test_stop_reaches_whoever_brings_the_events(taker: Engine, talk: MakeSession) -> None:
    run = await sync_to_async(store_adopted)(session=await sync_to_async(talk)(), request=Request("go", key="mirror"))
    adopted = await taker.adopt(run)
    adopted.take(1, words("one"))

    await sync_to_async(stop_invocation)(invocation=run)

    assert (await over(run)).status == "stopped"
    assert adopted.stop_asked.is_set()
