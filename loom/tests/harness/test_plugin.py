from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from loom.tests.fixtures import ROOT

# What pytest does first, then what a test does with a child.
_START_A_CHILD = """
import subprocess, sys
import loom.tests.plugin
import here
subprocess.run([sys.executable, "-c", "import there"], check=True)
"""


def test_bytecode_is_cached_where_the_environment_forbids_it(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / f"{name}.py").touch()
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tmp_path)}
    environment.pop("PYTHONPYCACHEPREFIX", None)

    subprocess.run([sys.executable, "-c", _START_A_CHILD], cwd=ROOT, env=environment, check=True)

    cached = sorted(file.name.split(".")[0] for file in (tmp_path / "__pycache__").iterdir())
    assert cached == ["here", "there"]
