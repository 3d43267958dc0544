"""Folders that Loom writes into, and what it says where it cannot: a checkout may be owned by root, or be read-only."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings

MANIFEST = "staticfiles.json"


class FolderReadOnlyError(Exception):
    """Loom cannot write where it has to; the message says where and which setting names another place."""


def check_database_file() -> None:
    """Raise FolderReadOnlyError where SQLite could not write its file, or those that it keeps beside it."""
    database = settings.DATABASES["default"]
    if database["ENGINE"] != "apps.core.sqlite":
        return
    file = Path(database["NAME"])
    if not file.parent.is_dir():
        raise FolderReadOnlyError(
            f"Loom keeps its database in {file}, and there is no folder {file.parent}. Make it, or choose another: "
            "DATABASE_URL=sqlite:////var/lib/loom/loom.db"
        )
    # Both: the log and the lock of SQLite stand beside the file.
    if not os.access(file.parent, os.W_OK) or (file.exists() and not os.access(file, os.W_OK)):
        raise FolderReadOnlyError(
            f"Loom cannot write its database {file}: the folder or the file is read-only for this user. Choose a file "
            "in a folder that can be written: DATABASE_URL=sqlite:////var/lib/loom/loom.db"
        )


def has_to_collect_static_files() -> bool:
    """Whether the static files are collected at this start: not from a read-only folder that holds them already.

    Raises FolderReadOnlyError where they are missing and cannot be collected.
    """
    root = Path(settings.STATIC_ROOT)
    if _can_write(root):
        return True
    if (root / MANIFEST).is_file():
        return False
    raise FolderReadOnlyError(
        f"Loom cannot collect its static files in {root}: the folder is read-only for this user. Run `make build` "
        "before the folder becomes read-only, or choose another one: STATIC_ROOT=/var/lib/loom/static"
    )


def check_static_files() -> None:
    """Raise FolderReadOnlyError where pages would have no style and no script."""
    root = Path(settings.STATIC_ROOT)
    if not (root / MANIFEST).is_file():
        raise FolderReadOnlyError(
            f"There are no static files in {root}, so pages would have no style. Collect them first, with `make build`."
        )


def _can_write(folder: Path) -> bool:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return os.access(there, os.W_OK)
