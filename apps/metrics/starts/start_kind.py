"""Was an environment made for this run, taken from a pool, or used again? Decided from what is known, and `unknown`
where it is not certain.

AgentCore says nothing about it. What decides: the order of runs in the session, the agent's idle timeout and maximum
lifetime, a stop of the session; later the log stream, of which every environment has one of its own. A new version is
no new environment: a session keeps the one that it has, and with it the version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Kind = Literal["created", "pooled", "reused", "unknown"]

# AWS's timeouts are not exact; within this share of one nothing is certain.
MARGIN = 0.1
# A stream that began this long before the request belongs to an environment that waited for it.
POOL_TOLERANCE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A start kind and why."""

    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """An earlier invocation of the same session that reached an environment, or may have."""

    invoked_at: datetime
    completed_at: datetime
    version: str
    has_crashed: bool
    kind: Kind


def decide(
    *,
    invoked_at: datetime,
    is_own_id: bool,
    ended_at: datetime | None,
    idle_timeout: timedelta,
    max_lifetime: timedelta,
    earlier: Sequence[EarlierRun],
) -> Verdict:
    """The start kind of a run sent at `invoked_at`, from the session's earlier runs (oldest first), without its log."""
    if not earlier:
        if is_own_id:
            return Verdict("created", "first of its session")
        return Verdict("unknown", "the session id came from outside, so it may have been used before")
    last = earlier[-1]
    if ended_at is not None and last.invoked_at <= ended_at <= invoked_at:
        return Verdict("created", "the session was ended before")
    if last.has_crashed:
        return Verdict("unknown", "the run before failed and may have taken its environment down")
    idle = invoked_at - last.completed_at
    if idle > idle_timeout * (1 + MARGIN):
        return Verdict("created", "idle for longer than the idle timeout")
    if idle > idle_timeout * (1 - MARGIN):
        return Verdict("unknown", "idle for about as long as the idle timeout")
    made = [run for run in earlier if run.kind in ("created", "pooled")]
    if not made:
        return Verdict("unknown", "no run of this session is known to have started its environment")
    age = invoked_at - made[-1].invoked_at
    if age > max_lifetime * (1 - MARGIN):
        return Verdict("unknown", "the environment reached about its maximum lifetime")
    return Verdict("reused", "the run before used the same environment")


def refine(
    verdict: Verdict,
    *,
    invoked_at: datetime,
    stream: str,
    stream_began_at: datetime | None,
    earlier_streams: Sequence[str | None],
) -> Verdict:
    """The start kind after the run's log stream was found: each environment writes one of its own.

    `earlier_streams` are those of the session's earlier runs, None for each whose stream is not known;
    `stream_began_at` is when the stream was created, where known.
    """
    if stream in earlier_streams:
        return Verdict("reused", "it wrote to the log stream of an earlier run")
    if None in earlier_streams and (stream_began_at is None or stream_began_at < invoked_at):
        # It may be the stream of the very run whose stream is not known.
        return verdict
    if not earlier_streams and stream_began_at is None:
        return verdict
    if stream_began_at is not None and stream_began_at < invoked_at - POOL_TOLERANCE:
        if verdict.kind == "unknown" and not earlier_streams:
            # Of a session from outside; who used it before may have made the environment.
            return verdict
        return Verdict("pooled", "its log stream began before the request: the environment was waiting")
    if verdict.kind == "created":
        return verdict
    return Verdict("created", "its log stream is a new one")
