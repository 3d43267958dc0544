"""The emulator as a process of its own, and what tests ask of it beside AWS's API."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# Twenty times as fast as life and the same in every run; lines are found at once and clocks agree, so that what is
# measured must be exact. What late lines and clocks that differ do is tested by itself.
EXACT = ("--seed", "7", "--time-scale", "0.05", "--log-delay-scale", "0", "--clock-skew-ms", "0", "--no-quotas")
END_TIMEOUT_S = 30


@dataclass(frozen=True)
class Emulator:
    """A running emulator, which knows what really happened to an invocation and lets things happen on order."""

    url: str

    def invocations(self, session_id: str) -> list[dict[str, Any]]:
        query = urllib.parse.urlencode({"session_id": session_id})
        with urllib.request.urlopen(f"{self.url}/_emulator/invocations?{query}") as answer:  # noqa: S310 -- loopback
            result: list[dict[str, Any]] = json.load(answer)
            return result

    def order(self, **fault: Any) -> None:
        """Let something go wrong next, as `kind="silence", after_chunks=10, seconds=60`: see apps.emulator.faults."""
        self._send("POST", "faults", fault)

    def advance(self, seconds: float) -> None:
        """Let environments age."""
        self._send("POST", "clock", {"advance_s": seconds})

    def end_silences(self) -> None:
        """Let answers go on that are silent as ordered, so that a test need not guess how long it takes."""
        self._send("DELETE", "silences")

    def clear(self) -> None:
        """Forget every order that was not carried out."""
        self._send("DELETE", "faults")

    def _send(self, method: str, what: str, body: dict[str, Any] | None = None) -> None:
        data, headers = None if body is None else json.dumps(body).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/_emulator/{what}", data, headers, method=method)  # noqa: S310 -- loopback
        urllib.request.urlopen(request).close()  # noqa: S310 -- loopback


@contextmanager
def running_emulator(*options: str) -> Iterator[Emulator]:
    """An emulator on a free port for as long as the block lasts."""
    command = [sys.executable, "-m", "apps.emulator", "--port", "0", "--print-port", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        # The port stands on a line of its own; without one the process has ended, and so has its output.
        port = next((line.strip() for line in process.stdout if line.strip().isdigit()), None)
        assert port is not None, "the emulator did not start"
        yield Emulator(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(END_TIMEOUT_S)
        process.stdout.close()
