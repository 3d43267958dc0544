"""When the next frame of an answer may come, and one timer for all answers that wait for theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

FRAME_S = 0.033  # at most one frame in this time; the first token is never held back, not even by an empty frame
SHARED_FRAME_S = 0.05  # the same with several viewers
RENDER_REST = 4  # an answer that is slow to show gets fewer frames, and never more than a fifth of the loop
BYTES_PER_S = 256_000  # nor do large frames (a long step, again and again) fill the line
CROWD = 50  # so many answers at a time are shown at full pace; beyond, each less often, in proportion
CROWDED = 1.5  # at most so many times as long between two frames
# A timer for each frame costs more than the frame's own words; what is due within this time goes out together.
SLICE_S = 0.005


def rest_s(viewer_count: int, answer_count: int, took_s: float, size: int) -> float:
    """How long to rest after a frame of `size` characters that took so long, with so many answers in this process."""
    pace_s = FRAME_S if viewer_count < 2 else SHARED_FRAME_S
    if answer_count > CROWD:
        pace_s *= min(answer_count / CROWD, CROWDED)
    return max(pace_s, RENDER_REST * took_s, size / BYTES_PER_S)


class Ticker:
    """Calls whatever is due on one event loop, a slice of time after the other; no slice, no timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slices: dict[int, list[Callable[[], None]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0

    def at(self, due_at: float, step: Callable[[], None]) -> None:
        """Call `step`, which must not raise, at the loop's time `due_at` or up to a slice later; never before."""
        number = int(due_at / SLICE_S) + 1
        steps = self._slices.get(number)
        if steps is not None:
            steps.append(step)
            return
        self._slices[number] = [step]
        if self._timer is None or number < self._next:
            self._set_timer(number)

    def _set_timer(self, number: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = number
        self._timer = self._loop.call_at(number * SLICE_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        # The clock may stand just below the slice that the timer was set for: nothing would be due.
        now = max(int(self._loop.time() / SLICE_S), self._next)
        due = sorted(number for number in self._slices if number <= now)
        steps = [step for number in due for step in self._slices.pop(number)]
        if self._slices:
            self._set_timer(min(self._slices))
        for step in steps:
            step()


_tickers: WeakKeyDictionary[asyncio.AbstractEventLoop, Ticker] = WeakKeyDictionary()


def ticker() -> Ticker:
    """The ticker of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _tickers.get(loop)
    if found is None:
        found = _tickers[loop] = Ticker(loop)
    return found
