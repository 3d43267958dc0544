from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from apps.aws.agentcore import AgentCoreClient
from apps.aws.connection import Connection
from apps.aws.tests.invoking import AT_ONCE, DATA_PLANES
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


@pytest.fixture(params=DATA_PLANES)
def data_plane(request: pytest.FixtureRequest) -> str:
    """Both ways of a prompt: what they do differs in nothing but speed."""
    plane: str = request.param
    return plane


@pytest.fixture
async def client_of(emulated: Emulated, data_plane: str) -> AsyncIterator[ClientOf]:
    """Make clients of loopback servers that wait only a moment between attempts."""
    clients: list[AgentCoreClient] = []

    def make(server: Loopback) -> AgentCoreClient:
        clients.append(AgentCoreClient(emulated(server), retry_policy=AT_ONCE, data_plane=data_plane))
        return clients[-1]

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory of the test's own, and an environment in which nothing about AWS is set."""
    for name in (
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / ".aws" / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / ".aws" / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / ".aws").mkdir()
    return tmp_path
