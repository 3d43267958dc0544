"""Make `etc/environment.sh` on first use: the example with a SECRET_KEY and a key for stored secrets of its own.

An existing file is never touched.
"""

from __future__ import annotations

import base64
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
    # What Fernet takes as a key; its own way to make one would need a library, and there may be none yet.
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    text = text.replace("export SECRET_ENCRYPTION_KEYS=\n", f"export SECRET_ENCRYPTION_KEYS={key}\n")
    try:
        descriptor = os.open(folder / "environment.sh", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def main(folder: Path) -> None:
    """Make the file where settings are to come from it; end with a message where it cannot be made."""
    if "LOOM_ENVIRONMENT_FILE" in os.environ:
        return
    try:
        is_new = create_environment_file(folder)
    except OSError as error:
        sys.exit(
            f"{folder / 'environment.sh'} cannot be written: {error.strerror}. Run `make build` before the folder "
            "becomes read-only; or set everything in the process environment, with LOOM_ENVIRONMENT_FILE empty"
        )
    if is_new:
        sys.stdout.write("etc/environment.sh made from its example, with a new SECRET_KEY and SECRET_ENCRYPTION_KEYS\n")


if __name__ == "__main__":
    main(Path(__file__).resolve().parent.parent / "etc")
