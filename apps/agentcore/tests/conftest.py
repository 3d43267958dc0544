from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.agentcore.tests.control_plane import ControlPlane
from apps.aws.tests.loopback import loopback

OrderFault = Callable[..., None]


@pytest.fixture(autouse=True)
def quick_hashing(settings: Any) -> None:
    """Passwords are hashed as fast as possible: what makes hashing safe would make these tests slow."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def control_plane(settings: Any) -> Iterator[ControlPlane]:
    """A control plane of one runtime, with the settings of this process pointing at it."""
    script = ControlPlane()
    with loopback(script) as server:
        settings.EMULATOR_URL = server.url
        yield script


@pytest.fixture
def order_fault(emulator: Any) -> Iterator[OrderFault]:
    """Order something to go wrong in the emulator next; what was not used is forgotten after the test."""

    def send(method: str, order: dict[str, Any] | None = None) -> None:
        request = urllib.request.Request(  # noqa: S310 -- loopback
            f"{emulator.url}/_emulator/faults",
            method=method,
            data=None if order is None else json.dumps(order).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request).close()  # noqa: S310 -- loopback

    yield lambda **order: send("POST", order)
    send("DELETE")


@pytest.fixture
def free_url() -> str:
    """An address of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
