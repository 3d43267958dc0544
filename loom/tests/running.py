"""Real processes for tests, with a mark in their environment by which all their descendants are found again."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from loom.environment import BASE_DIR

PATIENCE_S = 60.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Poll a condition on the outside world; fail the test with `what` when it does not come true in time."""
    deadline = time.monotonic() + patience_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        pause.wait(0.05)


class Running:
    """A process with its output; whatever is left of its descendants at the end of the block is killed."""

    def __init__(self, *argv: str, environment: Mapping[str, str] | None = None, pass_fds: Sequence[int] = ()) -> None:
        self._mark = f"LOOM_TEST_MARK={uuid.uuid4()}"
        name, value = self._mark.split("=")
        self.output: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, *argv],
            cwd=BASE_DIR,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {}), name: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            pass_fds=pass_fds,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def wait_for_line(self, part: str) -> str:
        """Read on to the next line that contains `part`; fails with the whole output when there is none."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            assert line is not None, f"no line with {part!r} in:\n" + "\n".join(self.output)
            self.output.append(line)
            if part in line:
                return line

    def wait_for_end(self) -> int:
        """Read the rest of the output and return the exit code."""
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        while (line := self._lines.get(timeout=PATIENCE_S)) is not None:
            self.output.append(line)
        return code

    def pids(self) -> list[int]:
        """Return the living processes that carry the mark, the process itself included. Reads /proc: Linux only."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue  # it ended meanwhile, or is not ours
        return found
