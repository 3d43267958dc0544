"""A real agent in a process of its own: started for one session, fed over loopback, ended with the session."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import aiohttp

from apps.emulator.environments.environment_log import EnvironmentLog

# AgentCore gives a container two minutes to answer its first ping.
START_TIMEOUT_S = 120.0
PING_PERIOD_S = 0.03
END_TIMEOUT_S = 3.0
LONGEST_LINE_BYTES = 2**20
# Lines go to CloudWatch in deliveries; all of one become visible together.
DELIVERY_PERIOD_S = 5.0
PYTHON = re.compile(r"python[\d.]*")
LAUNCHER = Path(__file__).with_name("port_launcher.py")
PR_SET_PDEATHSIG = 1


class AgentProcessError(Exception):
    """The agent's process could not be started or ended before it answered a ping."""


class AgentProcess:
    """One running agent. `url` is where it serves the container contract."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.pid = process.pid
        self.url = f"http://127.0.0.1:{port}"
        self._pumps: list[asyncio.Task[None]] = []

    @classmethod
    async def start(cls, arguments: Sequence[str], variables: dict[str, str], log: EnvironmentLog) -> AgentProcess:
        """Start the command with the environment variable PORT and wait until GET /ping answers 200.

        Its output goes to `log`. Raises AgentProcessError when it ends first or takes longer than two minutes.
        """
        port = _free_port()
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **variables, "PORT": str(port)}
        try:
            process = await asyncio.create_subprocess_exec(
                *launched(arguments),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=LONGEST_LINE_BYTES,
                start_new_session=True,
                preexec_fn=_end_with_parent(),
            )
        except OSError as error:
            log.print_line(f"cannot start the agent: {error.strerror}", time.time(), 0.0)
            raise AgentProcessError("cannot be started") from error
        agent = cls(process, port)
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            agent._pumps.append(asyncio.create_task(_pump(stream, log)))
        try:
            await agent._wait_for_ping()
        except (AgentProcessError, asyncio.CancelledError):
            await agent.end()
            raise
        return agent

    async def end(self) -> None:
        """End the process and all that it started: SIGTERM, after three seconds SIGKILL."""
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), END_TIMEOUT_S)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()
        # What it left behind in its group.
        self._signal(signal.SIGKILL)
        await asyncio.wait(self._pumps, timeout=END_TIMEOUT_S)
        for pump in self._pumps:
            pump.cancel()

    async def _wait_for_ping(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        async with aiohttp.ClientSession() as client:
            while time.monotonic() < deadline:
                if self._process.returncode is not None:
                    raise AgentProcessError("ended before it answered a ping")
                with suppress(aiohttp.ClientError, OSError):
                    async with client.get(f"{self.url}/ping") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(PING_PERIOD_S)
        raise AgentProcessError("took longer than two minutes to answer a ping")

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def launched(arguments: Sequence[str]) -> list[str]:
    """Return the command to run. `python` is the emulator's own interpreter.

    An AgentCore SDK agent calls `app.run()`, which serves on 8080 whatever the environment says; a Python file is
    therefore run through a launcher that puts the port of the environment variable in its place.
    """
    command = list(arguments)
    if PYTHON.fullmatch(Path(command[0]).name) and len(command) > 1 and command[1].endswith(".py"):
        command.insert(1, str(LAUNCHER))
    if command[0] == "python":
        command[0] = sys.executable
    return command


async def _pump(stream: asyncio.StreamReader, log: EnvironmentLog) -> None:
    """Carry a process's output to its log stream, line by line."""
    delay_s, drawn_at = 0.0, 0.0
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            # Longer than a log event may be; the reader has dropped it.
            continue
        if not line:
            return
        now = time.time()
        if now - drawn_at > DELIVERY_PERIOD_S:
            delay_s, drawn_at = log.draw_delay(), now
        log.print_line(line.decode("utf-8", "replace").rstrip("\r\n"), now, delay_s)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> Callable[[], None] | None:
    """Return what makes Linux end the child when the emulator dies without ending it; None elsewhere."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return ask
