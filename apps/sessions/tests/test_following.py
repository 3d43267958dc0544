"""A viewer that was cut off, was away at the end, or does not read: what it is told when it can be told again."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer

from apps.accounts.models import User
from apps.core.notices.notices import group_name
from apps.sessions.engine.engine import follow
from apps.sessions.models import Invocation, Session
from apps.sessions.services import end_session
from apps.sessions.tests.clock import Clock
from apps.sessions.tests.talking import PROMPT, Talker
from apps.sessions.tests.viewing import Page, SlowViewer, read_to_common_place, until
from apps.sessions.tests.waiting import PATIENCE_S
from apps.sessions.viewing.broadcast import broadcast_of
from apps.sessions.viewing.consumer import SessionConsumer
from apps.sessions.viewing.frames import Frame
from apps.sessions.viewing.viewer_queue import Outbox


async def dictate(talker: Talker, page: Page, words: int) -> None:
    """Say one word after the other, each when the page shows the one before; plain ones, so that none is redrawn."""
    for number in range(words):
        word = f"{number}-{secrets.token_hex(3)}"
        talker.say(f"{word} ")
        await page.read_until(word)


async def test_a_page_that_was_cut_off_gets_exactly_what_it_lacks(
    pages: Any, talk: Session, talker: Talker, alice: User
) -> None:
    steady = await pages(talk, alice)
    await steady.send(action="invoke", prompt=PROMPT)
    await dictate(talker, steady, 3)
    cut = await pages(talk, alice)
    await cut.read_to_event(steady.position)
    await cut.leave()
    await dictate(talker, steady, 3)

    again = await pages(talk, alice, f"last=0&at={cut.place}")
    again.answer = cut.answer
    last = await read_to_common_place(again, steady, after=steady.position)
    assert "<article" not in "".join(again.messages)
    assert again.answers[last] == steady.answers[last] != ""
    assert all(answer == steady.answers[at] for at, answer in again.answers.items() if at in steady.answers)

    # From another process, or from before a restart: nobody knows what it shows.
    elsewhere = await pages(talk, alice, f"last=0&at={cut.place.replace(':', ':f', 1)}")
    common = await read_to_common_place(elsewhere, steady, after=steady.position)
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
    await page.leave()
    invocation = await Invocation.objects.aget()
    async for _ in follow(invocation.pk):
        pass

    back = await pages(session, alice, f"last={invocation.pk}&at={page.place}")
    await back.read_until("AgentCore keeps it until")
    await back.read_until("^(end|finished)")
    assert "Completed" in back.messages[0] and "is-running" not in back.messages[0]
    idle = await pages(session, alice, f"last={invocation.pk}")
    await idle.join()
    heard = [message for message in idle.messages if not message.startswith("measurement")]
    assert len(heard) == 2 and "Type a prompt." in heard[0]
    missed = await pages(session, alice, "last=0&at=nonsense&at=99999:ab:1")
    assert "Completed" in await missed.read_until("<article")


async def test_a_page_that_missed_what_became_of_the_environment_is_told_when_it_comes_back(
    pages: Any, session: Session, alice: User
) -> None:
    page = await pages(session, alice)
    await page.send(action="invoke", prompt="Two days in Ghent")
    await page.read_until("AgentCore keeps it until")
    last = f"last={(await Invocation.objects.aget()).pk}"

    async def told(environment: str) -> list[str]:
        """What a page that shows the run as it ended, and this environment, is told of that when it comes back."""
        back = await pages(session, alice, f"{last}&environment={environment}&page=2")
        for _ in range(2):
            await back.join()
        return [message for message in back.messages if message.startswith("environment")]

    assert [len(await told(state)) for state in ("kept", "busy", "gone", "", "nonsense")] == [0, 1, 0, 0, 0]
    assert "AgentCore keeps it until" in (await told("busy"))[0]
    await sync_to_async(end_session)(session=session)
    await page.read_until("AWS accepted")  # the notice is behind us
    for state in ("kept", "busy"):
        [card] = await told(state)
        assert "AWS accepted the end of this session" in card and 'data-state="ended"' in card
    assert await told("ended") == []


async def test_a_page_that_lost_its_line_as_a_run_began_is_told_that_the_environment_is_in_use(
    pages: Any, talk: Session, talker: Talker, alice: User
) -> None:
    page = await pages(talk, alice)
    await page.send(action="invoke", prompt=PROMPT)
    await page.read_until("<article")
    back = await pages(talk, alice, f"last=0&at={page.place}&environment=none&page=2")
    back.answer = page.answer

    await back.read_until("In use. After the answer AgentCore keeps it")


class NarrowConsumer(SessionConsumer):
    outbox_limit = 300


class ImpatientConsumer(SessionConsumer):
    stalled_s = 0.05


async def test_a_viewer_that_does_not_read_holds_nobody_up_and_catches_up(
    pages: Any, talk: Session, talker: Talker, alice: User, takes_ready_frames: bool
) -> None:
    healthy = await pages(talk, alice)
    await healthy.send(action="invoke", prompt=PROMPT)
    await dictate(talker, healthy, 1)
    slow = SlowViewer(NarrowConsumer, talk, alice, takes_ready_frames=takes_ready_frames)
    await slow.read_until("<article")
    slow.reads.clear()
    await dictate(talker, healthy, 30)
    slow.reads.set()
    common = await read_to_common_place(slow, healthy, after=healthy.position)
    assert slow.answers[common] == healthy.answers[common]
    assert len(slow.messages) < 15  # what it had missed came as one
    await healthy.send(action="stop")
    await healthy.read_until("^(end|finished)")
    await slow.read_until("Stopped")
    await slow.leave()


async def test_a_viewer_that_never_reads_again_is_given_up(
    pages: Any, talk: Session, talker: Talker, alice: User, takes_ready_frames: bool
) -> None:
    healthy = await pages(talk, alice)
    await healthy.send(action="invoke", prompt=PROMPT)
    await dictate(talker, healthy, 1)
    stalled = SlowViewer(ImpatientConsumer, talk, alice, takes_ready_frames=takes_ready_frames)
    await stalled.read_until("<article")
    stalled.reads.clear()
    await dictate(talker, healthy, 1)

    await asyncio.wait_for(stalled.task, PATIENCE_S)  # the server drops the connection of a consumer that has ended
    await dictate(talker, healthy, 3)
    await healthy.send(action="stop")
    await healthy.read_until("^(end|finished)")


def test_an_outbox_holds_a_bounded_amount_and_then_asks_for_a_catch_up() -> None:
    outbox = Outbox(10)
    outbox.put(Frame("a" * 50))  # a whole turn may be larger than all
    assert (outbox.has_overflowed, outbox.take().text) == (False, "a" * 50)
    outbox.put(Frame("b" * 6))
    outbox.put(Frame("c" * 6))
    outbox.put(Frame("d"))

    assert (outbox.has_overflowed, bool(outbox)) == (True, False)
    outbox.clear()
    outbox.put(Frame("e"))
    assert [outbox.take().text, bool(outbox), outbox.has_overflowed] == ["e", False, False]


@pytest.fixture
def late_timers(monkeypatch: pytest.MonkeyPatch) -> float:
    """What a page is shown some time later comes when the clock is put forward by so many seconds, and not before."""
    seconds = 800.0
    monkeypatch.setattr("apps.sessions.viewing.consumer.ENVIRONMENT_AFTER_S", seconds)
    return seconds


async def test_a_run_that_is_over_at_once_leaves_no_environment_in_use(
    pages: Any, talk: Session, talker: Talker, alice: User, late_timers: float
) -> None:
    clock = Clock()
    page = await pages(talk, alice)
    await page.send(action="invoke", prompt=PROMPT)
    await page.read_until("<article")
    talker.say("That is all.")
    talker.end()
    await page.read_until("AgentCore keeps it until")
    await clock.advance(late_timers)
    await page.join()

    assert "In use." not in "".join(page.messages)


class BrokenConsumer(SessionConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        raise ZeroDivisionError


async def test_a_viewer_whose_consumer_broke_is_not_kept(
    pages: Any, talk: Session, talker: Talker, alice: User
) -> None:
    healthy = await pages(talk, alice)
    await healthy.send(action="invoke", prompt=PROMPT)
    await healthy.read_until("<article")
    layer: Any = get_channel_layer()
    invocation = await Invocation.objects.select_related("session__agent").aget()

    def kept() -> tuple[int, int, int]:
        """How many viewers the broadcast has, how many channels the group, and how many tasks send."""
        senders = [task for task in asyncio.all_tasks() if task.get_name() == f"viewer-of-session-{talk.pk}"]
        return len(broadcast_of(invocation).viewers), len(layer.groups[group_name(talk.topic)]), len(senders)

    alone = kept()
    broken = SlowViewer(BrokenConsumer, talk, alice)
    await broken.read_until("<article")
    assert (alone, kept()) == ((1, 1, 1), (2, 2, 2))
    broken.send(action="stop")
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(broken.task, PATIENCE_S)
    await until(lambda: kept() == alone)
    await dictate(talker, healthy, 1)  # nobody else is harmed
