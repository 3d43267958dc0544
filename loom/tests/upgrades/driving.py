"""A database that is taken through steps by processes of its own, and the landed version's code beside today's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from loom.tests.fixtures import ROOT
from loom.tests.upgrades import answers
from loom.tests.upgrades.landed import COMMIT


@dataclass
class Database:
    """A database by its DATABASE_URL, with what each step took in seconds."""

    url: str
    seconds: list[tuple[str, float]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """For any process that is to work on it."""
        return {**os.environ, "DATABASE_URL": self.url, "LOG_LEVEL": "error"}

    def take(self, *steps: str) -> list[Any]:
        """Carry out steps of `python -m loom.tests.upgrades` with the present code; return what each gave."""
        said = self._run(ROOT, "-m", "loom.tests.upgrades", *steps)
        results = json.loads(said)
        self.seconds += [(result["step"], result["seconds"]) for result in results]
        return [result["result"] for result in results]

    def answers_of(self, code: Path) -> dict[str, Any]:
        """What the code of another version answers about it."""
        found: dict[str, Any] = json.loads(self._run(code, str(Path(answers.__file__))))
        return found

    def manage(self, code: Path, *arguments: str, **settings: str) -> None:
        """Run a management command of another version."""
        self._run(code, "manage.py", *arguments, **settings)

    def _run(self, code: Path, *argv: str, **settings: str) -> str:
        environment = {**self.environment, "PYTHONPATH": str(code), **settings}
        done = subprocess.run(
            [sys.executable, *argv], cwd=code, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(argv)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout.splitlines()[-1] if done.stdout else ""


def unpack_landed_code(folder: Path) -> Path:
    """The landed version's files, from this clone; fails where the clone is shallow."""
    known = subprocess.run(
        ["git", "-C", ROOT, "cat-file", "-e", f"{COMMIT}^{{commit}}"], capture_output=True, check=False
    )
    if known.returncode != 0:
        pytest.fail(
            f"This clone has no commit {COMMIT[:7]}, whose code has to go on serving during an upgrade. "
            "Clone the whole history: git fetch --unshallow",
            pytrace=False,
        )
    archive = subprocess.run(["git", "-C", ROOT, "archive", COMMIT], capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder
