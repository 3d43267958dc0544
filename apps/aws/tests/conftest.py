from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from apps.aws.connection import Connection
from apps.aws.tests.loopback import Exchange, Loopback, loopback

Serve = Callable[[Callable[[Exchange], None]], Loopback]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a loopback server with a script; it stops with the test."""
    with ExitStack() as servers:
        yield lambda script: servers.enter_context(loopback(script))


@pytest.fixture
def emulated() -> Callable[[Loopback], Connection]:
    """A connection in emulator mode to a loopback server."""
    return lambda server: Connection("emulator", "us-east-1", endpoint_url=server.url)
