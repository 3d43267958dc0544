"""What becomes of the environment that AgentCore keeps for a session. AgentCore tells nobody; its timeouts do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from apps.sessions.engine.host import Environment, Sent
from apps.sessions.models import Session


def environment_of(session: Session, runs: Sequence[Sent]) -> Environment:
    """The environment of a session that is not answering (with its agent loaded)."""
    if session.is_ended:
        return Environment("ended")
    expires_at = expires_after(session, runs)
    if expires_at is None:
        return Environment("none")
    return Environment("kept" if expires_at > timezone.now() else "gone", expires_at)


def expires_after(session: Session, runs: Sequence[Sent]) -> datetime | None:
    """Until when AgentCore keeps the environment; in the past when it is gone by now, None where no run had one.

    The last activity plus the agent's idle timeout, at most its maximum lifetime (`lifecycleConfiguration` of
    GetAgentRuntime).
    """
    idle = timedelta(milliseconds=session.agent.runtime.idle_timeout_ms)
    lifetime = timedelta(milliseconds=session.agent.runtime.max_lifetime_ms)
    born_at: datetime | None = None
    expires_at: datetime | None = None
    for invoked_at, completed_at in runs:
        was_ended = session.ended_at is not None and born_at is not None and born_at <= session.ended_at <= invoked_at
        if born_at is None or expires_at is None or was_ended or invoked_at >= expires_at:
            born_at = invoked_at
        expires_at = min((completed_at or timezone.now()) + idle, born_at + lifetime)
    return expires_at
