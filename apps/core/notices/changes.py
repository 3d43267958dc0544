"""Hear from the database that something was committed, without asking it for rows over and over.

SQLite has a number that differs after every commit of another connection: one connection asks for it, in microseconds.
PostgreSQL tells who listens: a trigger on the table of notices does so in the transaction of the change.

Either way a bell may be missed. Whoever waits looks at the rows now and then as well, and where that finds what no bell
told of (a pooler that lends a connection for one transaction at a time passes none on), it is asked for rows again.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from contextlib import suppress
from typing import Any, Protocol

from django.db import connection, transaction

from apps.core.models import Notice

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.05
MENDED_EVERY_S = 2.0  # what no bell told of is found after so long at most
BELL_WITHIN_S = 1.0
DEAF_FOR_S = 60.0
POLL_EVERY_S = 0.25
CHANNEL = "loom_notices"  # as in the trigger, which a migration makes


class Waker:
    """Ends a wait of another thread, from any thread, also when nobody waits any more."""

    def __init__(self) -> None:
        # The number of a descriptor that is closed is soon that of another file, a database's perhaps.
        self._closing = threading.Lock()
        self._is_closed = False
        self._reader, self._writer = os.pipe()
        for descriptor in (self._reader, self._writer):
            os.set_blocking(descriptor, False)
        self.is_over = False
        self._poll = select.poll()
        self._poll.register(self._reader, select.POLLIN)

    def wake(self) -> None:
        with self._closing, suppress(BlockingIOError):  # it is woken many times over already
            if not self._is_closed:
                os.write(self._writer, b".")

    def end(self) -> None:
        """Let there be no wait any more."""
        self.is_over = True
        self.wake()

    def wait(self, at_most_s: float, *descriptors: int) -> bool:
        """Wait for `wake`, or until one of the file descriptors can be read; False where the time passed first."""
        for descriptor in descriptors:
            self._poll.register(descriptor, select.POLLIN)
        try:
            ready = [descriptor for descriptor, _event in self._poll.poll(max(at_most_s, 0.0) * 1000)]
        finally:
            for descriptor in descriptors:
                self._poll.unregister(descriptor)
        if self._reader in ready:
            os.read(self._reader, 4096)
        return bool(ready)

    def close(self) -> None:
        """Let go of it; nobody is in `wait`, nor comes to that any more."""
        with self._closing:
            self._is_closed = True
            os.close(self._reader)
            os.close(self._writer)


class Changes:
    """What is known in this process of the commits of all of them.

    `commits` is another number after every commit, of whichever process; None while nobody asks, or where the database
    has no such number.
    """

    def __init__(self) -> None:
        self.commits: int | None = None
        self._waker: Waker | None = None

    def begin(self, waker: Waker) -> None:
        """Have `waker` end the wait of whoever asks for commits."""
        self._waker = waker

    def end(self) -> None:
        self._waker = self.commits = None

    def look_after_commit(self) -> None:
        """Have this process look at once, when what the caller does is committed; elsewhere the database tells."""
        if self._waker is not None:
            transaction.on_commit(self._look, robust=True)

    def _look(self) -> None:
        waker = self._waker
        if waker is not None:
            waker.wake()


changes = Changes()


class Bell(Protocol):
    """Used by one thread, which has its own connection to the database."""

    def wait(self) -> bool:
        """Block until there may be new notices, or for `MENDED_EVERY_S`; return whether something was committed.

        Raises the database's errors; then it is used again after the connection was closed.
        """

    def was_missed(self) -> None:
        """There was something new, of which `wait` had heard nothing."""


class SqliteBell:
    """Asks for SQLite's `data_version`, and where that differs for the highest id of the notices."""

    def __init__(self, waker: Waker) -> None:
        self._waker = waker
        self._asked: Any = None
        self._version = self._highest = -1
        changes.begin(waker)

    def wait(self) -> bool:
        connection.ensure_connection()
        database: Any = connection.connection  # sqlite3's own: two statements that nothing has to be built for
        if self._asked is not database:
            self._asked, self._version = database, -1  # the numbers of two connections have nothing in common
        until = time.monotonic() + MENDED_EVERY_S
        while True:
            (version,) = database.execute("PRAGMA data_version").fetchone()
            if version != self._version:
                self._version = version
                changes.commits = (changes.commits or 0) + 1
                (highest,) = database.execute(f"SELECT max(id) FROM {Notice._meta.db_table}").fetchone()  # noqa: S608
                if highest != self._highest:
                    self._highest = highest
                    return True
            if self._waker.is_over or time.monotonic() >= until:
                return False
            self._waker.wait(LOOK_EVERY_S)

    def was_missed(self) -> None:
        """What was written between the two statements, and is read already."""


class PostgresBell:
    """Listens; where that turns out to be in vain, waits a moment instead, and tries again after a while."""

    def __init__(self, waker: Waker) -> None:
        self._waker = waker
        self._listening: Any = None
        self._has_rung = False
        self._deaf_until = 0.0

    def wait(self) -> bool:
        connection.ensure_connection()
        if self._listening is not connection.connection:
            self._listen()
            return True  # whatever was told before nobody heard
        if time.monotonic() < self._deaf_until:
            self._waker.wait(POLL_EVERY_S)
            return True
        return self._wait_for_bell(MENDED_EVERY_S)

    def was_missed(self) -> None:
        if self._wait_for_bell(BELL_WITHIN_S) or self._waker.is_over:
            return  # it was on its way
        if not self._deaf_until:
            logger.warning("PostgreSQL tells nobody of notices here, so they are read every %g s", POLL_EVERY_S)
        self._deaf_until = time.monotonic() + DEAF_FOR_S

    def _listen(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        self._listening = connection.connection
        self._listening.add_notify_handler(self._ring)  # for those that come with the answer to a query

    def _ring(self, _notify: object) -> None:
        self._has_rung = True

    def _wait_for_bell(self, at_most_s: float) -> bool:
        database = self._listening
        if not self._has_rung and self._waker.wait(at_most_s, database.fileno()):
            database.pgconn.consume_input()  # raises where the server is gone
            while database.pgconn.notifies() is not None:
                self._has_rung = True
        has_rung, self._has_rung = self._has_rung, False
        return has_rung


def make_bell(waker: Waker) -> Bell:
    return PostgresBell(waker) if connection.vendor == "postgresql" else SqliteBell(waker)
