"""What keeping an agent warm would save and cost, from its own runs of the past days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median_low
from typing import Any

from django.utils.translation import gettext as _

from apps.agents.models import Agent
from apps.core.exceptions import InvalidInputError
from apps.costs.runtime import prices, rounded_up, run_usd
from apps.metrics.environments.warmth import (
    MOST_PINGS,
    Conversation,
    Policy,
    Replayed,
    TooManyPingsError,
    Visit,
    replay,
)
from apps.metrics.figures.comparing import Share, share
from apps.metrics.figures.independent import Apart, quantile_difference
from apps.metrics.figures.pages.wording import NOTHING, percent
from apps.sessions.models import Invocation, Session

MONTH_DAYS = 30
MOST_RUNS = 20_000  # the newest
LEAST_RUNS = 20  # below it nothing is foretold
NEAR_BEST = 0.01  # of the share of cold starts: what a longer idle timeout is not worth
IDLE_MINUTES = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 240, 480)
DAYS = (7, 14, 30, 90)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is asked: a ping every so many minutes (None: none) in these hours of UTC, for as long as somebody may come
    back to a session; and another idle timeout (None: the agent's own).
    """

    days: int = 30
    ping_minutes: int | None = None
    from_hour: int = 0
    to_hour: int = 24
    keep_hours: int = 2
    idle_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Foretold:
    """What a policy makes of the runs. Costs are of a month, at most; `cold` has the interval of a share."""

    idle_ms: int
    days: int
    replayed: Replayed
    cold: Share | None
    idle_usd: Decimal
    ping_usd: Decimal

    @property
    def usd(self) -> Decimal:
        return self.idle_usd + self.ping_usd

    @property
    def pings_a_month(self) -> float:
        return self.replayed.ping_count * MONTH_DAYS / self.days

    @property
    def percent(self) -> str:
        return NOTHING if self.cold is None else percent(self.cold.value)

    @property
    def percent_interval(self) -> str:
        return NOTHING if self.cold is None else f"{percent(self.cold.low)} – {percent(self.cold.high)} %"


@dataclass(frozen=True, slots=True)
class Plan:
    """What was seen, what the present timeouts make of the same runs, and what the asked schedule would.

    `penalty` is how much longer the median first token takes cold than warm, in milliseconds; None below six of both.
    """

    schedule: Schedule
    run_count: int
    session_count: int
    is_cut: bool
    seen: Share | None
    present: Foretold
    asked: Foretold
    idle_timeouts: Sequence[Foretold]
    penalty: Apart | None
    is_ping_priced: bool

    @property
    def is_enough(self) -> bool:
        return self.present.replayed.run_count >= LEAST_RUNS

    @property
    def best(self) -> Foretold | None:
        """The shortest idle timeout, without pings, that leaves at most a point more cold starts than the longest."""
        shares = [one.replayed.cold_share for one in self.idle_timeouts]
        known = [found for found in shares if found is not None]
        if not self.is_enough or not known:
            return None
        least = min(known)
        return next(
            one
            for one, found in zip(self.idle_timeouts, shares, strict=True)
            if found is not None and found <= least + NEAR_BEST
        )

    @property
    def avoided_count(self) -> float:
        """Cold starts that the schedule avoids in a month."""
        fewer = self.present.replayed.cold_count - self.asked.replayed.cold_count
        return fewer * MONTH_DAYS / self.schedule.days

    @property
    def more_cold_count(self) -> float:
        return -self.avoided_count

    @property
    def seen_percent(self) -> str:
        return NOTHING if self.seen is None else percent(self.seen.value)

    @property
    def saved_s(self) -> tuple[float, float, float] | None:
        """Seconds that people wait less for first tokens in a month, with the ends of the penalty's interval."""
        if self.penalty is None:
            return None
        penalties = (self.penalty.value, self.penalty.low, self.penalty.high)
        first, *ends = (self.avoided_count * ms / 1000 for ms in penalties)
        return first, min(ends), max(ends)

    @property
    def more_usd(self) -> Decimal:
        """What the schedule costs more in a month than the present timeouts, at most; below 0 it costs less."""
        return self.asked.usd - self.present.usd

    @property
    def less_usd(self) -> Decimal:
        return -self.more_usd


def plan_keep_warm(agent: Agent, schedule: Schedule, now: datetime) -> Plan:
    """Replay an agent's conversations (with its runtime loaded). Raises InvalidInputError for too many pings."""
    rows = _rows(agent, now - timedelta(days=schedule.days))
    is_cut = len(rows) > MOST_RUNS
    rows = rows[:MOST_RUNS][::-1]
    conversations = _conversations(rows)
    runtime = agent.runtime
    lifetime_s = runtime.max_lifetime_ms / 1000
    own = Policy(idle_s=runtime.idle_timeout_ms / 1000, lifetime_s=lifetime_s, ping_busy_s=_warm_busy_s(rows))
    idle_s = own.idle_s if schedule.idle_minutes is None else schedule.idle_minutes * 60.0
    asked = replace(
        own,
        idle_s=min(idle_s, lifetime_s),
        ping_every_s=(schedule.ping_minutes or 0) * 60.0,
        from_hour=schedule.from_hour,
        to_hour=schedule.to_hour,
        keep_s=schedule.keep_hours * 3600.0,
    )
    costs = [row["cost_usd"] for row in rows if row["cost_usd"] is not None]
    ping_usd = median_low(costs) if costs else run_usd(timedelta(seconds=own.ping_busy_s))

    def foretold(policy: Policy) -> Foretold:
        return _foretold(conversations, policy, schedule.days, ping_usd)

    candidates = [minutes * 60.0 for minutes in IDLE_MINUTES if minutes * 60 <= lifetime_s]
    return Plan(
        schedule=schedule,
        run_count=len(rows),
        session_count=len(conversations),
        is_cut=is_cut,
        seen=_seen(rows),
        present=foretold(own),
        asked=foretold(asked),
        idle_timeouts=[foretold(replace(own, idle_s=found)) for found in candidates],
        penalty=_penalty(rows),
        is_ping_priced=bool(costs),
    )


def _rows(agent: Agent, since: datetime) -> list[dict[str, Any]]:
    """The agent's runs in conversations that reached it, the newest first."""
    runs = Invocation.objects.filter(
        session__agent=agent,
        session__purpose=Session.Purpose.CONVERSATION,
        session__deleted_at=None,
        requested_at__gt=since,
        invoked_at__isnull=False,
        completed_at__isnull=False,
        is_unsent=False,
    ).exclude(http_status__in=Invocation.REFUSED)
    found = runs.order_by("-requested_at", "-pk").values(
        "session", "number", "invoked_at", "completed_at", "first_token_at", "cost_usd", "session__ended_at",
        "measurement__start_kind",
    )  # fmt: skip
    return [dict(row) for row in found[: MOST_RUNS + 1]]


def _conversations(rows: Sequence[dict[str, Any]]) -> list[Conversation]:
    by_session: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_session[row["session"]].append(row)
    return [
        Conversation(
            [
                Visit(row["invoked_at"].timestamp(), (row["completed_at"] - row["invoked_at"]).total_seconds())
                for row in found
            ],
            found[0]["session__ended_at"] and found[0]["session__ended_at"].timestamp(),
            found[0]["number"] > 1,
        )
        for found in by_session.values()
    ]


def _foretold(conversations: Sequence[Conversation], policy: Policy, days: int, ping_usd: Decimal) -> Foretold:
    try:
        found = replay(conversations, policy)
    except TooManyPingsError:
        raise InvalidInputError(
            _("That would be more than %(count)s pings in these days.") % {"count": f"{MOST_PINGS:,}"},
            advice=_("Ping less often, in fewer hours, or look at fewer days."),
        ) from None
    a_month = Decimal(MONTH_DAYS) / days
    idle_usd = prices().session_usd(timedelta(), idle=timedelta(seconds=found.idle_s))
    return Foretold(
        idle_ms=round(policy.idle_s * 1000),
        days=days,
        replayed=found,
        cold=share(found.cold_count, found.run_count),
        idle_usd=rounded_up(idle_usd * a_month),
        ping_usd=rounded_up(found.ping_count * ping_usd * a_month),
    )


def _warm_busy_s(rows: Sequence[dict[str, Any]]) -> float:
    """How long a ping is answered: as the median run that was not cold, or all of them where none is known to be."""
    spans: list[float] = [(row["completed_at"] - row["invoked_at"]).total_seconds() for row in rows]
    warm = [span for span, row in zip(spans, rows, strict=True) if row["measurement__start_kind"] == "reused"]
    return median_low(warm or spans or [1.0])


def _is_cold(row: dict[str, Any]) -> bool | None:
    kind = row["measurement__start_kind"]
    return None if kind in (None, "unknown") else kind != "reused"


def _seen(rows: Sequence[dict[str, Any]]) -> Share | None:
    """The share of cold starts among the runs whose start is known."""
    known = [is_cold for row in rows if (is_cold := _is_cold(row)) is not None]
    return share(sum(known), len(known))


def _penalty(rows: Sequence[dict[str, Any]]) -> Apart | None:
    """Cold minus warm, of the medians of the times to the first token."""
    by_kind: dict[bool, list[float]] = {True: [], False: []}
    for row in rows:
        is_cold, token_at = _is_cold(row), row["first_token_at"]
        if is_cold is not None and token_at is not None:
            by_kind[is_cold].append((token_at - row["invoked_at"]) / timedelta(milliseconds=1))
    return quantile_difference(sorted(by_kind[True]), sorted(by_kind[False]), 0.5)
