from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import pytest

from apps.aws.agentcore import AgentCoreClient
from apps.aws.connection import Connection
from apps.aws.tests.invoking import AT_ONCE
from apps.aws.tests.loopback import Exchange, Loopback, loopback

Serve = Callable[[Callable[[Exchange], None]], Loopback]
Emulated = Callable[[Loopback], Connection]
ClientOf = Callable[[Loopback], AgentCoreClient]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a loopback server with a script; it stops with the test."""
    with ExitStack() as servers:
        yield lambda script: servers.enter_context(loopback(script))


@pytest.fixture
def emulated() -> Emulated:
    """A connection in emulator mode to a loopback server."""
    return lambda server: Connection("emulator", "us-east-1", endpoint_url=server.url)


@pytest.fixture
async def client_of(emulated: Emulated) -> AsyncIterator[ClientOf]:
    """Make clients of loopback servers that wait only a moment between attempts."""
    clients: list[AgentCoreClient] = []

    def make(server: Loopback) -> AgentCoreClient:
        clients.append(AgentCoreClient(emulated(server), retry_policy=AT_ONCE))
        return clients[-1]

    yield make
    for client in clients:
        await client.close()
