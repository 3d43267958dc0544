"""Wait for a change of a topic without a thread and without asking the database over and over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from channels.layers import get_channel_layer

from apps.core.notices.notices import group_name

Wait = Callable[[float], Awaitable[None]]


@asynccontextmanager
async def listening_to(topic: str) -> AsyncIterator[Wait]:
    """Hear notices of a topic for the time of the block: the function it gives waits for the next, at most so long.

    A notice may be lost, and none carries content: read the rows after each wait.
    """
    layer = get_channel_layer()
    assert layer is not None, "settings.CHANNEL_LAYERS names no default"
    channel, group = await layer.new_channel(), group_name(topic)
    await layer.group_add(group, channel)

    async def wait(at_most_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await layer.receive(channel)

    try:
        yield wait
    finally:
        await layer.group_discard(group, channel)
