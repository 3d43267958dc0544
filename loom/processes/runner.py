"""The runner: the engine without pages, so that what is queued never delays a token on a page."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from apps.core.models import Process
from apps.sessions.engine.engine import engine
from loom.processes.life import Life
from loom.processes.output import Output

SIGN_EVERY_S = 1.0


async def run_runner(*, out: Output, pulse_fd: int | None = None) -> None:
    """Take runs out of the queue until SIGTERM, SIGINT or SIGHUP; then let those that go on end, for up to 20 s.

    `pulse_fd` is a pipe that gets a byte every second while the loop turns. Raises django.db.Error where the database
    cannot be reached at the start.
    """
    loop, life, stop = asyncio.get_running_loop(), Life(Process.Kind.RUNNER), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    if pulse_fd is not None:
        os.set_blocking(pulse_fd, False)
    signs = asyncio.create_task(_show_life(pulse_fd), name="signs of life")
    await life.begin()
    await engine.warm_up()
    out.write("runner ready\n")
    out.flush()
    await stop.wait()
    await life.end()
    signs.cancel()


async def _show_life(pulse_fd: int | None) -> None:
    while pulse_fd is not None:
        with suppress(OSError):  # the supervisor is gone, or has enough unread signs
            os.write(pulse_fd, b".")
        await asyncio.sleep(SIGN_EVERY_S)
