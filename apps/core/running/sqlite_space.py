"""Space in SQLite's file: what was deleted leaves free pages in it, which only SQLite itself can give back to the disk.

A file that Loom made can give them back a few at a time (`auto_vacuum=INCREMENTAL`, chosen before the first table;
https://www.sqlite.org/pragma.html#pragma_incremental_vacuum). An older file has to be written anew once. Not a matter
for each new connection: to choose it again takes the file's write lock.
PostgreSQL looks after itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

KEPT_PAGES = 2_000
"""So many free pages stay, for the next rows: 8 MB."""
PAGES_AT_ONCE = 2_000
"""Measured: the writer is held up for 45 ms by so many, and by nothing between two calls."""
INCREMENTAL = 2


@dataclass(frozen=True)
class Space:
    """What the file takes, and how much of that is free, in bytes. `can_shrink`: a few pages at a time."""

    total_bytes: int
    free_bytes: int
    page_bytes: int
    can_shrink: bool


def space() -> Space | None:
    """The space of the database; None where it is no SQLite file."""
    if connection.vendor != "sqlite":
        return None
    page_bytes = _value("page_size")
    return Space(
        total_bytes=page_bytes * _value("page_count"),
        free_bytes=page_bytes * _value("freelist_count"),
        page_bytes=page_bytes,
        can_shrink=_value("auto_vacuum") == INCREMENTAL,
    )


def give_back_space() -> int:
    """Give some free pages back to the disk; return how many bytes, 0 where there is little or nothing to give."""
    before = space()
    if before is None or not before.can_shrink:
        return 0
    surplus = before.free_bytes // before.page_bytes - KEPT_PAGES
    if surplus <= 0:
        return 0
    pages = min(surplus, PAGES_AT_ONCE)
    # A script: `execute` takes one step of the statement, which frees a single page.
    connection.connection.executescript(f"PRAGMA incremental_vacuum({pages})")
    return pages * before.page_bytes


def prepare_empty_database(**_signal: object) -> None:
    """Before the first migration: let the new file give space back, while writing it anew costs nothing."""
    if connection.vendor == "sqlite" and not connection.introspection.table_names():
        rewrite()


def rewrite() -> None:
    """Write the file anew without its free pages, and so that it can give them back from then on.

    Nothing else can write meanwhile, and for that time the disk has to hold the file twice. Raises
    django.db.OperationalError where it cannot.
    """
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _value(pragma: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {pragma}")
        (value,) = cursor.fetchone()
    return int(value)
