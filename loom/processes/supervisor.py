"""Start processes together, keep them running, stop them together, and leave nothing behind.

Each child leads a session of its own, so the terminal's Ctrl-C reaches the supervisor alone, which asks the children's
main processes to end: a signal to a whole group would kill running tasks in the middle. One thread, because it forks.
"""

from __future__ import annotations

import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Self

from loom.processes.child import Child, ChildSpec
from loom.processes.output import Output

LOOP_EVERY_S = 0.2
START_TIMEOUT_S = 60.0
STABLE_AFTER_S = 60.0
LONGEST_BACKOFF_S = 30.0
BACKLOG = 2048


class StartFailedError(Exception):
    """A child or a step did not get where it should; the message says which."""


class StopRequestedError(Exception):
    """The user asked to stop while things were still being started."""


class Supervisor:
    """Context manager around the life of its children: whatever ends the block, they are stopped."""

    STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self, out: Output, *, longest_backoff_s: float = LONGEST_BACKOFF_S) -> None:
        self._out = out
        self._longest_backoff_s = longest_backoff_s
        self._selector = selectors.DefaultSelector()
        self._children: list[Child] = []
        self._listeners: dict[tuple[str, int], socket.socket] = {}
        self._stop_requests = 0
        self._handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        for number in self.STOP_SIGNALS:
            self._handlers[number] = signal.signal(number, self._request_stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._stop()
        finally:
            self._selector.close()
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    def _request_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_requests += 1

    def say(self, text: str) -> None:
        """Write a line for the user."""
        # With the terminal or the pipe gone the children still have to be looked after, and there is nobody to tell.
        with suppress(OSError):
            self._out.write(f"{text}\n")
            self._out.flush()

    def start(self, spec: ChildSpec) -> Child:
        """Start a child; `wait_until_ready` tells when it is ready."""
        child = Child(spec, self._selector, self.say, self._listener(spec.listens_at))
        self._children.append(child)
        child.start()
        return child

    def _listener(self, place: tuple[str, int] | None) -> socket.socket | None:
        """The socket that all children of a place share: the kernel gives each connection to one that has time, and
        keeps it while one is started again.
        """
        if place is None:
            return None
        if place not in self._listeners:
            family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
            self._listeners[place] = socket.create_server(place, family=family, backlog=BACKLOG)
        return self._listeners[place]

    def run_step(self, spec: ChildSpec) -> None:
        """Run a command to its end. Raises StartFailedError if it fails, StopRequestedError if the user stops it."""
        step = Child(spec, self._selector, self.say)
        step.start()
        try:
            while step.is_running:
                self._pump(LOOP_EVERY_S)
                self._refuse_stop()
        finally:
            step.terminate()
            self._wait_for([step])
        if step.exit_code != 0:
            raise StartFailedError(f"{spec.name} {step.describe_end()}; its messages are above.")

    def wait_until_ready(self, *children: Child, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until the given children are ready. Raises StartFailedError and StopRequestedError."""
        deadline = time.monotonic() + timeout_s
        while waiting := [child for child in children if not child.is_ready]:
            self._pump(LOOP_EVERY_S)
            self._refuse_stop()
            for child in self._children:
                if not child.is_running:
                    raise StartFailedError(f"{child.spec.name} {child.describe_end()} while Loom was starting.")
            if time.monotonic() > deadline:
                names = ", ".join(child.spec.name for child in waiting)
                raise StartFailedError(f"not ready after {timeout_s:g} s: {names}.")

    def watch(self, changes: Callable[[], str] | None = None, restarted: Sequence[Child] = ()) -> None:
        """Keep the children running until the user asks to stop. Where `changes` says that something changed, which it
        is asked often, `restarted` start again.
        """
        while not self._stop_requests:
            self._pump(LOOP_EVERY_S)
            if changes is not None and (changed := changes()):
                names = ", ".join(child.spec.name for child in restarted)
                self.say(f"{changed}: {names} {'starts' if len(restarted) == 1 else 'start'} again")
                for child in restarted:
                    child.restart()
            for child in self._children:
                self._look_after(child)

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.restart_at is not None:
            if now >= child.restart_at:
                child.start()
        elif child.is_restarting:
            self._restart(child)
        elif not child.is_running:
            self._take_end(child)
        elif child.is_frozen:
            self.say(f"{child.spec.name} has given no sign of life for {child.spec.pulse_limit_s:g} s; it is killed")
            child.kill()
        elif now - child.started_at >= STABLE_AFTER_S:
            if child.crash_count > 1:
                self.say(f"{child.spec.name} runs again")
            child.recover()

    def _restart(self, child: Child) -> None:
        """Start a child again whose end was asked for, once it has ended."""
        if child.is_running and child.is_overdue:
            child.kill()
        if not child.is_running:
            child.kill()
            child.finish_reading()
            child.start()

    def _take_end(self, child: Child) -> None:
        child.kill()
        child.finish_reading()
        child.crash(self._longest_backoff_s)
        if child.crash_count == 1:
            self.say(f"{child.spec.name} {child.describe_end()}; it starts again in {child.backoff_s:g} s")
        elif child.crash_count == 2:
            self.say(
                f"{child.spec.name} {child.describe_end()} again; it is tried on, less and less often up to every "
                f"{self._longest_backoff_s:g} s, and what it has said already is not repeated"
            )

    def _stop(self) -> None:
        if any(child.is_running for child in self._children):
            self.say("Stopping: what runs may finish (Ctrl-C again stops at once)")
        for listener in self._listeners.values():
            listener.close()  # once those that are asked to end have closed theirs, who comes is refused at once
        # Those that others still need while they finish come last.
        for is_last in (False, True):
            group = [child for child in self._children if child.spec.stops_last is is_last]
            for child in group:
                child.terminate()
            self._wait_for(group)

    def _wait_for(self, children: list[Child]) -> None:
        """Wait for children that were asked to end, and kill those that take longer than their grace or the user's."""
        while running := [child for child in children if child.is_running]:
            self._pump(LOOP_EVERY_S)
            for child in running:
                if self._stop_requests > 1 or child.is_overdue:
                    child.kill()
        for child in children:
            child.kill()
            child.finish_reading()

    def _refuse_stop(self) -> None:
        if self._stop_requests:
            raise StopRequestedError

    def _pump(self, timeout_s: float) -> None:
        for key, _events in self._selector.select(timeout_s):
            key.data()
