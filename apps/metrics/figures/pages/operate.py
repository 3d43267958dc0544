"""What the page Operate and the figures of an agent are made of: a query's filters, and the rows of their tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import QueryDict
from django.utils import timezone

from apps.agents.models import Agent
from apps.metrics.figures.figures import Figures
from apps.metrics.figures.pages.charts import METRICS, Chart, latency_chart
from apps.metrics.figures.pages.ranges import PRESETS, Preset, TimeRange, parse_range
from apps.metrics.figures.pages.tiles import missing_starts
from apps.metrics.figures.pages.wording import NOTHING, interval, percent, summary_text
from apps.metrics.figures.periods import Reading, Selection, read
from apps.metrics.figures.statistics import Summary

SORTS = {"failing": "Failing first", "slowest": "Slowest first", "busiest": "Busiest first"}
SHOWN = {"all": "All", "failed": "Failed"}


@dataclass(frozen=True, slots=True)
class Filters:
    """What is asked for in the address of a page of figures; anything senseless is as if it were missing."""

    period: TimeRange
    agent: Agent | None
    qualifier: str
    version: str
    metric: str
    sort: str
    shown: str

    @classmethod
    def parse(cls, query: Mapping[str, str], *, agent: Agent | None = None, default_range: str = "24h") -> Filters:
        def choice(name: str, choices: Mapping[str, object]) -> str:
            return query.get(name, "") if query.get(name, "") in choices else next(iter(choices))

        return cls(
            period=parse_range(query, timezone.now(), default_range),
            agent=agent,
            # An endpoint or version is one of an agent; PostgreSQL takes no NUL.
            qualifier=query.get("qualifier", "").replace("\0", "") if agent else "",
            version=query.get("version", "").replace("\0", "") if agent else "",
            metric=choice("metric", METRICS),
            sort=choice("sort", SORTS),
            shown=choice("show", SHOWN),
        )

    @property
    def selection(self) -> Selection:
        return Selection(
            self.period.start, self.period.end, self.agent.pk if self.agent else None, self.qualifier, self.version
        )

    @property
    def presets(self) -> list[Preset]:
        return list(PRESETS.values())

    @property
    def metrics(self) -> dict[str, str]:
        return METRICS

    @property
    def sorts(self) -> dict[str, str]:
        return SORTS

    @property
    def shows(self) -> dict[str, str]:
        return SHOWN

    @property
    def is_narrowed(self) -> bool:
        """Whether more than the range was chosen, so that less is shown than there is."""
        return self.agent is not None


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


def read_figures(filters: Filters) -> Reading:
    """Add up what the filters select, in steps that the chart can draw."""
    return read(filters.selection, filters.period.step, filters.metric)


def chart_of(reading: Reading, filters: Filters, query: QueryDict) -> Chart:
    """The chart of the chosen metric; each of its steps leads to the page of that step."""

    def address_of(start: datetime, end: datetime) -> str:
        narrowed = query.copy()
        narrowed.pop("page", None)
        narrowed["range"] = "custom"
        narrowed["from"], narrowed["to"] = (f"{at:%Y-%m-%dT%H:%M}" for at in (start, _up(end)))
        return f"?{narrowed.urlencode()}"

    return latency_chart(reading.by_step, filters.period, filters.metric, address_of)


def _up(at: datetime) -> datetime:
    """The next full minute, for an address that names minutes."""
    rest = timedelta(seconds=at.second, microseconds=at.microsecond)
    return at if not rest else at - rest + timedelta(minutes=1)


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


def agent_rows(reading: Reading, sort: str) -> list[AgentRow]:
    """The agents of a reading, in the order of one of `SORTS`."""
    agents = Agent.objects.select_related("runtime").defer("runtime__raw_metadata").in_bulk(list(reading.by_agent))
    rows = [AgentRow(agents[pk], Figures(tally)) for pk, tally in reading.by_agent.items() if pk in agents]
    rows.sort(key=lambda row: row.agent.name)
    rows.sort(key=lambda row: _rank(row, sort), reverse=True)
    return rows


def _rank(row: AgentRow, sort: str) -> tuple[float, float]:
    figures = row.figures
    if sort == "slowest":
        return max(_typical(figures.ttft_cold), _typical(figures.ttft_warm)), figures.invocation_count
    if sort == "busiest":
        return figures.invocation_count, 0.0
    return figures.error_rate or 0.0, figures.failed_count


def _typical(summary: Summary) -> float:
    """What agents are ordered by: the median, or the highest of too few values."""
    return (summary.p50.value if summary.p50 else summary.maximum) or 0.0
