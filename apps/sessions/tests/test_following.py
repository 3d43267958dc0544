"""A viewer that was cut off, was away at the end, or does not read: what it is told when it can be told again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async

from apps.accounts.models import User
from apps.sessions.broadcast import Frame, broadcast_of
from apps.sessions.consumers import SessionConsumer
from apps.sessions.live import Engine, follow
from apps.sessions.models import Invocation, Session
from apps.sessions.outbox import Outbox
from apps.sessions.runs import LiveStream
from apps.sessions.tests.viewing import SlowViewer, most_of_it, read_to_common_place, until


async def test_a_page_that_was_cut_off_gets_exactly_what_it_lacks(
    pages: Any, running_engine: Engine, session: Session, alice: User, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=90, seconds=1200)
    steady = await pages(session, alice)
    await steady.send(action="invoke", prompt="Two days in Ghent")
    await steady.read_to_event(3)
    cut = await pages(session, alice)
    await cut.read_to_event(3)
    await cut.socket.disconnect()
    last_event = await most_of_it(running_engine)
    await steady.read_to_event(last_event)

    again = await pages(session, alice, f"last=0&at={cut.place}")
    again.answer = cut.answer
    last = await read_to_common_place(again, steady, after=last_event)
    assert "<article" not in "".join(again.messages)
    assert again.answers[last] == steady.answers[last] != ""
    assert all(answer == steady.answers[at] for at, answer in again.answers.items() if at in steady.answers)

    # From another process, or from before a restart: nobody knows what it shows.
    elsewhere = await pages(session, alice, f"last=0&at={cut.place.replace(':', ':f', 1)}")
    common = await read_to_common_place(elsewhere, steady, after=last_event)
    assert "<article" in elsewhere.messages[0]
    assert elsewhere.answers[common] == steady.answers[common]
    await steady.send(action="stop")
    for page in (steady, again, elsewhere):
        assert "Stopped" in await page.read_until("<article")


async def test_a_page_that_was_away_at_the_end_is_shown_it_and_one_that_lacks_nothing_hears_nothing(
    pages: Any, session: Session, alice: User
) -> None:
    page = await pages(session, alice)
    await page.send(action="invoke", prompt="Two days in Ghent")
    await page.read_to_event(3)
    await page.socket.disconnect()
    invocation = await Invocation.objects.aget()
    async for _ in follow(invocation.pk):
        pass

    back = await pages(session, alice, f"last={invocation.pk}&at={page.place}")
    await back.read_until("AgentCore keeps it until")
    await back.read_until('data-kind="finished"')
    assert "Completed" in back.messages[0] and "is-running" not in back.messages[0]
    idle = await pages(session, alice, f"last={invocation.pk}")
    await idle.send(action="invoke", prompt="")
    await idle.read_until('data-kind="refused"')
    heard = [message for message in idle.messages if 'data-kind="measurement"' not in message]
    assert len(heard) == 2 and "Type a prompt." in heard[0]
    missed = await pages(session, alice, "last=0&at=nonsense&at=99999:ab:1")
    assert "Completed" in await missed.read_until("<article")


class NarrowConsumer(SessionConsumer):
    outbox_limit = 300


class ImpatientConsumer(SessionConsumer):
    stalled_s = 0.05


async def test_a_viewer_that_does_not_read_holds_nobody_up_and_catches_up(
    pages: Any, running_engine: Engine, session: Session, alice: User, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=90, seconds=1200)
    healthy = await pages(session, alice)
    await healthy.send(action="invoke", prompt="Two days in Ghent")
    await healthy.read_to_event(3)
    slow = SlowViewer(NarrowConsumer, session, alice)
    await slow.read_until("<article")
    slow.reads.clear()
    await healthy.read_to_event(await most_of_it(running_engine))
    slow.reads.set()
    common = await read_to_common_place(slow, healthy, after=healthy.position)
    assert slow.answers[common] == healthy.answers[common]
    assert len(slow.messages) < len(healthy.messages)  # what it had missed came as one
    await healthy.send(action="stop")
    await healthy.read_until('data-kind="finished"')
    await slow.read_until("Stopped")
    await slow.leave()


async def test_a_viewer_that_never_reads_again_is_given_up(
    pages: Any, running_engine: Engine, session: Session, alice: User, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=90, seconds=1200)
    healthy = await pages(session, alice)
    await healthy.send(action="invoke", prompt="Two days in Ghent")
    await healthy.read_to_event(3)
    stalled = SlowViewer(ImpatientConsumer, session, alice)
    await stalled.read_until("<article")
    stalled.reads.clear()

    await asyncio.wait_for(stalled.task, 60)  # the server drops the connection of a consumer that has ended
    await healthy.read_to_event(await most_of_it(running_engine))
    await healthy.send(action="stop")
    await healthy.read_until('data-kind="finished"')


def test_an_outbox_holds_a_bounded_amount_and_then_asks_for_a_catch_up() -> None:
    outbox = Outbox(10)
    outbox.put(Frame("a" * 50))  # a whole turn may be larger than all
    assert (outbox.has_overflowed, outbox.take().html) == (False, "a" * 50)
    outbox.put(Frame("b" * 6))
    outbox.put(Frame("c" * 6))
    outbox.put(Frame("d"))

    assert (outbox.has_overflowed, bool(outbox)) == (True, False)
    outbox.clear()
    outbox.put(Frame("e"))
    assert [outbox.take().html, bool(outbox), outbox.has_overflowed] == ["e", False, False]


class Kept:
    """A viewer that keeps its frames."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def take(self, frame: Frame) -> None:
        self.frames.append(frame)


async def test_who_joins_after_a_rough_end_was_read_sees_all_of_it(
    running_engine: Engine, begin: Callable[..., Invocation]
) -> None:
    invocation = await sync_to_async(begin)()
    stream = running_engine._streams[invocation.pk] = LiveStream(invocation.pk, invocation)
    broadcast = broadcast_of(invocation)
    early, late = Kept(), Kept()
    await broadcast.join(early, None)
    stream.append({"kind": "text", "text": "Hello.\n\n"}, offset_ms=1.0)
    await until(lambda: "Hello" in early.frames[-1].html if early.frames else False)
    stream.append({"kind": "text", "text": "Next"}, offset_ms=2.0)
    await until(lambda: "Next" in early.frames[-1].html)
    stream.append({"kind": "text", "text": " *words*"}, offset_ms=3.0)
    await until(lambda: "*words*" in early.frames[-1].html)
    rough = await broadcast.join(late, None)
    assert rough is not None and "*words*" in rough.html
    await until(lambda: "<em>words</em>" in early.frames[-1].html)

    whole = await broadcast.join(Kept(), None)
    assert whole is not None and "<em>words</em>" in whole.html and whole.html.count("Hello.") == 1
    await Invocation.objects.filter(pk=invocation.pk).aupdate(status="stopped")
    del running_engine._streams[invocation.pk]
    stream.end()
    await until(lambda: early.frames[-1].place is None or early.frames[-1].is_end)
    assert broadcast.is_over
