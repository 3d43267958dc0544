from __future__ import annotations

import json
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from apps.aws.connection import Connection
from apps.aws.logs import RuntimeLogs
from apps.aws.tests.loopback import loopback
from apps.metrics.tests.cloudwatch import CloudWatch


@dataclass(frozen=True)
class GroundTruth:
    """A running emulator, which knows what really happened and lets things happen on order."""

    url: str

    def invocations(self, session_id: str) -> list[dict[str, Any]]:
        query = urllib.parse.urlencode({"session_id": session_id})
        with urllib.request.urlopen(f"{self.url}/_emulator/invocations?{query}") as answer:  # noqa: S310 -- loopback
            result: list[dict[str, Any]] = json.load(answer)
            return result

    def order(self, **fault: Any) -> None:
        """Let something happen next: see apps.emulator.faults."""
        self._send("POST", "faults", fault)

    def advance(self, seconds: float) -> None:
        """Let environments age."""
        self._send("POST", "clock", {"advance_s": seconds})

    def clear(self) -> None:
        """Forget every order that was not carried out."""
        self._send("DELETE", "faults", {})

    def _send(self, method: str, what: str, order: dict[str, Any]) -> None:
        url, headers = f"{self.url}/_emulator/{what}", {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(order).encode(), headers, method=method)  # noqa: S310 -- loopback
        urllib.request.urlopen(request).close()  # noqa: S310 -- loopback


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[GroundTruth]:
    """An emulator whose clocks agree with ours and whose lines are found at once: what is measured must be exact."""
    options = ["--port", "0", "--seed", "7", "--time-scale", "0.05", "--log-delay-scale", "0", "--clock-skew-ms", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "apps.emulator", "--no-quotas", "--print-port", *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        # The port stands on a line of its own; without one the process has ended, and so has its output.
        port = next((line.strip() for line in process.stdout if line.strip().isdigit()), None)
        assert port is not None, "the emulator did not start"
        yield GroundTruth(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


@pytest.fixture
def emulator(emulator_process: GroundTruth, settings: Any) -> GroundTruth:
    """The emulator, with the settings of this process pointing at it."""
    settings.EMULATOR_URL = emulator_process.url
    emulator_process.clear()
    return emulator_process


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """Nobody signs in with a password here, and a real hash takes longer than most tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


LogsOf = Callable[[CloudWatch], RuntimeLogs]


@pytest.fixture
def logs_of() -> Iterator[LogsOf]:
    """Serve a scripted CloudWatch on loopback for the time of the test."""
    with ExitStack() as servers:

        def serve(cloudwatch: CloudWatch) -> RuntimeLogs:
            server = servers.enter_context(loopback(cloudwatch))
            return RuntimeLogs(Connection("emulator", "us-east-1", endpoint_url=server.url))

        yield serve
