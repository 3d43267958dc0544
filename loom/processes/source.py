"""Noticing that the source has changed, for whoever works on Loom."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from loom.processes.child import BASE_DIR

FOLDERS = ("apps", "loom", "packages")
LEFT_OUT = frozenset({"tests", "__pycache__"})
LOOK_EVERY_S = 1.0


class SourceWatch:
    """Looks at the Python files below `top` once a second at most; those of tests are no part of a running Loom."""

    def __init__(self, top: Path = BASE_DIR, look_every_s: float = LOOK_EVERY_S) -> None:
        self._top = top
        self._look_every_s = look_every_s
        self._seen = dict(self._files())
        self._looked_at = time.monotonic()

    def changes(self) -> str:
        """What changed since it was looked at last, as a sentence begins; empty where nothing did."""
        now = time.monotonic()
        if now - self._looked_at < self._look_every_s:
            return ""
        self._looked_at = now
        before, self._seen = self._seen, dict(self._files())
        changed = sorted({path for path, _ in before.items() ^ self._seen.items()})
        if not changed:
            return ""
        first = changed[0].relative_to(self._top)
        return f"{first} changed" if len(changed) == 1 else f"{first} and {len(changed) - 1} more changed"

    def _files(self) -> Iterator[tuple[Path, int]]:
        for name in FOLDERS:
            for folder, folders, files in os.walk(self._top / name):
                folders[:] = [below for below in folders if below not in LEFT_OUT]
                for file in files:
                    if file.endswith(".py"):
                        path = Path(folder, file)
                        with suppress(FileNotFoundError):
                            yield path, path.stat().st_mtime_ns
