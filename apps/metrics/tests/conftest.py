from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from apps.aws.connection import Connection
from apps.aws.logs.reading import RuntimeLogs
from apps.aws.tests.loopback import loopback
from apps.metrics.tests.cloudwatch import CloudWatch
from apps.sessions.engine import host
from apps.sessions.models import Session
from apps.sessions.tests.memory_host import MemoryHost

MakeSession = Callable[..., Session]
LogsOf = Callable[[CloudWatch], RuntimeLogs]


@pytest.fixture
def session(make_session: MakeSession) -> Session:
    """One of alice's, with an agent that no AWS stands behind."""
    return make_session()


@pytest.fixture
def memory() -> Iterator[MemoryHost]:
    """Agents that a host in this process answers, so that ending a session needs no AWS."""
    made = MemoryHost()
    host.register("external", lambda: made)
    yield made
    host.forget("external")


@pytest.fixture
def logs_of() -> Iterator[LogsOf]:
    """Serve a scripted CloudWatch on loopback for the time of the test."""
    with ExitStack() as servers:

        def serve(cloudwatch: CloudWatch) -> RuntimeLogs:
            server = servers.enter_context(loopback(cloudwatch))
            return RuntimeLogs(Connection("emulator", "us-east-1", endpoint_url=server.url))

        yield serve
