from __future__ import annotations

import subprocess
import sys

import pytest

from apps.core.running.memory import GROWTH_BYTES, MemoryKeeper

MB = 1024 * 1024
BASE = 130 * MB
PROBE = """
from apps.core.running.memory import MemoryKeeper, resident_bytes
class Circle:
    def __init__(self, text):
        self.text, self.me = text, self
import gc
gc.disable()
before = resident_bytes()
keeper = MemoryKeeper()
for number in range(20):
    Circle([bytes([number]) * 1000 for _ in range(15_000)])
grown = resident_bytes()
assert grown - before > 200_000_000, grown - before
assert keeper.look()
assert resident_bytes() - before < (grown - before) / 5, resident_bytes() - before
assert not keeper.look()
"""


def test_memory_is_given_back_once_for_each_growth() -> None:
    """What is really in use becomes what growth is counted from, and so does what is lower."""
    sizes = iter([BASE, BASE + GROWTH_BYTES - 1, BASE + GROWTH_BYTES, BASE + 20 * MB, BASE + GROWTH_BYTES, BASE - MB])
    given: list[str] = []
    keeper = MemoryKeeper(lambda: next(sizes), lambda: given.append("back"))

    assert [keeper.look() for _ in range(4)] == [False, True, False, False]
    assert given == ["back"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_only_holds_itself_goes_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
