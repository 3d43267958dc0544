"""Make `etc/environment.sh` on first use: the example with a SECRET_KEY of its own.

An existing file is never touched.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path


def create_environment_file(folder: Path) -> bool:
    """Copy the example to `environment.sh` in `folder`; return False where the file stands already.

    Opened exclusively, so two starts at once cannot give two keys, and readable by its owner alone.
    """
    text = (folder / "environment.sh.example").read_text(encoding="utf-8")
    text = text.replace("export SECRET_KEY=\n", f"export SECRET_KEY={secrets.token_urlsafe(48)}\n")
    try:
        descriptor = os.open(folder / "environment.sh", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True


if __name__ == "__main__":
    if create_environment_file(Path(__file__).resolve().parent.parent / "etc"):
        sys.stdout.write("etc/environment.sh made from its example, with a new SECRET_KEY\n")
