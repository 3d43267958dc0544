"""What becomes of the environment that AgentCore keeps for a session. AgentCore tells nobody; its timeouts do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from apps.sessions.engine.host import Environment, Sent
from apps.sessions.models import Session


@dataclass(frozen=True, slots=True)
class Life:
    """One environment of a session, from the run that it was made for: how long it answered, until when it is kept."""

    born_at: datetime
    busy: timedelta
    is_busy: bool
    idle_ends_at: datetime
    lifetime_ends_at: datetime

    @property
    def expires_at(self) -> datetime:
        return min(self.idle_ends_at, self.lifetime_ends_at)


def environment_of(session: Session, runs: Sequence[Sent]) -> Environment:
    """The environment of a session that is not answering (with its agent loaded)."""
    if session.is_ended:
        return Environment("ended")
    expires_at = expires_after(session, runs)
    if expires_at is None:
        return Environment("none")
    return Environment("kept" if expires_at > timezone.now() else "gone", expires_at)


def expires_after(session: Session, runs: Sequence[Sent]) -> datetime | None:
    """Until when AgentCore keeps the environment; in the past when it is gone by now, None where no run had one."""
    found = lives_of(session, runs, timezone.now())
    return found[-1].expires_at if found else None


def lives_of(session: Session, runs: Sequence[Sent], now: datetime) -> list[Life]:
    """The environments that a session's runs had, in their order.

    Each is kept until the last activity plus the agent's idle timeout, and for its maximum lifetime at most
    (`lifecycleConfiguration` of GetAgentRuntime). Of several ends that were asked for only the last one is known.
    """
    idle = timedelta(milliseconds=session.agent.runtime.idle_timeout_ms)
    lifetime = timedelta(milliseconds=session.agent.runtime.max_lifetime_ms)
    lives: list[Life] = []
    for invoked_at, completed_at in runs:
        life = lives[-1] if lives else None
        was_ended = session.ended_at is not None and life is not None and life.born_at <= session.ended_at <= invoked_at
        is_new = life is None or was_ended or invoked_at >= life.expires_at
        born_at = invoked_at if is_new or life is None else life.born_at
        before = timedelta() if is_new or life is None else life.busy
        answered_at = completed_at or now
        busy = before + max(answered_at - invoked_at, timedelta())
        found = Life(born_at, busy, completed_at is None, answered_at + idle, born_at + lifetime)
        lives[-1 if not is_new else len(lives) :] = [found]
    return lives
