"""A page that shows an answer more slowly than it comes: it gets fewer and larger messages, and misses nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.sessions.models import Session
from apps.sessions.tests.talking import PROMPT, Talker
from apps.sessions.tests.viewing import Page
from apps.sessions.viewing import credit
from apps.sessions.viewing.credit import Credit

PARAGRAPH = f"{'so on ' * 200}\n\n"
COUNT = 40  # of paragraphs: three times what may be on its way


@given(st.lists(st.integers(-40, 20_000)))
def test_what_is_on_its_way_is_what_was_sent_and_not_acknowledged(steps: list[int]) -> None:
    tested, sizes, shown = Credit(is_limited=True), list[int](), 0
    for step in steps:
        if step > 0:
            tested.spend(step)
            sizes.append(step)
        else:
            tested.acknowledge(-step)
            shown = max(shown, min(-step, len(sizes)))
        waiting = sizes[shown:]
        assert tested.is_left == (sum(waiting) < credit.CHARACTERS or len(waiting) < credit.FRAMES)


def test_who_does_not_acknowledge_has_credit_without_end() -> None:
    tested = Credit(is_limited=False)
    for _ in range(100):
        tested.spend(10_000)
    assert tested.is_left


async def say(talker: Talker, fast: Page, numbers: range) -> None:
    """Let the agent say so many paragraphs, each once the one before is shown to somebody."""
    for number in numbers:
        talker.say(f"word{number}. {PARAGRAPH}")
        await fast.read_until(f"word{number}\\.")


async def test_a_page_that_does_not_keep_up_gets_what_waited_in_one_message(
    pages: Any, talk: Session, talker: Talker, alice: User
) -> None:
    fast, slow = await pages(talk, alice), await pages(talk, alice, "page=2")
    await fast.send(action="invoke", prompt=PROMPT)
    await slow.read_until("<article")
    await say(talker, fast, range(COUNT))
    await slow.send(action="unknown")
    while not await slow.socket.receive_nothing():
        await slow.read_until("")
    assert slow.position < fast.position  # nothing that goes on with the answer came since its credit was used up

    await slow.send(action="shown", count=len(slow.messages))
    merged = await slow.read_until(f"word{COUNT - 1}\\.")
    assert merged.startswith("answer") and f"word{COUNT - 2}." in merged
    assert [merged.count(f"word{number}.") for number in range(COUNT - 8, COUNT)] == [1] * 8
    await slow.send(action="shown", count=len(slow.messages))
    await say(talker, fast, range(COUNT, COUNT + 3))
    await slow.read_until(f"word{COUNT + 2}\\.")
    assert [slow.answer.count(f"word{number}.") for number in range(COUNT + 3)] == [1] * (COUNT + 3)


async def test_a_page_that_acknowledges_no_more_is_told_the_end(
    pages: Any, talk: Session, talker: Talker, alice: User
) -> None:
    fast, slow = await pages(talk, alice), await pages(talk, alice, "page=2")
    await fast.send(action="invoke", prompt=PROMPT)
    await slow.read_until("<article")
    await say(talker, fast, range(COUNT))
    talker.end()
    end = await slow.read_until("^end")
    assert [end.count(f"word{number}.") for number in range(COUNT)] == [1] * COUNT
    assert len(slow.messages) < COUNT


@pytest.mark.parametrize("count", [None, "3", -1, 10**30, True, [1]])
async def test_a_page_that_acknowledges_nonsense_is_served_on(
    pages: Any, talk: Session, talker: Talker, alice: User, count: object
) -> None:
    page = await pages(talk, alice, "page=2")
    await page.send(action="invoke", prompt=PROMPT)
    await page.send(action="shown", count=count)
    talker.say("first ")
    await page.read_until("first")
    talker.end()
    await page.read_until("^end")


async def test_a_page_of_the_release_before_is_told_to_reload(pages: Any, session: Session, alice: User) -> None:
    page = await pages(session, alice, "last=0&environment=none")
    told = await page.receive()
    assert told.startswith('<div id="transcript" hx-swap-oob="beforeend">') and "Reload this page" in told
