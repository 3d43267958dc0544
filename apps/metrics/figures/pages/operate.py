"""What the page Operate and the figures of an agent are made of: what is read, and the rows of their tables."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import QueryDict

from apps.agents.models import Agent
from apps.agents.selectors import in_use
from apps.core.tables.columns import Head
from apps.metrics.figures.figures import Figures
from apps.metrics.figures.pages.charts import Chart, latency_chart
from apps.metrics.figures.pages.filters import AGENT_COLUMNS, Filters, address_of
from apps.metrics.figures.pages.tiles import missing_starts
from apps.metrics.figures.pages.wording import NOTHING, interval, percent, summary_text
from apps.metrics.figures.periods import read
from apps.metrics.figures.readings import HIDDEN, Reading
from apps.metrics.figures.statistics import Summary
from apps.sessions.models import Invocation, Session


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A line of the table of figures: a metric, cold or warm."""

    metric: str
    hint: str
    temperature: str
    n: int
    median: str
    interval: str
    p95: str
    p95_interval: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class AgentRow:
    """A line of the table of agents."""

    agent: Agent
    figures: Figures

    @property
    def error_percent(self) -> str:
        rate = self.figures.error_rate
        return NOTHING if rate is None else f"{percent(rate)} %"

    @property
    def ttft_cold(self) -> str:
        return summary_text(self.figures.ttft_cold)

    @property
    def ttft_warm(self) -> str:
        return summary_text(self.figures.ttft_warm)

    @property
    def startup_cold(self) -> str:
        return summary_text(self.figures.startup_cold.summary)


def read_figures(filters: Filters, *, by_agent: bool = True) -> Reading:
    """Add up what the filters select, in steps that the chart can draw."""
    return read(filters.selection, filters.period.step, filters.metric, by_agent=by_agent)


def chart_of(reading: Reading, filters: Filters, query: QueryDict) -> Chart:
    """The chart of the chosen metric; each of its steps leads to the page of that step."""

    return latency_chart(reading.by_step, filters.period, filters.metric, address_of(query))


def figure_rows(figures: Figures) -> list[FigureRow]:
    """TTFT, startup and total latency, each cold and warm."""
    cold, warm = figures.startup_cold, figures.startup_warm
    ttft = "From sending the request to the first token."
    startup = "From sending the request to the start of the agent's code, by a line in CloudWatch."
    total = "From sending the request to the end of the answer; completed invocations only."
    return [
        _figure_row("Time to first token", ttft, "cold", figures.ttft_cold),
        _figure_row("Time to first token", ttft, "warm", figures.ttft_warm),
        _figure_row("Startup", startup, "cold", cold.summary, missing_starts(figures) or cold.source),
        _figure_row("Startup", startup, "warm", warm.summary, warm.source),
        _figure_row("Total", total, "cold", figures.total_cold),
        _figure_row("Total", total, "warm", figures.total_warm),
    ]


def _figure_row(metric: str, hint: str, temperature: str, summary: Summary, note: str = "") -> FigureRow:
    return FigureRow(
        metric=metric,
        hint=hint,
        temperature=temperature,
        n=summary.n,
        median=summary_text(summary),
        interval=interval(summary.p50),
        p95=summary_text(Summary(summary.n, None, None, summary.p95)),
        p95_interval=interval(summary.p95),
        note=note,
    )


def hidden_count(filters: Filters) -> int:
    """How many runs of Measure start the filters would select and leave out."""
    if filters.measure_start != HIDDEN:
        return 0
    measured = Session.objects.filter(in_use("agent__"), purpose=Session.Purpose.MEASURE_START, deleted_at=None)
    if filters.agent is not None:
        measured = measured.filter(agent=filters.agent)
    if filters.qualifier:
        measured = measured.filter(qualifier=filters.qualifier)
    runs = Invocation.objects.filter(
        session__in=measured, requested_at__gte=filters.period.start, requested_at__lt=filters.period.end
    )
    return (runs.filter(version=filters.version) if filters.version else runs).count()


def agent_heads(filters: Filters, query: QueryDict) -> dict[str, Head]:
    """The heads of the table of agents, each with the link that orders by it."""
    return AGENT_COLUMNS.heads(filters.sort, query)


def agent_rows(reading: Reading, sort: str) -> list[AgentRow]:
    """The agents of a reading, ordered by a column of `AGENT_COLUMNS`; those without the figure come last."""
    agents = Agent.objects.select_related("runtime").defer("runtime__raw_metadata").in_bulk(list(reading.by_agent))
    rows = [AgentRow(agents[pk], Figures(tally)) for pk, tally in reading.by_agent.items() if pk in agents]
    column, is_down = sort.removeprefix("-"), sort.startswith("-")
    rows.sort(key=lambda row: (row.agent.name.lower(), row.agent.pk), reverse=is_down and column == "name")
    if column == "name":
        return rows
    ranks = {row.agent.pk: _rank(row.figures, column) for row in rows}
    ranked = [row for row in rows if ranks[row.agent.pk] is not None]
    ranked.sort(key=lambda row: ranks[row.agent.pk] or (), reverse=is_down)
    return [*ranked, *(row for row in rows if ranks[row.agent.pk] is None)]


def _rank(figures: Figures, column: str) -> tuple[float, ...] | None:
    """What a column orders an agent by, None where it has no such figure."""
    if column == "runs":
        return (figures.invocation_count,)
    if column == "errors":
        return None if figures.error_rate is None else (figures.error_rate, figures.failed_count)
    summary = {"cold": figures.ttft_cold, "warm": figures.ttft_warm, "startup": figures.startup_cold.summary}[column]
    # Too few runs for a median: the highest of them, as the page says.
    found = summary.p50.value if summary.p50 else summary.maximum
    return None if found is None else (found,)
