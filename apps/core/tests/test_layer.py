"""The channel layer without Redis: everybody hears, nobody is forgotten, and idle pages cost a notice nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer, get_channel_layer

from apps.core.notices.layer import CLEAN_EVERY_S, NoticeLayer


@pytest.fixture
def cleanings(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """How often channels looks through everything there is."""
    found: list[None] = []
    clean = vars(InMemoryChannelLayer)["_clean_expired"]

    def counted(self: Any) -> None:
        found.append(None)
        clean(self)

    monkeypatch.setattr(InMemoryChannelLayer, "_clean_expired", counted)
    return found


async def joined(layer: NoticeLayer, count: int) -> list[str]:
    channels = [await layer.new_channel() for _ in range(count)]
    for channel in channels:
        await layer.group_add("topic", channel)
    return channels


async def test_everybody_hears_each_message_in_order_and_has_it_for_himself(cleanings: list[None]) -> None:
    layer = NoticeLayer()
    channels = await joined(layer, 50)
    await layer.group_add("another", await layer.new_channel())
    for number in range(3):
        await layer.group_send("topic", {"type": "notice", "number": number})
    heard = [[await layer.receive(channel) for _ in range(3)] for channel in channels]
    heard[0][0]["number"] = "changed"

    assert [[message["number"] for message in messages] for messages in heard[1:]] == 49 * [[0, 1, 2]]
    assert len(cleanings) == 1


async def test_one_that_does_not_take_its_messages_keeps_nobody_from_theirs() -> None:
    layer = NoticeLayer(capacity=1)
    full, free = await joined(layer, 2)
    await layer.group_send("topic", {"type": "notice", "number": 0})
    await layer.receive(free)
    await layer.group_send("topic", {"type": "notice", "number": 1})

    assert (await layer.receive(full))["number"] == 0
    assert (await layer.receive(free))["number"] == 1


async def test_what_nobody_takes_is_forgotten_after_a_while(
    cleanings: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = NoticeLayer(expiry=60)
    gone, there = await joined(layer, 2)
    await layer.group_send("topic", {"type": "notice"})
    await layer.receive(there)
    wall, monotonic = time.time(), time.monotonic()
    monkeypatch.setattr(time, "time", lambda: wall + 61)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic + CLEAN_EVERY_S)
    await layer.group_send("topic", {"type": "notice"})

    assert list(layer.groups["topic"]) == [there]
    assert gone not in layer.channels
    assert len(cleanings) == 2


async def test_a_page_that_stays_open_for_days_goes_on_hearing() -> None:
    layer = get_channel_layer()
    assert isinstance(layer, NoticeLayer)
    await layer.flush()
    [page] = await joined(layer, 1)
    layer.groups["topic"][page] -= 30 * 86_400
    layer._clean_at = 0.0
    await layer.group_send("topic", {"type": "notice"})

    assert (await layer.receive(page))["type"] == "notice"
