"""The list of agents over JSON, with what the last seven days of each came to, and one's own stars.

On the router of agents: ninja asks only the first router that knows a path, whatever the method.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Schema, Status
from ninja.params import functions

from apps.accounts.access import may_invoke, may_read
from apps.agentcore.api import router
from apps.agents.api import AgentOut
from apps.agents.models import Agent
from apps.agents.selectors import registry_visible_to
from apps.agents.services import star_agent, unstar_agent
from apps.core.exceptions import found
from apps.core.models import Tag
from apps.core.tables.filters import LONGEST_VALUE, TEXT_LENGTH
from apps.metrics.figures.statistics import Summary
from apps.metrics.models import AgentWeeksMade
from apps.metrics.weeks.making import first_day
from apps.metrics.weeks.shapes import Week, read_week
from apps.overview.agents.listing import AGENTS, ARCHIVED, NOBODY, STARRED, read_agents, starred_by, with_stars

__all__ = ["router"]

KEY_MOST = 2**63 - 1
MICROS = 1_000_000
MOST = 20_000


class AgentLatencyOut(Schema):
    """Milliseconds of `n` runs; the median with its 95 % interval from six on, else null."""

    n: int
    min: float | None
    max: float | None
    p50: float | None
    p50_low: float | None
    p50_high: float | None


class AgentDayOut(Schema):
    """One day of UTC: how many runs ended, how many of them failed, and time to first token."""

    day: date
    finished: int
    failed: int
    ttft_cold: AgentLatencyOut
    ttft_warm: AgentLatencyOut


class AgentWeekOut(Schema):
    """What an agent's runs of today and the six days before (of UTC) came to, as they were last added up.

    `startup` is that of cold starts, by the source that most of them have. `cost_usd` is null where nobody knows any;
    it holds `estimated_costs` runs whose cost is an estimate, and none of the `unknown_costs`.
    """

    runs: int
    finished: int
    failed: int
    error_rate: float | None
    ttft_cold: AgentLatencyOut
    ttft_warm: AgentLatencyOut
    startup: AgentLatencyOut
    startup_source: str
    cost_usd: float | None
    estimated_costs: int
    unknown_costs: int
    days: list[AgentDayOut]


class ListedAgentOut(AgentOut):
    """An agent as the list has it. `week` is null where there was no run in these days; `is_favourite` is your star."""

    kind: str
    owner: str | None
    tags: list[str]
    is_favourite: bool
    archived_at: datetime | None
    week: AgentWeekOut | None

    resolve_owner: ClassVar = staticmethod(lambda agent: agent.owner.email if agent.owner else None)
    resolve_tags: ClassVar = staticmethod(lambda agent: [tag.name for tag in agent.tags.all()])
    resolve_week: ClassVar = staticmethod(lambda agent: agent.told_week)
    resolve_archived_at: ClassVar = staticmethod(lambda agent: agent.removed_at)


class AgentQuery(Schema):
    """Which agents are wanted: what the page of agents is asked, by the same names."""

    q: str = Field("", max_length=TEXT_LENGTH, description="Words that all occur in name, description or ARN.")
    kind: Literal["agentcore", "local", "coder", "external", "workflow"] | None = None
    status: str = Field("", max_length=LONGEST_VALUE, description="As AWS says it, READY for one.")
    tag: str = Field("", max_length=Tag.NAME_LENGTH)
    owner: int | None = Field(None, ge=0, le=KEY_MOST, description="The id of an account; 0 for those of nobody.")
    region: str = Field("", max_length=LONGEST_VALUE)
    account: str = Field("", max_length=LONGEST_VALUE)
    version: str = Field("", max_length=LONGEST_VALUE)
    favourite: bool = Field(False, description="Those alone that you have given a star.")
    state: Literal["registered", "archived"] = "registered"
    sort: str = Field(
        "name",
        max_length=20,
        pattern=f"^-?({'|'.join(order for order in AGENTS.columns.orders if order[0] != '-')})$",
        description="By a column, with a minus the highest first; agents without a value come last.",
    )


@router.get("", auth=may_read, response=list[ListedAgentOut], summary="List the agents")
def list_agents(
    request: HttpRequest,
    query: Query[AgentQuery],
    limit: int = functions.Query(MOST, ge=1, le=MOST),
    offset: int = functions.Query(0, ge=0, le=1_000_000),
) -> list[Agent]:
    """All registered ones, by name, unless less is asked for or another order."""
    user: Any = request.user  # signed in, or the route was not reached
    wanted = AGENTS.wanted(_plain(query.q), query.sort, **_chosen(query))
    rows = AGENTS.find(with_stars(registry_visible_to(user), user), wanted)
    keys = list(rows.values_list("pk", flat=True)[offset : offset + limit])
    agents, starred, first = read_agents(keys), starred_by(user), _first_day()
    return [_told(agents[key], key in starred, first) for key in keys if key in agents]


def _chosen(query: AgentQuery) -> dict[str, str]:
    names = ("kind", "status", "tag", "region", "account", "version")
    chosen = {name: _plain(getattr(query, name)) for name in names}
    chosen["owner"] = NOBODY if query.owner == 0 else _plain(query.owner)
    chosen["state"] = ARCHIVED if query.state == ARCHIVED else ""
    return {**chosen, "favourite": STARRED if query.favourite else ""}


def _plain(value: object) -> str:
    """A value as an address has it. PostgreSQL takes no NUL."""
    return "" if value is None else str(value).replace("\0", "")


def _first_day() -> date:
    made = AgentWeeksMade.objects.first()
    return first_day(made.made_at if made else timezone.now()).date()


def _told(agent: Any, is_favourite: bool, first: date) -> Agent:
    """The agent with what only the list tells of it."""
    agent.is_favourite = is_favourite
    agent.told_week = _week_out(read_week(agent.week), first) if hasattr(agent, "week") else None
    told: Agent = agent
    return told


def _week_out(week: Week, first: date) -> dict[str, Any]:
    return {
        "runs": week.run_count,
        "finished": week.finished,
        "failed": week.failed,
        "error_rate": week.error_rate,
        "ttft_cold": _latency_out(week.ttft_cold),
        "ttft_warm": _latency_out(week.ttft_warm),
        "startup": _latency_out(week.startup),
        "startup_source": week.startup_source,
        "cost_usd": None if week.cost_micros is None else week.cost_micros / MICROS,
        "estimated_costs": week.estimated_costs,
        "unknown_costs": week.unknown_costs,
        "days": [
            {
                "day": first + timedelta(days=at),
                "finished": day.finished,
                "failed": day.failed,
                "ttft_cold": _latency_out(day.cold),
                "ttft_warm": _latency_out(day.warm),
            }
            for at, day in enumerate(week.days)
        ],
    }


def _latency_out(summary: Summary) -> dict[str, Any]:
    median = summary.p50
    return {
        "n": summary.n,
        "min": summary.minimum,
        "max": summary.maximum,
        "p50": median and median.value,
        "p50_low": median and median.low,
        "p50_high": median and median.high,
    }


def _star_of(request: HttpRequest, agent_id: int) -> tuple[Any, Agent]:
    """Who asks, and the agent, archived or not."""
    user: Any = request.user
    return user, found(registry_visible_to(user).filter(pk=agent_id).first(), "agent", agent_id)


@router.put("/{int:agent_id}/star", auth=may_invoke, response={204: None}, summary="Give an agent your star")
def add_star(request: HttpRequest, agent_id: int) -> Status[None]:
    """Yours alone: others do not see it. A second time changes nothing."""
    user, agent = _star_of(request, agent_id)
    star_agent(owner=user, agent=agent)
    return Status(204, None)


@router.delete("/{int:agent_id}/star", auth=may_invoke, response={204: None}, summary="Take your star away")
def remove_star(request: HttpRequest, agent_id: int) -> Status[None]:
    user, agent = _star_of(request, agent_id)
    unstar_agent(owner=user, agent=agent)
    return Status(204, None)
