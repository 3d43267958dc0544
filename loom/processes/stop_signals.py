"""Hear of the end of a web process when it begins, and not when the server has closed its last connection.

A server such as uvicorn ends the lifespan after every connection is closed, and an answer that is streamed keeps one
open. Runs are to have their time from the signal on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def on_stop_signal(act: Callable[[], object]) -> Iterator[None]:
    """Call `act` for SIGTERM and SIGINT, before the handlers that are there already.

    `act` runs inside of a signal handler and must take no lock. Outside of the main thread, where no handler can be
    set, nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        act()
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number, handler in before.items():
        if callable(handler):  # the default action and none at all are left as they are
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)
