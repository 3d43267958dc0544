"""Connections that end before the answer does: every byte that reached this machine is handed on, then the error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from apps.aws.agentcore import AgentCoreClient
from apps.aws.connection import Connection
from apps.aws.dataplane.own_way import PushedBody
from apps.aws.dataplane.response import InvocationResponse
from apps.aws.errors import ConnectionLostError
from apps.aws.tests.cutting import FRAMINGS, Cutting
from apps.aws.tests.invoking import DATA_PLANES, invoke
from apps.aws.tests.loopback import PATIENCE_S

BODY = b'data: "one of many words "\n\n' * 4_000  # more than one read takes
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


async def all_at_once(response: InvocationResponse, server: Cutting) -> tuple[bytes, bool]:
    """Read while the loop is busy with other things until the connection is gone."""
    reading = asyncio.ensure_future(read(response))
    await asyncio.sleep(0)
    server.go_on.set()
    server.is_over.wait(PATIENCE_S)  # the loop stands still
    return await reading


async def slowly(response: InvocationResponse, server: Cutting) -> tuple[bytes, bool]:
    """Take the first bytes, and the others only after the loop has heard of the end."""
    server.go_on.set()
    chunks = response.chunks()
    received = await anext(chunks)
    while not has_heard_of_the_end(response.body):  # noqa: ASYNC110 -- it tells nobody
        await asyncio.sleep(0.001)
    rest, is_cut = await read(response)
    return received + rest, is_cut


def has_heard_of_the_end(body: Any) -> bool:
    if isinstance(body, PushedBody):
        return body.exchange.is_over
    content = body.stream.raw_stream.content
    return content.exception() is not None or content.is_eof()


async def read(response: InvocationResponse) -> tuple[bytes, bool]:
    received = b""
    try:
        async for chunk in response.chunks():
            received += chunk
    except ConnectionLostError:
        return received, True
    return received, False


@pytest.mark.parametrize("data_plane", DATA_PLANES)
@pytest.mark.parametrize("new_loop", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("way", [all_at_once, slowly])
@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "cut"])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_what_came_before_a_cut_is_handed_on(
    framing: str,
    *,
    is_whole: bool,
    is_reset: bool,
    way: Callable[..., object],
    new_loop: Callable[[], object],
    data_plane: str,
) -> None:
    """A body without a length has no end that a cut could be told from."""
    body = BODY[:100_003]

    async def go() -> tuple[bytes, bool]:
        client = AgentCoreClient(Connection("emulator", "us-east-1", endpoint_url=server.url), data_plane=data_plane)
        try:
            return await way(await invoke(client), server)  # type: ignore[misc, no-any-return]
        finally:
            await client.close()

    with (
        Cutting("text/event-stream", body, framing, is_reset=is_reset, is_whole=is_whole).running() as server,
        asyncio.Runner(loop_factory=new_loop) as runner,  # type: ignore[arg-type]
    ):
        received, is_cut = runner.run(go())
    assert (len(received), is_cut) == (len(body), not is_whole and framing != "bare")
    assert received == body
