"""Making the weeks of all agents: read as stored days and hours, written where something is different.

What they cost is taken from the sums of Costs, so that the two pages say the same.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Max

from apps.agents.models import Agent
from apps.agents.selectors import in_use
from apps.metrics.figures.figures import Figures
from apps.metrics.figures.periods import DAY, floor, read_agent_steps
from apps.metrics.figures.readings import Selection
from apps.metrics.figures.tally import Tally
from apps.metrics.models import AgentWeek, AgentWeeksMade, CostsSettled, FigurePeriod
from apps.metrics.spending.days import Spent, spent_between
from apps.metrics.weeks.shapes import DAYS, stored
from apps.sessions.models import Invocation

# What changed in rows of longer ago is stored as an hour soon after, and seen by that.
FRESH_FOR = timedelta(hours=2)
NOT_BEFORE = timedelta(seconds=15)
# Of the worker's time they take a twentieth at most, however many agents there are.
REST = 20
ROWS_AT_ONCE = 500
COLUMNS = ("run_count", "error_rate", "ttft_cold_ms", "ttft_warm_ms", "startup_ms", "cost_micros", "details")


@dataclass(frozen=True, slots=True)
class Cost:
    """What the runs of an agent cost: None where of none is known what."""

    micros: int | None = None
    unknown: int = 0
    estimated: int = 0


def first_day(now: datetime) -> datetime:
    """When the week begins that an instant is the end of."""
    return floor(now, DAY) - (DAYS - 1) * DAY


def is_due(now: datetime) -> bool:
    """Whether something has changed since the weeks were made, and that is not too short ago."""
    made = AgentWeeksMade.objects.first()
    if made is None:
        return True
    rest = max(NOT_BEFORE, timedelta(milliseconds=REST * made.took_ms))
    return now - made.made_at >= rest and made.seen != what_there_is(now)


def what_there_is(now: datetime) -> str:
    """A text that is another one when a run, a measurement, a stored hour or a day of costs is another one."""
    periods = FigurePeriod.objects.aggregate(last=Max("pk"), count=Count("pk"))
    fresh = Invocation.objects.filter(requested_at__gte=now - FRESH_FOR).aggregate(
        count=Count("pk"), last=Max("pk"), ended=Max("completed_at"), measured=Max("measurement__updated_at")
    )
    settled = CostsSettled.objects.values_list("since", "until").first() or ()
    parts = [first_day(now).date(), *settled, *periods.values(), fresh["count"], fresh["last"]]
    instants = [fresh["ended"], fresh["measured"]]
    return " ".join([*map(str, parts), *(f"{at.timestamp():.6f}" if at else "-" for at in instants)])


def make_weeks(now: datetime) -> int:
    """Make the weeks of all agents; return how many are new, different or gone."""
    started = time.perf_counter()
    seen = what_there_is(now)
    since = first_day(now)
    found = read_agent_steps(Selection(since, now), DAY)
    costs = _costs(since, now)
    agents = found.keys() & set(Agent.objects.filter(in_use()).order_by().values_list("pk", flat=True))
    known = {week.pk: week for week in AgentWeek.objects.all()}
    changed = []
    for agent_id in agents:
        week = _week(agent_id, [found[agent_id].get(since + DAY * day, Tally()) for day in range(DAYS)], costs)
        if not _is_same(week, known.get(agent_id)):
            changed.append(week)
    gone = [key for key in known if key not in agents]
    _write(changed, gone)
    took_ms = (time.perf_counter() - started) * 1000
    AgentWeeksMade.objects.update_or_create(pk=1, defaults={"made_at": now, "took_ms": took_ms, "seen": seen})
    return len(changed) + len(gone)


def _costs(since: datetime, now: datetime) -> dict[int, Cost]:
    spent, _missing = spent_between(since.astimezone(UTC).date(), now.astimezone(UTC).date())
    by_agent: defaultdict[int, list[Spent]] = defaultdict(list)
    for one in spent:
        by_agent[one.agent_id].append(one)
    return {agent_id: _cost(rows) for agent_id, rows in by_agent.items()}


def _cost(rows: Iterable[Spent]) -> Cost:
    micros = runs = unknown = estimated = 0
    for row in rows:
        micros += row.cost_micros
        runs += row.run_count
        unknown += row.unknown_count
        estimated += row.estimate_count
    return Cost(micros if runs > unknown else None, unknown, estimated)


def _week(agent_id: int, days: Sequence[Tally], costs: Mapping[int, Cost]) -> AgentWeek:
    whole = Tally()
    for day in days:
        whole.merge(day)
    figures, cost = Figures(whole), costs.get(agent_id, Cost())
    cold, warm, startup = figures.ttft_cold, figures.ttft_warm, figures.startup_cold
    return AgentWeek(
        agent_id=agent_id,
        run_count=figures.invocation_count,
        error_rate=figures.error_rate,
        ttft_cold_ms=cold.p50.value if cold.p50 else None,
        ttft_warm_ms=warm.p50.value if warm.p50 else None,
        startup_ms=startup.summary.p50.value if startup.summary.p50 else None,
        cost_micros=cost.micros,
        details={
            "finished": figures.finished_count,
            "failed": figures.failed_count,
            "cold": stored(cold),
            "warm": stored(warm),
            "startup": stored(startup.summary),
            "startup_source": startup.source,
            "unknown_costs": cost.unknown,
            "estimated_costs": cost.estimated,
            "days": [_day(day) for day in days],
        },
    )


def _day(tally: Tally) -> list[Any]:
    figures = Figures(tally)
    return [figures.finished_count, figures.failed_count, stored(figures.ttft_cold), stored(figures.ttft_warm)]


def _is_same(week: AgentWeek, known: AgentWeek | None) -> bool:
    return known is not None and all(getattr(week, name) == getattr(known, name) for name in COLUMNS)


def _write(changed: Sequence[AgentWeek], gone: Sequence[int]) -> None:
    """Some at a time: a run that ends meanwhile waits for none of it."""
    for at in range(0, len(changed), ROWS_AT_ONCE):
        with transaction.atomic():
            batch = changed[at : at + ROWS_AT_ONCE]
            # Locked, so that none of them is deleted meanwhile.
            there = set(
                Agent.objects.select_for_update(no_key=True)
                .filter(pk__in=[week.agent_id for week in batch])
                .order_by("pk")
                .values_list("pk", flat=True)
            )
            AgentWeek.objects.bulk_create(
                [week for week in batch if week.agent_id in there],
                update_conflicts=True,
                unique_fields=["agent"],
                update_fields=list(COLUMNS),
            )
    for at in range(0, len(gone), ROWS_AT_ONCE):
        AgentWeek.objects.filter(pk__in=gone[at : at + ROWS_AT_ONCE]).delete()
