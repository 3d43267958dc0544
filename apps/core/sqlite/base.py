"""Django's SQLite with connections that go from one thread to the next, as each request has a thread of its own.

Measured: to open one takes 2 ms, and what it has to learn again, the schema and every statement, as long once more.
That is half of what it costs to store a prompt. Only who says `hand_on` leaves one to others; what is closed is closed.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

from django.db import connections
from django.db.backends.sqlite3 import base

# Requests that ask the database at one time; each keeps up to 2 MB of its pages.
ROOM = 4


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection leads: another process may not use it, nor anybody after the file was replaced."""

    process: int
    path: str
    file: tuple[int, int]

    @classmethod
    def of(cls, path: str) -> Origin | None:
        """Where a new connection leads; None where that is no file. Never opens it: to close it would end all locks."""
        try:
            found = Path(path).stat()
        except (OSError, ValueError):
            return None
        return cls(os.getpid(), path, (found.st_dev, found.st_ino))


@dataclass(frozen=True, slots=True)
class Kept:
    connection: Any
    origin: Origin
    close_at: float | None

    def let_go(self) -> None:
        """Close it; one that came from the process before a fork is left alone, as its locks are the parent's."""
        if self.origin.process == os.getpid():
            self.connection.close()
        else:
            _inherited.append(self.connection)


_inherited: list[Any] = []


class KeptConnections:
    """Those that nobody uses; for all threads. The one that was used last is the next: it has most in memory."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._free: list[Kept] = []

    def put(self, kept: Kept) -> bool:
        """Keep it; False where there is no room."""
        with self._lock:
            if len(self._free) >= self._room:
                return False
            self._free.append(kept)
            return True

    def take(self, origin: Origin) -> Kept | None:
        """One that leads there, if there is any; those that are too old, or lead elsewhere, are closed."""
        now = time.monotonic()
        with self._lock:
            while self._free:
                kept = self._free.pop()
                if kept.origin == origin and (kept.close_at is None or now < kept.close_at):
                    return kept
                kept.let_go()
        return None

    def close(self) -> None:
        """Close all."""
        with self._lock:
            while self._free:
                self._free.pop().let_go()


kept_connections = KeptConnections()


def hand_on_connections() -> None:
    """Let the connections of the calling thread go, to whoever needs one next; others than SQLite's are closed."""
    for connection in connections.all(initialized_only=True):
        if isinstance(connection, DatabaseWrapper):
            connection.hand_on()
        else:
            connection.close()


class DatabaseWrapper(base.DatabaseWrapper):
    """`ENGINE` of the settings."""

    _origin: Origin | None = None
    _is_handing_on = False

    def get_new_connection(self, conn_params: Any) -> Any:
        self._origin = Origin.of(str(conn_params["database"]))
        self._cursors: WeakSet[Any] = WeakSet()
        found = kept_connections.take(self._origin) if self._origin is not None else None
        if found is not None:
            self._close_at = found.close_at
            return found.connection
        made = super().get_new_connection(conn_params)
        self._origin = self._origin or Origin.of(str(conn_params["database"]))
        max_age = self.settings_dict["CONN_MAX_AGE"]
        self._close_at = None if max_age is None else time.monotonic() + max_age
        return made

    def create_cursor(self, name: Any = None) -> Any:
        cursor = super().create_cursor(name)
        self._cursors.add(cursor)
        return cursor

    def hand_on(self) -> None:
        """Close it for this thread, and keep it for the next where nothing of this one's is left in it."""
        self._is_handing_on = True
        try:
            self.close()
        finally:
            self._is_handing_on = False

    def _close(self) -> None:
        if self._is_handing_on and self.connection is not None and self._origin is not None:
            # A query that nobody has read to its end would show the next one what was there when it began.
            is_used = self.in_atomic_block or self.connection.in_transaction or len(self._cursors) > 0
            is_good = not (is_used or self.errors_occurred)
            if is_good and kept_connections.put(Kept(self.connection, self._origin, self._close_at)):
                return
        super()._close()  # type: ignore[misc] # the stubs know none
