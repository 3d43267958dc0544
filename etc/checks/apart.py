"""Commands of the project in an environment of their own.

A clone that was never started has no `etc/environment.sh`, and a developer's own must not change what a check finds.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPYCACHEPREFIX")


@contextmanager
def throw_away_environment(**settings: str) -> Iterator[dict[str, str]]:
    """Environment variables for a Loom with an empty database, which is gone at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="loom-check-") as folder:
        yield {name: os.environ[name] for name in KEPT if name in os.environ} | {
            "LOOM_ENVIRONMENT_FILE": "",
            "LOOM_AWS": "emulator",
            "SECRET_KEY": "only-for-checks-" + "x" * 40,
            "SECRET_ENCRYPTION_KEYS": "x" * 43 + "=",
            "DEBUG": "1",
            "AUTH_DISABLED": "0",
            "BACKEND_HOST": "127.0.0.1",
            "DATABASE_URL": f"sqlite:///{folder}/check.db",
            **settings,
        }
