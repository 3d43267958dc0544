"""The servers under test and the source, each started fresh for a cell and ended after it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.stream.machine import descendants

TOP = Path(__file__).resolve().parent.parent.parent
SERVER_CORE, TOOL_CORE = 0, 1
START_PATIENCE_S = 60.0
STOP_PATIENCE_S = 10.0
CALM_S = 0.5


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
def running(command: list[str], environment: dict[str, str], port: int, log: Path) -> Iterator[list[int]]:
    """A server in a process group of its own; yields the ids of its processes once it accepts connections."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=TOP, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            _wait_until_listening(process, port, log)
            time.sleep(CALM_S)
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


class LoomBed:
    """A seeded database of which every cell gets a copy, and the means to start Loom on it."""

    def __init__(
        self, folder: Path, source_port: int, session_count: int, cores: Cores, *, has_static_files: bool = True
    ) -> None:
        self._folder = folder
        self._cores = cores
        self.port = free_port()
        self._environment = plain_environment() | {
            "LOOM_ENVIRONMENT_FILE": "",
            "LOOM_AWS": "emulator",
            "SECRET_KEY": "only-for-a-benchmark-" + "x" * 40,
            "DEBUG": "0",
            "AUTH_DISABLED": "0",
            "EMULATOR_PORT": str(source_port),
            "BACKEND_PORT": str(self.port),
        }
        template = self._database(folder / "template.db")
        if has_static_files:  # what a browser asks for
            self._run([sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity=0"], template)
        command = [sys.executable, "-m", "bench.stream.seed", "--sessions", str(session_count)]
        seeded: dict[str, Any] = json.loads(self._run(command, template).splitlines()[-1])
        self._argv: list[str] = seeded["argv"]
        self.cookie: str = seeded["cookie"]
        self.agent_id: int = seeded["agent_id"]
        self.sessions: list[dict[str, str]] = seeded["sessions"]

    def _database(self, path: Path) -> dict[str, str]:
        return self._environment | {"DATABASE_URL": f"sqlite:///{path}"}

    @staticmethod
    def _run(command: list[str], environment: dict[str, str]) -> str:
        done = subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotStartedError(done.stderr[-2000:])
        return done.stdout

    @contextmanager
    def started(self) -> Iterator[list[int]]:
        """Loom's web process on a copy of the seeded database; yields the ids of its processes."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            database = Path(folder) / "loom.db"
            for part in self._folder.glob("template.db*"):
                shutil.copy(part, database.with_name(part.name.replace("template", "loom")))
            command = [sys.executable, "-m", "bench.stream.serve", *on_core(self._cores.server), *self._argv]
            with running(command, self._database(database), self.port, self._folder / "loom.log") as pids:
                yield pids


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
