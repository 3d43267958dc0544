"""What the page Operate and the figures of an agent are made of: a query's filters, and the rows of their tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agents.models import Agent
from apps.agents.selectors import in_use
from apps.core.tables.columns import Column, Columns, Head
from apps.core.tables.filters import Choices
from apps.metrics.figures.figures import Figures
from apps.metrics.figures.pages.charts import METRICS, Chart, latency_chart
from apps.metrics.figures.pages.opening import opening_range
from apps.metrics.figures.pages.ranges import PRESETS, Preset, TimeRange, is_range_asked, parse_range
from apps.metrics.figures.pages.recent import Place
from apps.metrics.figures.pages.tiles import missing_starts
from apps.metrics.figures.pages.wording import NOTHING, interval, percent, summary_text
from apps.metrics.figures.periods import read
from apps.metrics.figures.readings import HIDDEN, STORED_AS, Reading, Selection
from apps.metrics.figures.statistics import Summary
from apps.sessions.models import Invocation, Session
from apps.sessions.pages.listing import MEASURE_START

SHOWN = {"all": _("All"), "failed": _("Failed")}
TEXT_LENGTH = 100  # no name, version or code is longer
AGENT_COLUMNS = Columns(
    Column("name", _("Agent")),
    Column("runs", _("Invocations"), starts_down=True),
    Column("errors", _("Error rate"), starts_down=True),
    Column("cold", _("TTFT cold"), starts_down=True),
    Column("warm", _("TTFT warm"), starts_down=True),
    Column("startup", _("Startup cold"), starts_down=True),
    default="-errors",
)


@dataclass(frozen=True, slots=True)
class Filters:
    """What is asked for in the address of a page of figures; anything senseless is as if it were missing."""

    period: TimeRange
    agent: Agent | None
    qualifier: str
    version: str
    measure_start: str
    metric: str
    sort: str
    shown: str
    error_code: str
    before: Place | None
    is_range_asked: bool

    @classmethod
    def parse(
        cls,
        query: Mapping[str, str],
        *,
        agent: Agent | None = None,
        default_range: str = "24h",
        default_measure_start: str = HIDDEN,
    ) -> Filters:
        """Read an address; where it names no range, it is the one in which the runs are (`opening_range`)."""

        def text(name: str) -> str:
            return query.get(name, "").replace("\0", "")[:TEXT_LENGTH]  # PostgreSQL takes no NUL

        def choice(name: str, choices: Collection[str], default: str) -> str:
            return text(name) if name in query and text(name) in choices else default

        now = timezone.now()
        found = cls(
            period=parse_range(query, now, default_range),
            agent=agent,
            # An endpoint or version is one of an agent.
            qualifier=text("qualifier") if agent else "",
            version=text("version") if agent else "",
            measure_start=choice("measure_start", STORED_AS, default_measure_start),
            metric=choice("metric", METRICS, "ttft"),
            sort=choice("sort", AGENT_COLUMNS.orders, AGENT_COLUMNS.default),
            shown=choice("show", SHOWN, "all"),
            error_code=text("error"),
            before=Place.read(text("before")),
            is_range_asked=is_range_asked(query),
        )
        if found.is_range_asked:
            return found
        opening = opening_range(found.selection, default_range, now)
        return replace(found, period=parse_range({"range": opening}, now))

    @property
    def selection(self) -> Selection:
        return Selection(
            self.period.start,
            self.period.end,
            self.agent.pk if self.agent else None,
            self.qualifier,
            self.version,
            self.measure_start,
        )

    @property
    def runs_query(self) -> str:
        """What the list of runs is asked for to show those that are counted here."""
        period = self.period
        own = "/".join(f"{at:%Y-%m-%dT%H:%M}" for at in (period.start, _up(period.end)))
        chosen = {
            "agent": str(self.agent.pk) if self.agent else "",
            "qualifier": self.qualifier,
            "version": self.version,
            "measure_start": self.measure_start,
            "range": own if period.is_custom else period.key,
        }
        return urlencode({name: value for name, value in chosen.items() if value})

    @property
    def compare_query(self) -> str:
        """What the comparison of targets is asked for to begin with what is selected here."""
        period = self.period
        own = {"from": f"{period.start:%Y-%m-%dT%H:%M}", "to": f"{_up(period.end):%Y-%m-%dT%H:%M}"}
        chosen = {
            "target": f"{self.agent.pk}:{self.qualifier}:{self.version}" if self.agent else "",
            "measure_start": self.measure_start,
            **(own if period.is_custom else {"range": period.key}),
        }
        return urlencode({name: value for name, value in chosen.items() if value})

    @property
    def presets(self) -> list[Preset]:
        return list(PRESETS.values())

    @property
    def metrics(self) -> dict[str, str]:
        return METRICS

    @property
    def measure_starts(self) -> Choices:
        """What may become of the runs of Measure start, in the words of the list of sessions."""
        return [("", MEASURE_START.anything), *MEASURE_START.choices(Session.objects.none())]

    @property
    def narrow_sorts(self) -> tuple[str, ...]:
        """The columns that can be ordered by where the table has no heads."""
        return ("errors", "cold", "runs")

    @property
    def own_sort(self) -> str:
        """The order of the agents where it is not the usual one."""
        return "" if self.sort == AGENT_COLUMNS.default else self.sort

    @property
    def shows(self) -> Mapping[str, object]:
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
