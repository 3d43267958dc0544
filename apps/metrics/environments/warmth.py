"""What would have been cold: runs as they came, replayed under other timeouts and with pings. Pure, in seconds.

The rules are AgentCore's: an environment is made for a run that finds none, is kept for the idle timeout after each
answer and for the maximum lifetime at most. A ping is a prompt in a session that keeps its environment; where none is
left it makes one, and is cold itself. Pings stand on whole multiples of their interval from midnight UTC, in some hours
of the day, for as long after a session's last run as somebody may come back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

DAY_S, HOUR_S = 86_400, 3_600
MOST_PINGS = 300_000  # of one replay


class TooManyPingsError(ValueError):
    """A schedule has more pings than are worth replaying."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A run: when it was sent, and how long it was answered."""

    at_s: float
    busy_s: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """The runs of a session in their order, and when its end was asked for. Of one that `is_continued` earlier runs are
    not among them, so nobody knows how its first one started.
    """

    visits: Sequence[Visit]
    ended_at_s: float | None = None
    is_continued: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """How long environments are kept, and whether pings keep them longer (`ping_every_s` above 0)."""

    idle_s: float
    lifetime_s: float
    ping_every_s: float = 0.0
    ping_busy_s: float = 1.0
    from_hour: int = 0
    to_hour: int = 24
    keep_s: float = 2 * HOUR_S

    def pings(self, after_s: float, until_s: float) -> Iterator[float]:
        """When pings are sent after one instant and before another."""
        if not self.ping_every_s:
            return
        number = math.floor(after_s / self.ping_every_s) + 1
        while (at_s := number * self.ping_every_s) < until_s:
            if self._is_in_hours(at_s):
                yield at_s
            number += 1

    def _is_in_hours(self, at_s: float) -> bool:
        hour = at_s % DAY_S / HOUR_S
        if self.from_hour < self.to_hour:
            return self.from_hour <= hour < self.to_hour
        return hour >= self.from_hour or hour < self.to_hour


@dataclass(slots=True)
class Replayed:
    """What became of the runs; `first_count` began their session, which no policy makes warm."""

    run_count: int = 0
    cold_count: int = 0
    first_count: int = 0
    ping_count: int = 0
    cold_ping_count: int = 0
    idle_s: float = 0.0

    @property
    def cold_share(self) -> float | None:
        return self.cold_count / self.run_count if self.run_count else None


@dataclass(slots=True)
class _Kept:
    """The environment of one session while its runs are replayed."""

    policy: Policy
    found: Replayed
    born_s: float | None = None
    free_s: float = field(default=-math.inf)

    @property
    def expires_s(self) -> float:
        """When it is freed, if nothing comes; long ago where there is none."""
        if self.born_s is None:
            return -math.inf
        return max(self.free_s, min(self.free_s + self.policy.idle_s, self.born_s + self.policy.lifetime_s))

    def use(self, at_s: float, busy_s: float) -> bool:
        """Send something; returns whether it was cold."""
        is_cold = self.born_s is None or at_s >= self.expires_s
        if is_cold:
            self.leave()
            self.born_s, self.free_s = at_s, at_s
        self.found.idle_s += max(at_s - self.free_s, 0.0)
        self.free_s = max(self.free_s, at_s + busy_s)
        return is_cold

    def leave(self, at_s: float = math.inf) -> None:
        """Let it go at its timeout, or at an instant before."""
        if self.born_s is not None:
            self.found.idle_s += max(min(self.expires_s, at_s) - self.free_s, 0.0)
        self.born_s = None


def replay(conversations: Sequence[Conversation], policy: Policy) -> Replayed:
    """Replay runs under a policy. Raises TooManyPingsError."""
    found = Replayed()
    for conversation in conversations:
        _replay_one(conversation, policy, found)
    return found


def _replay_one(conversation: Conversation, policy: Policy, found: Replayed) -> None:
    kept = _Kept(policy, found)
    ended_s = math.inf if conversation.ended_at_s is None else conversation.ended_at_s
    nexts = [visit.at_s for visit in conversation.visits[1:]] + [math.inf]
    for number, (visit, next_s) in enumerate(zip(conversation.visits, nexts, strict=True)):
        is_cold = kept.use(visit.at_s, visit.busy_s)
        if number or not conversation.is_continued:
            found.run_count += 1
            found.cold_count += is_cold
            found.first_count += not number
        is_ended_between = visit.at_s <= ended_s < next_s
        until_s = min(next_s, kept.free_s + policy.keep_s, ended_s if is_ended_between else math.inf)
        for ping_s in policy.pings(kept.free_s, until_s):
            found.ping_count += 1
            if found.ping_count > MOST_PINGS:
                raise TooManyPingsError
            found.cold_ping_count += kept.use(ping_s, policy.ping_busy_s)
        if is_ended_between:
            kept.leave(ended_s)
    kept.leave()
