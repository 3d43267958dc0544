"""The packages that Loom needs to run, and the room they take."""

from __future__ import annotations

import math
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from etc.checks.budget.limits import Measured

PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==[^\s;]+(?P<marker>\s*;)?", re.MULTILINE)


def pinned(lock: str) -> dict[str, bool]:
    """The names in a lock file; true for those that only some machines need."""
    return {match["name"]: match["marker"] is not None for match in PINNED.finditer(lock)}


def installed_bytes(found: Distribution) -> int:
    """What a package's own list of its files adds up to: without bytecode, which is made afterwards."""
    return sum(file.size for file in found.files or [] if file.size is not None)


def measure_packages(lock: Path) -> Measured:
    """Count the packages of the lock, and add up those that are installed here, in whole megabytes."""
    names = pinned(lock.read_text(encoding="utf-8"))
    measured, total = Measured(), 0
    for name, is_conditional in names.items():
        try:
            total += installed_bytes(distribution(name))
        except PackageNotFoundError:
            if not is_conditional:
                measured.problems.append(f"packages: {name} is locked and not installed: run make lint once")
    measured.numbers["packages"] = {"count": len(names), "installed_mb": math.ceil(total / 1_000_000)}
    return measured
