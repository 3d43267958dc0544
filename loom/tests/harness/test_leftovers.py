from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from loom.tests.leftovers import remove_leftovers


def test_the_databases_of_this_run_and_of_dead_ones_are_deleted_and_no_others(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as running:
        kept = [f"test-{running.pid}.db", f"test-{running.pid}.db-wal", "test-.db", "unused.db", "pages.json"]
        gone = [f"test-{pid}.db{rest}" for pid in (os.getpid(), dead.pid) for rest in ("", "-shm", "-wal", "_gw0-wal")]
        for name in (*kept, *gone):
            (tmp_path / name).touch()

        remove_leftovers(tmp_path)

        assert sorted(file.name for file in tmp_path.iterdir()) == sorted(kept)
