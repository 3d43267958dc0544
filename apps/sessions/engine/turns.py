"""Whose turn it is to write into SQLite, among the threads of this process: starts of runs come before all else.

SQLite lets one connection write at a time. Who finds it locked sleeps, longer each time, and is not told when it is
free; here the next one goes on at once. PostgreSQL needs nothing of this.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# Then it goes on without a turn: what holds the database is another process, and SQLite waits for that itself.
PATIENCE_S = 1.0
# So long a writer lets those go first who are before it.
POLITENESS_S = 0.1


class Turns:
    """One at a time; used from threads."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._is_taken = False
        self._first_count = 0  # of those who wait

    @contextmanager
    def taken(self, *, is_first: bool) -> Iterator[None]:
        """Wait for a turn, and have it until the end; one whose patience is over goes on without."""
        has_turn = self._take(is_first=is_first)
        try:
            yield
        finally:
            if has_turn:
                with self._changed:
                    self._is_taken = False
                    self._changed.notify_all()

    def _take(self, *, is_first: bool) -> bool:
        with self._changed:
            self._first_count += is_first
            try:
                if not is_first:
                    self._changed.wait_for(lambda: not self._is_taken and not self._first_count, POLITENESS_S)
                is_free = self._changed.wait_for(lambda: not self._is_taken, self._patience_s)
            finally:
                self._first_count -= is_first
            self._is_taken = True
            return is_free


_turns = Turns()


@contextmanager
def writing(*, is_first: bool = False) -> Iterator[None]:
    """A transaction that writes, in turn; within another one, which has begun to write, as part of that."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    with _turns.taken(is_first=is_first), transaction.atomic():
        yield
