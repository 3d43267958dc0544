"""Patterns of strangers over texts of strangers, in bounded time.

Python's `re` may take exponential time, holds the interpreter meanwhile, and cannot be interrupted. So it searches in a
process of its own that is given two seconds of the processor for all patterns of an answer, and is ended after them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

MAX_PATTERN = 1_000
MAX_TEXT = 1_000_000  # characters that are searched; of a longer answer nothing is decided
CPU_S = 2
WAIT_S = 20.0  # on a busy machine two seconds of the processor take longer
SEARCH = f"""\
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({CPU_S}, {CPU_S}))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
asked = json.load(sys.stdin)
for pattern, is_case_sensitive in asked["patterns"]:
    found = re.search(pattern, asked["text"], 0 if is_case_sensitive else re.IGNORECASE)
    print(int(found is not None), flush=True)
"""


def search_all(patterns: Sequence[tuple[str, bool]], text: str) -> list[bool | None]:
    """Whether each of the patterns (with whether case matters) is found; None where that took too long."""
    if len(text) > MAX_TEXT:
        return [None] * len(patterns)
    asked = json.dumps({"patterns": list(patterns), "text": text})
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", SEARCH], input=asked, capture_output=True, text=True, timeout=WAIT_S
        )
        said: str = done.stdout
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"").decode() if isinstance(late.stdout, bytes) else late.stdout or ""
    found: list[bool | None] = [line == "1" for line in said.split()]
    # What it was busy with, and whatever came after that, is not decided.
    return found[: len(patterns)] + [None] * (len(patterns) - len(found))
