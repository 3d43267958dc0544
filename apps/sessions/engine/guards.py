"""Who may refuse a run or stop it: budgets and pauses, registered by the apps that know of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from apps.sessions.models import Invocation, Session
from loom_events.recorded import RecordedEvent


class Guard(Protocol):
    """Asked before a run is stored and with all of its events."""

    def before(self, session: Session) -> None:
        """Raise LoomError to refuse a run of the session. Called from threads, may read rows."""

    def during(self, invocation: Invocation, events: Sequence[RecordedEvent]) -> str | None:
        """Return why the run has to stop now, None where it may go on. On the loop: no waiting, no rows."""


_guards: list[Guard] = []


def register(guard: Guard) -> None:
    _guards.append(guard)


def forget(guard: Guard) -> None:
    _guards.remove(guard)


def any_registered() -> bool:
    """Whether there is anybody to ask: most runs are not looked at, and every event of theirs would pay for it."""
    return bool(_guards)


def check_before(session: Session) -> None:
    """Raise what the first guard that refuses says."""
    for guard in _guards:
        guard.before(session)


def reason_to_stop(invocation: Invocation, events: Sequence[RecordedEvent]) -> str | None:
    """What the first guard that wants the end of the run says, or None."""
    for guard in _guards:
        reason = guard.during(invocation, events)
        if reason is not None:
            return reason
    return None
