"""A child process of the supervisor: its output, its readiness, its pulse and its end."""

from __future__ import annotations

import os
import re
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from apps.core.supervised import NAME, RESTARTS
from loom.processes.parent_death import end_with_parent

BASE_DIR = Path(__file__).resolve().parents[2]

READ_SIZE = 65536
FIRST_BACKOFF_S = 0.5
START_LIMIT_S = 60.0
NAME_WIDTH = 8
VARYING = re.compile(r"[0-9a-f-]*\d[0-9a-f-]*")  # times, ids and addresses
LONGEST_MEMORY = 2000


@dataclass(frozen=True)
class ChildSpec:
    """How to start a child, how to tell that it is ready, and how to end it. Without an environment it has ours.

    It is ready when it has written a line that begins with `ready_line`; without one, at once. With `listens_at` (host
    and port) the option `--fd N` is added: a socket that listens there, and that it shares with others of that place,
    with those that are started after its death too. With `pulse_limit_s` the option `--pulse-fd N` is added: the child
    writes to that pipe while it is well, and counts as frozen after so many seconds without; after a minute when it
    does not get ready. `grace_s` is how long it may take to end after SIGTERM. `stops_last`: others may need it while
    they end.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] | None = None
    ready_line: str = ""
    listens_at: tuple[str, int] | None = None
    pulse_limit_s: float | None = None
    grace_s: float = 10.0
    stops_last: bool = False


class Child:
    """One child; `start` may be called again after its end. Reads through the selector, whose data are callbacks."""

    def __init__(
        self,
        spec: ChildSpec,
        selector: selectors.BaseSelector,
        say: Callable[[str], None],
        listener: socket.socket | None = None,
    ) -> None:
        self.spec = spec
        self._listener = listener
        self._start_count = 0
        self.started_at = 0.0
        self.restart_at: float | None = None  # these are instants of the monotonic clock, which stands still in a sleep
        self.backoff_s = FIRST_BACKOFF_S
        self._selector = selector
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._open_fds: set[int] = set()
        self._partial_line = b""
        self._said: set[str] = set()
        self.crash_count = 0
        self._is_ready = False
        self._is_restart_wanted = False
        self._pulse_at = 0.0
        self._overdue_at = float("inf")

    def start(self) -> None:
        """Start it as the leader of a session of its own, to be ended by the kernel should the supervisor be killed."""
        argv = list(self.spec.argv)
        output_reader, output_writer = os.pipe()
        child_fds = [output_writer]
        if self.spec.pulse_limit_s is not None:
            pulse_reader, pulse_writer = os.pipe()
            child_fds.append(pulse_writer)
            argv += ["--pulse-fd", str(pulse_writer)]
            self._listen(pulse_reader, self._take_pulse)
        shared_fds = [] if self._listener is None else [self._listener.fileno()]
        for descriptor in shared_fds:
            argv += ["--fd", str(descriptor)]
        told = {NAME: self.spec.name, RESTARTS: str(self._start_count)}
        self._start_count += 1
        supervisor_pid = os.getpid()
        try:
            self._process = subprocess.Popen(
                argv,
                cwd=BASE_DIR,
                env={**(os.environ if self.spec.environment is None else self.spec.environment), **told},
                stdin=subprocess.DEVNULL,
                stdout=output_writer,
                stderr=output_writer,
                start_new_session=True,
                pass_fds=[*child_fds[1:], *shared_fds],
                preexec_fn=lambda: end_with_parent(supervisor_pid, signal.SIGTERM),
            )
        finally:
            for descriptor in child_fds:
                os.close(descriptor)
        self._listen(output_reader, self._take_output)
        self.started_at = self._pulse_at = time.monotonic()
        self.restart_at = None
        self._overdue_at = float("inf")
        self._is_ready = not self.spec.ready_line
        self._is_restart_wanted = False

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    @property
    def is_ready(self) -> bool:
        return self._is_ready

    @property
    def is_frozen(self) -> bool:
        limit_s = self.spec.pulse_limit_s
        if limit_s is None:
            return False
        if not self.is_ready:
            limit_s = max(limit_s, START_LIMIT_S)
        return time.monotonic() - self._pulse_at > limit_s

    @property
    def is_overdue(self) -> bool:
        """Whether it was asked to end longer ago than its grace."""
        return time.monotonic() > self._overdue_at

    def crash(self, longest_backoff_s: float) -> None:
        """Count its end and plan its next start, later each time, until it has recovered."""
        self.crash_count += 1
        self.backoff_s = min(longest_backoff_s, self.backoff_s * 2)
        self.restart_at = time.monotonic() + self.backoff_s

    def recover(self) -> None:
        """It has run for a while: the next crash is a new one."""
        self.crash_count = 0
        self.backoff_s = FIRST_BACKOFF_S
        self._said.clear()

    def restart(self) -> None:
        """Let it end as at a stop, and start it again then, at once and not as after a crash."""
        self.recover()
        if self.is_running:
            self._is_restart_wanted = True
            self.terminate()
        else:
            self.restart_at = time.monotonic()

    @property
    def is_restarting(self) -> bool:
        """Whether its end was asked for so that it starts again."""
        return self._is_restart_wanted

    def describe_end(self) -> str:
        """Say how it ended, as the end of a sentence."""
        code = self.exit_code
        if code is not None and code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def terminate(self) -> None:
        """Ask its main process, and no other of its processes, to end."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._overdue_at = time.monotonic() + self.spec.grace_s

    def kill(self) -> None:
        """Kill whatever is left of its process group."""
        if self._process is None:
            return
        # EPERM: on macOS a group of which only a zombie is left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def finish_reading(self) -> None:
        """Read what is left of its output after its end, without waiting: who left the group may keep a pipe open."""
        while ready := [key for key, _events in self._selector.select(0) if key.fd in self._open_fds]:
            for key in ready:
                key.data()
        for descriptor in list(self._open_fds):
            self._close(descriptor)

    def _listen(self, descriptor: int, take: Callable[[bytes], None]) -> None:
        def read() -> None:
            data = os.read(descriptor, READ_SIZE)
            take(data)
            if not data:
                self._close(descriptor)

        self._open_fds.add(descriptor)
        self._selector.register(descriptor, selectors.EVENT_READ, read)

    def _close(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        self._open_fds.discard(descriptor)
        os.close(descriptor)

    def _take_pulse(self, data: bytes) -> None:
        if data:
            self._pulse_at = time.monotonic()

    def _take_output(self, data: bytes) -> None:
        *lines, self._partial_line = (self._partial_line + data).split(b"\n")
        if self._partial_line and (not data or len(self._partial_line) > READ_SIZE):
            lines.append(self._partial_line)
            self._partial_line = b""
        for line in lines:
            text = line.decode(errors="replace").rstrip()
            is_ready_line = bool(self.spec.ready_line) and text.startswith(self.spec.ready_line)
            if is_ready_line:
                self._is_ready = True
                self._pulse_at = time.monotonic()
            if not self._is_repeated(text) or (is_ready_line and self.crash_count == 1):
                self._say(f"{self.spec.name:<{NAME_WIDTH}} | {text}")

    def _is_repeated(self, text: str) -> bool:
        """Whether it said the same before a crash from which it has not recovered: a crash is told once."""
        shape = VARYING.sub("0", text)
        if self.crash_count and shape in self._said:
            return True
        if len(self._said) < LONGEST_MEMORY:
            self._said.add(shape)
        return False
