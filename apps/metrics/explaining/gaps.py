"""Where the time of one run went, without a rest: gaps between the instants that are known of it. Pure.

Every gap lies between two neighbouring instants, so that together they are the whole time, whichever of the instants
are missing. All are of this machine's clock but one: where the agent's log says when it began, that instant is the
agent's, and a gap that ends or begins with it says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

Clock = Literal["loom", "agent"]
Evidence = Literal["run", "log"]
"""What an end of a gap is known from: the row of the run, or a line of the agent's log."""

_MILLISECOND = timedelta(milliseconds=1)
# In the order in which they happen: what decides where two of them are the same instant.
ORDER = (
    "requested", "claimed", "invoked", "agent_started", "headers", "first_chunk", "first_token", "waiting", "resumed",
    "end",
)  # fmt: skip
_ENDED = {"failed": "until_failed", "stopped": "until_stopped", "interrupted": "until_interrupted"}


@dataclass(frozen=True, slots=True)
class RunInstants:
    """What is known of a run's time. `pauses` are when it waited for a person and when it went on."""

    status: str
    requested_at: datetime
    claimed_at: datetime | None = None
    invoked_at: datetime | None = None
    headers_at: datetime | None = None
    first_chunk_at: datetime | None = None
    first_token_at: datetime | None = None
    completed_at: datetime | None = None
    was_queued: bool = False
    attempt_count: int = 1
    startup_ms: float | None = None
    pauses: Sequence[tuple[datetime, datetime | None]] = field(default=())

    @property
    def is_unfinished(self) -> bool:
        return self.completed_at is None


@dataclass(frozen=True, slots=True)
class Gap:
    """A piece of a run's time, counted from its beginning; `key` names what happened meanwhile."""

    key: str
    start_ms: float
    end_ms: float
    clock: Clock
    evidence: Evidence
    after: str
    before: str

    @property
    def duration_ms(self) -> float:
        return self.end_ms - self.start_ms


@dataclass(frozen=True, slots=True)
class _Mark:
    at: datetime
    name: str

    @property
    def order(self) -> tuple[datetime, int]:
        return self.at, ORDER.index(self.name)


def begin_of(run: RunInstants) -> datetime:
    """From when on a run's time counts: when it was asked for. A clock that was set back meanwhile makes it earlier."""
    return min(mark.at for mark in _marks(run))


def end_of(run: RunInstants, now: datetime) -> datetime:
    """Until when: its end, or now while it goes on."""
    return max(mark.at for mark in [*_marks(run), _Mark(run.completed_at or now, "end")])


def gaps_of(run: RunInstants, now: datetime) -> list[Gap]:
    """The gaps of a run in their order: each begins where the one before ended, the last ends with the run."""
    begin, end = begin_of(run), end_of(run, now)
    marks = _marks(run)
    if run.startup_ms is not None and run.invoked_at is not None:
        started_at = run.invoked_at + timedelta(milliseconds=run.startup_ms)
        if run.invoked_at <= started_at <= end:
            marks.append(_Mark(started_at, "agent_started"))
    ordered = sorted(marks, key=lambda mark: mark.order)
    passed: set[str] = set()
    gaps = []
    for earlier, later in pairwise([*ordered, _Mark(end, "end")]):
        passed.add(earlier.name)
        if later.at == earlier.at:
            continue
        ends = {earlier.name, later.name}
        is_told = "agent_started" in ends
        gaps.append(
            Gap(
                key=_key(run, passed, earlier.name, later.name),
                start_ms=(earlier.at - begin) / _MILLISECOND,
                end_ms=(later.at - begin) / _MILLISECOND,
                clock="agent" if is_told else "loom",
                evidence="log" if is_told else "run",
                after=earlier.name,
                before=later.name,
            )
        )
    return gaps


def duration_of(gaps: Iterable[Gap], *keys: str) -> float:
    """How long what these keys name took together."""
    return sum(gap.duration_ms for gap in gaps if gap.key in keys)


def _marks(run: RunInstants) -> list[_Mark]:
    known = {
        "requested": run.requested_at,
        "claimed": run.claimed_at,
        "invoked": run.invoked_at,
        "headers": run.headers_at,
        "first_chunk": run.first_chunk_at,
        "first_token": run.first_token_at,
    }
    marks = [_Mark(at, name) for name, at in known.items() if at is not None]
    for waiting_at, resumed_at in run.pauses:
        marks.append(_Mark(waiting_at, "waiting"))
        if resumed_at is not None:
            marks.append(_Mark(resumed_at, "resumed"))
    return marks


def _key(run: RunInstants, passed: set[str], earlier: str, later: str) -> str:
    """What happened between two instants, in the light of what had happened before."""
    if earlier == "waiting":
        return "person"
    if "invoked" not in passed:
        return _before_sending(run, passed, later)
    if later == "end" and run.status in _ENDED and "first_token" not in passed:
        return _ENDED[run.status]
    if "first_token" in passed:
        return "answering"
    if later == "agent_started":
        return "startup"
    if "agent_started" in passed and "first_chunk" not in passed:
        return "receiving" if later == "end" and not run.is_unfinished else "agent"
    if "first_chunk" in passed:
        return "receiving" if later == "end" else "first_token"
    if "headers" in passed:
        return "first_byte"
    return "response"


def _before_sending(run: RunInstants, passed: set[str], later: str) -> str:
    if later == "end":
        return _ENDED.get(run.status, "queue" if run.status == "queued" else "preparing")
    if later == "invoked" and run.attempt_count > 1:
        return "attempts"
    return "queue" if run.was_queued and "claimed" not in passed else "preparing"
