"""The files of test databases that nobody uses any more.

Django deletes a test database, but not what SQLite keeps beside it: `-wal` and `-shm` stay wherever a thread still had
it open. A run that is killed leaves all of it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

# See DATABASES in loom.settings; pytest-xdist adds its worker to the name, SQLite what a file is for.
_NAME = re.compile(r"test-(\d+)\.db.*")


def remove_leftovers(folder: Path) -> None:
    """Delete the test databases of this process and of processes that are gone from `folder`."""
    for file in folder.iterdir():
        found = _NAME.fullmatch(file.name)
        if found and not _is_in_use(int(found[1])):
            file.unlink(missing_ok=True)  # another run may be deleting the same


def _is_in_use(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's process
        return True
    return True
