from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.agentcore.tests.control_plane import ControlPlane
from apps.aws.tests.emulator_process import Emulator
from apps.aws.tests.loopback import loopback

OrderFault = Callable[..., None]


@pytest.fixture
def control_plane(settings: Any) -> Iterator[ControlPlane]:
    """A control plane of one runtime, with the settings of this process pointing at it."""
    script = ControlPlane()
    with loopback(script) as server:
        settings.EMULATOR_URL = server.url
        yield script


@pytest.fixture
def order_fault(emulator: Emulator) -> OrderFault:
    """Order something to go wrong in the emulator next."""
    return emulator.order


@pytest.fixture
def free_url() -> str:
    """An address of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
