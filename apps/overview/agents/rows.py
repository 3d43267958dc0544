"""What a row of the list of agents shows of the last seven days."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from apps.agents.models import Agent
from apps.core.templatetags.loom import usd
from apps.metrics.figures.pages.wording import interval, percent, summary_text
from apps.metrics.figures.statistics import Summary
from apps.metrics.weeks.shapes import Week, read_week
from apps.overview.agents.sparks import day_names, errors_spark, latency_spark

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Latency:
    """A cell: the median or what may be said instead, from how many runs, and by day."""

    label: str
    text: str
    n: int
    title: str
    spark: str = ""


@dataclass(frozen=True, slots=True)
class Errors:
    """A cell: the error rate in percent, empty where no run ended."""

    percent: str
    failed: int
    finished: int
    spark: str


@dataclass(frozen=True, slots=True)
class Cost:
    """A cell: an amount, empty where none is known, and what is to be known of it."""

    text: str
    note: str


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent with the cells of its week; without runs in these days there are none."""

    agent: Agent
    is_starred: bool
    run_count: int = 0
    errors: Errors | None = None
    latencies: tuple[Latency, ...] = ()
    cost: Cost | None = None


def agent_rows(agents: Iterable[Agent], starred: Collection[int], first: date) -> list[AgentRow]:
    """The rows of a page; `first` is the first of the seven days."""
    names = day_names(first)
    return [_row(agent, agent.pk in starred, names) for agent in agents]


def _row(agent: Agent, is_starred: bool, names: Sequence[str]) -> AgentRow:
    if not hasattr(agent, "week"):
        return AgentRow(agent, is_starred)
    week = read_week(agent.week)
    rate = "" if week.error_rate is None else percent(week.error_rate)
    source = _("by the %(source)s") % {"source": week.startup_source} if week.startup_source else ""
    return AgentRow(
        agent,
        is_starred,
        week.run_count,
        Errors(rate, week.failed, week.finished, errors_spark(week.days, names)),
        (
            _latency(_("TTFT cold"), week.ttft_cold, [day.cold for day in week.days], names),
            _latency(_("TTFT warm"), week.ttft_warm, [day.warm for day in week.days], names),
            Latency(_("Startup"), summary_text(week.startup), week.startup.n, _title(week.startup, source)),
        ),
        _cost(week),
    )


def _latency(label: str, summary: Summary, days: Sequence[Summary], names: Sequence[str]) -> Latency:
    return Latency(label, summary_text(summary), summary.n, _title(summary), latency_spark(days, names))


def _title(summary: Summary, *notes: str) -> str:
    if not summary.n:
        return _("Nothing measured in these days")
    if summary.p50 is None:
        return ", ".join([_("From the lowest to the highest; a median needs 6"), *filter(None, notes)])
    return ", ".join([_("Median, 95 %% interval %(interval)s") % {"interval": interval(summary.p50)},
                      *filter(None, notes)])  # fmt: skip


def _cost(week: Week) -> Cost:
    notes = []
    if week.estimated_costs:
        notes.append(_("%(count)s estimated") % {"count": f"{week.estimated_costs:,}"})
    if week.unknown_costs:
        notes.append(_("%(count)s unknown") % {"count": f"{week.unknown_costs:,}"})
    if week.cost_micros is None:
        return Cost("", ", ".join(notes))
    exact = Decimal(week.cost_micros) / 1_000_000
    amount = exact.quantize(CENT) if exact >= 1 else Decimal(f"{exact:.2g}")
    return Cost(usd(amount), ", ".join(notes))
