"""Wait for a change of a topic without a thread and without asking the database over and over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from channels.layers import get_channel_layer

from apps.core.notices.notices import group_name, is_layer_away

logger = logging.getLogger(__name__)

Wait = Callable[[float], Awaitable[bool]]

REJOIN_EVERY_S = 3600.0  # the channel layer forgets who is in a group after a day
AWAY_S = 1.0


@asynccontextmanager
async def listening_to(topic: str, heard: asyncio.Event | None = None) -> AsyncIterator[Wait]:
    """Hear notices of a topic for the time of the block: the function it gives waits for the next, at most so long, and
    says whether there was one.

    A notice may be lost, and none carries content: read the rows after each wait. The caller's own event, where it
    brings one, ends a wait as well. While the channel layer is away, a wait takes its time and no more.
    """
    news, is_decided = heard or asyncio.Event(), asyncio.Event()

    async def wait(at_most_s: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await news.wait()
        has_heard = news.is_set()
        news.clear()
        return has_heard

    hearing = asyncio.create_task(_hear(group_name(topic), news, is_decided), name=f"hear {topic}")
    try:
        await is_decided.wait()
        yield wait
    finally:
        hearing.cancel()
        await asyncio.wait([hearing])


async def _hear(group: str, news: asyncio.Event, is_decided: asyncio.Event) -> None:
    """Set `news` for each notice, and `is_decided` once it is in the group, or cannot be for now."""
    layer = get_channel_layer()
    assert layer is not None, "settings.CHANNEL_LAYERS names no default"
    is_away = False
    while True:
        try:
            channel = await layer.new_channel()
            await layer.group_add(group, channel)
            try:
                is_decided.set()
                is_away = False
                with suppress(TimeoutError):
                    async with asyncio.timeout(REJOIN_EVERY_S):
                        while True:
                            await layer.receive(channel)
                            news.set()
            finally:
                await layer.group_discard(group, channel)
        except Exception as error:  # who waits goes on looking at the rows
            if not is_away and not is_layer_away(error):
                logger.exception("not in the group of a topic")
            is_away = True
            is_decided.set()
            await asyncio.sleep(AWAY_S)
        news.set()  # what was told in between nobody heard
