"""Giving memory back to the system after something large went through a process.

Python frees what hangs together in circles only when its collector looks, which processes that stream let it do seldom;
and the C library keeps what is freed, in pieces, for each thread. An answer of 20 MB then stays for as long as the
process lives, and each further one adds to it.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
GROWTH_BYTES = 96 * 1024 * 1024  # a collection stops every stream while it lasts: not for less


def resident_bytes() -> int:
    """How much memory of the machine this process holds; 0 where that is not known."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Collect what nobody holds any more, and let the C library return what is free."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # GNU's library has it
        trim(0)


class MemoryKeeper:
    """Gives memory back when the process has grown by `GROWTH_BYTES` over what it could not give back before."""

    def __init__(self, resident: Callable[[], int] = resident_bytes, give_back: Callable[[], None] = give_back) -> None:
        self._resident = resident
        self._give_back = give_back
        self._floor = resident()

    def look(self) -> bool:
        """Give back where it is time to; return whether it was."""
        now = self._resident()
        self._floor = min(self._floor, now)
        if now - self._floor < GROWTH_BYTES:
            return False
        self._give_back()
        self._floor = self._resident()
        logger.info("memory given back before_mb=%d after_mb=%d", now >> 20, self._floor >> 20)
        return True

    async def look_for_ever(self) -> None:
        """Look every few seconds, on the loop."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()
