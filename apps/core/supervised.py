"""What a supervisor tells each process that it starts about itself, in its environment."""

from __future__ import annotations

import os

NAME, RESTARTS = "LOOM_PROCESS_NAME", "LOOM_PROCESS_RESTARTS"


def supervised_name() -> str:
    """What the supervisor that started this process calls it, as "web 2"; "" without one."""
    return os.environ.get(NAME, "")


def restart_count() -> int:
    """How often the supervisor has started this process again, since it started itself."""
    return int(os.environ.get(RESTARTS, "0"))
