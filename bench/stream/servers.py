"""The servers under test and the source, each started fresh for a cell and ended after it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.stream.machine import cpu_s, descendants

TOP = Path(__file__).resolve().parent.parent.parent
SERVER_CORE, TOOL_CORE = 0, 1
START_PATIENCE_S = 60.0
STOP_PATIENCE_S = 10.0
CALM_S, CALM_CPU_S = 0.5, 0.05
CALM_PATIENCE_S = 20.0


class NotStartedError(RuntimeError):
    """A server did not get ready; its output is in the message."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Where to run what; None leaves it to the system."""

    server: int | None
    tools: int | None


def cores_of_this_machine() -> Cores:
    """The server on one core, the tools on another, where there are two."""
    usable = os.sched_getaffinity(0)
    if {SERVER_CORE, TOOL_CORE} <= usable:
        return Cores(SERVER_CORE, TOOL_CORE)
    return Cores(None, None)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def on_core(core: int | None) -> list[str]:
    return [] if core is None else ["--core", str(core)]


def plain_environment() -> dict[str, str]:
    """Nothing of the caller's but what a program needs to run: no credentials, no settings."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"PYTHONUNBUFFERED": "1"}


@contextmanager
def source(cores: Cores) -> Iterator[tuple[int, int]]:
    """The source of answers; yields its port and its process id."""
    command = [sys.executable, "-m", "bench.stream.source", *on_core(cores.tools)]
    with subprocess.Popen(command, cwd=TOP, env=plain_environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise NotStartedError("the source ended at once")
            yield int(line.rsplit(" ", 1)[1]), process.pid
        finally:
            process.terminate()


@contextmanager
def running(
    command: list[str], environment: dict[str, str], port: int, log: Path, folder: Path = TOP
) -> Iterator[list[int]]:
    """A server in a process group of its own; yields the ids of its processes once it accepts connections."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            _wait_until_listening(process, port, log)
            _wait_until_calm(process.pid)
            yield descendants(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_PATIENCE_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise NotStartedError(log.read_text(errors="replace")[-2000:])


def _wait_until_calm(pid: int) -> None:
    """A server that listens may still import what its first page and its first prompt would wait for."""
    deadline = time.monotonic() + CALM_PATIENCE_S
    while time.monotonic() < deadline:
        before = cpu_s(descendants(pid))
        time.sleep(CALM_S)
        if cpu_s(descendants(pid)) - before < CALM_CPU_S:
            return


class Peer:
    """One of the servers of bench/peers."""

    def __init__(self, module: str, folder: Path, source_port: int, cores: Cores) -> None:
        self._module = module
        self._folder = folder
        self._source_port = source_port
        self._cores = cores
        self.port = free_port()

    @contextmanager
    def started(self) -> Iterator[list[int]]:
        """The peer's process; yields its id."""
        command = [
            sys.executable, "-m", f"bench.peers.{self._module}", "--port", str(self.port),
            "--source-port", str(self._source_port), *on_core(self._cores.server),
        ]  # fmt: skip
        with running(command, plain_environment(), self.port, self._folder / f"{self._module}.log") as pids:
            yield pids
