"""The planner over JSON."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from apps.accounts.access import may_read
from apps.agentcore.selectors import with_runtime
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import InvalidInputError, found
from apps.metrics.environments.keep_warm import Foretold, Schedule, plan_keep_warm
from apps.metrics.environments.keep_warm_forms import MOST_IDLE_MINUTES, MOST_KEEP_HOURS, MOST_MINUTES
from apps.metrics.figures.comparing import Share

router = Router(tags=["environments"])


class KeepWarmQuery(Schema):
    """What if: a ping every so many minutes, in these hours of UTC, and another idle timeout."""

    days: Literal["7", "14", "30", "90"] = Field("30", description="Whose runs are replayed.")
    ping_minutes: int | None = Field(None, ge=1, le=MOST_MINUTES, description="Without it nothing is pinged.")
    from_hour: int = Field(0, ge=0, le=23)
    to_hour: int = Field(24, ge=1, le=24)
    keep_hours: int = Field(2, ge=1, le=MOST_KEEP_HOURS, description="For so long after a session's last prompt.")
    idle_minutes: int | None = Field(None, ge=1, le=MOST_IDLE_MINUTES, description="Without it the agent's own.")


class ColdShareOut(Schema):
    """So many cold starts of n runs, with the 95 % interval of the share."""

    cold: int
    n: int
    share: float
    low: float
    high: float


class ForetoldOut(Schema):
    """What a policy makes of the runs of these days. Costs are of a month of 30 days, at most."""

    idle_timeout_ms: int
    cold: ColdShareOut | None
    first_of_session: int = Field(description="Of the cold ones, those that began their session: always cold.")
    pings: int
    cold_pings: int
    idle_usd: float
    ping_usd: float


class KeepWarmOut(Schema):
    """Cold starts: those seen, those that the present timeouts make of the same runs, and what the schedule would."""

    runs: int
    sessions: int
    is_enough: bool = Field(description="Below 20 runs nothing is foretold.")
    seen: ColdShareOut | None = Field(description="Of the runs whose start is known.")
    present: ForetoldOut
    asked: ForetoldOut
    avoided: float = Field(description="Cold starts that it avoids in a month.")
    penalty_ms: float | None = Field(description="Median time to first token, cold − warm; null below six of both.")
    saved_s: float | None = Field(description="Waiting that it saves in a month, with the ends of its interval.")
    saved_low_s: float | None
    saved_high_s: float | None
    more_usd: float = Field(description="What it costs more in a month, at most; below 0 it costs less.")
    best_idle_timeout_ms: int | None = Field(
        description="The shortest one without pings that leaves at most a point more cold starts than the longest."
    )
    idle_timeouts: list[ForetoldOut]


def _share(one: Share | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"cold": one.count, "n": one.n, "share": one.value, "low": one.low, "high": one.high}


def _foretold(one: Foretold) -> dict[str, Any]:
    return {
        "idle_timeout_ms": one.idle_ms,
        "cold": _share(one.cold),
        "first_of_session": one.replayed.first_count,
        "pings": one.replayed.ping_count,
        "cold_pings": one.replayed.cold_ping_count,
        "idle_usd": one.idle_usd,
        "ping_usd": one.ping_usd,
    }


@router.get(
    "/agents/{int:agent_id}/keep-warm", auth=may_read, response=KeepWarmOut, summary="Plan to keep an agent warm"
)
def get_keep_warm(request: HttpRequest, agent_id: int, query: Query[KeepWarmQuery]) -> dict[str, Any]:
    """Replays the agent's conversations of the last days under other timeouts and with pings. Nothing is sent."""
    agent = found(with_runtime(agents_visible_to(request.user)).filter(pk=agent_id).first(), "agent", agent_id)
    if query.from_hour == query.to_hour:
        raise InvalidInputError("The hours end after they begin.", advice="Give another from_hour or to_hour.")
    plan = plan_keep_warm(agent, Schedule(**{**query.dict(), "days": int(query.days)}), timezone.now())
    saved, low, high = plan.saved_s or (None, None, None)
    return {
        "runs": plan.run_count,
        "sessions": plan.session_count,
        "is_enough": plan.is_enough,
        "seen": _share(plan.seen),
        "present": _foretold(plan.present),
        "asked": _foretold(plan.asked),
        "avoided": plan.avoided_count,
        "penalty_ms": plan.penalty and plan.penalty.value,
        "saved_s": saved,
        "saved_low_s": low,
        "saved_high_s": high,
        "more_usd": plan.more_usd,
        "best_idle_timeout_ms": plan.best and plan.best.idle_ms,
        "idle_timeouts": [_foretold(one) for one in plan.idle_timeouts],
    }
