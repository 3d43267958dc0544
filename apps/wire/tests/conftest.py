from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import pytest

from apps.wire.pool import Pool
from apps.wire.tests.serving import Script, Server, new_pool, serving

Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that plays scripts; what went wrong in one fails the test."""
    servers: list[Server] = []
    with ExitStack() as open_servers:

        def start(*scripts: Script) -> Server:
            servers.append(open_servers.enter_context(serving(*scripts)))
            return servers[-1]

        yield start
    assert [failure for server in servers for failure in server.failures] == []


@pytest.fixture
async def pool(serve: Serve) -> AsyncIterator[Pool]:
    """A pool that is closed before its servers are."""
    made = new_pool()
    yield made
    await made.close()
