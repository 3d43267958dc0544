"""Who may refuse a run or stop it: budgets and pauses, registered by the apps that know of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from django.db import Error as DatabaseError

from apps.sessions.models import Invocation, Session
from loom_events.recorded import RecordedEvent

logger = logging.getLogger(__name__)


class Watch(Protocol):
    """What looks at one run while it goes on."""

    def reason_to_stop(self, events: Sequence[RecordedEvent]) -> str | None:
        """Return why the run has to stop now, None where it may go on. On the loop: no waiting, no rows."""

    def close(self) -> None:
        """The run is over."""


class Guard(Protocol):
    """Asked before a run is stored, and once more before one is taken out of the queue."""

    def before(self, session: Session) -> None:
        """Raise LoomError to refuse a run of the session. Called from threads, may read rows."""

    def watch(self, invocation: Invocation) -> Watch | None:
        """What is to look at the events of a run of this process, if anything. From threads, may read rows."""


_guards: list[Guard] = []
# Of the runs of this process that somebody looks at. Most are not, and their events pay nothing for it.
watches: dict[int, list[Watch]] = {}


def register(guard: Guard) -> None:
    _guards.append(guard)


def forget(guard: Guard) -> None:
    _guards.remove(guard)


def check_before(session: Session) -> None:
    """Raise what the first guard that refuses says."""
    for guard in _guards:
        guard.before(session)


def watch(invocation: Invocation) -> None:
    """Have a run looked at that this process is about to answer, from a thread; `unwatch` ends it.

    It is stored already, and nobody else answers it: where the database fails just now, it goes on unseen.
    """
    try:
        found = [watch for guard in _guards if (watch := guard.watch(invocation)) is not None]
    except DatabaseError as error:
        logger.warning("run is not held to budgets id=%s error=%s", invocation.pk, type(error).__name__)
        return
    if found:
        watches[invocation.pk] = found


def unwatch(invocation_id: int) -> None:
    """Look at a run no more."""
    for watch in watches.pop(invocation_id, ()):
        watch.close()


def reason_to_stop(invocation_id: int, events: Sequence[RecordedEvent]) -> str | None:
    """What the first that wants the end of the run says, or None."""
    for watch in watches.get(invocation_id, ()):
        reason = watch.reason_to_stop(events)
        if reason is not None:
            return reason
    return None
