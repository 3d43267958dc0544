"""What is asked for in the address of a page of figures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agents.models import Agent
from apps.core.tables.columns import Column, Columns
from apps.core.tables.filters import Choices
from apps.metrics.figures.pages.charts import METRICS, TEMPERATURES
from apps.metrics.figures.pages.heat import known_zone
from apps.metrics.figures.pages.opening import opening_range
from apps.metrics.figures.pages.ranges import LONGEST, PRESETS, Preset, TimeRange, is_range_asked, parse_range
from apps.metrics.figures.pages.recent import Place
from apps.metrics.figures.readings import HIDDEN, STORED_AS, Selection
from apps.sessions.models import Session
from apps.sessions.pages.listing import MEASURE_START

SHOWN = {"all": _("All"), "failed": _("Failed")}
REFRESH = {"0": _("Off"), "5": _("5 s"), "30": _("30 s")}
ZOOM_OUT = 2  # times as long, around the same middle
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
    older_than: Place | None
    is_range_asked: bool
    temperature: str = "warm"
    zone: str = ""
    reader_zone: str = ""
    refresh_s: int = 0

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
            older_than=Place.read(text("before")),
            is_range_asked=is_range_asked(query),
            temperature=choice("start", TEMPERATURES, "warm"),
            zone=known_zone(text("zone")),
            reader_zone=known_zone(text("local")),
            refresh_s=refresh_of(query),
        )
        if found.is_range_asked:
            return found
        opening = opening_range(found.selection, default_range, now)
        return replace(found, period=parse_range({"range": opening}, now))

    @property
    def refresh_text(self) -> str:
        """How often the page is asked for anew, as an address has it; empty for never."""
        return str(self.refresh_s) if self.refresh_s else ""

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
    def previous(self) -> Selection:
        """The same over the period before, which is as long."""
        period = self.period
        return replace(self.selection, start=period.start - (period.end - period.start), end=period.start)

    @property
    def wider(self) -> dict[str, str]:
        """The range that is twice as long: the next preset that is longer, or around the same middle."""
        period, length = self.period, self.period.end - self.period.start
        longer = [preset.key for preset in PRESETS.values() if preset.length > length]
        if not period.is_custom:
            return {"range": longer[0]} if longer else {}
        aside = min(length * ZOOM_OUT, LONGEST - timedelta(minutes=2)) - length  # an address names whole minutes
        end = min(period.end + aside / 2, timezone.now())
        start = end - length - aside
        if aside <= timedelta(0):
            return {}
        return {"range": "custom", "from": f"{start:%Y-%m-%dT%H:%M}", "to": f"{full_minute(end):%Y-%m-%dT%H:%M}"}

    @property
    def refreshes(self) -> Mapping[str, object]:
        return REFRESH

    @property
    def runs_query(self) -> str:
        """What the list of runs is asked for to show those that are counted here."""
        period = self.period
        own = "/".join(f"{at:%Y-%m-%dT%H:%M}" for at in (period.start, full_minute(period.end)))
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
        own = {"from": f"{period.start:%Y-%m-%dT%H:%M}", "to": f"{full_minute(period.end):%Y-%m-%dT%H:%M}"}
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


def full_minute(at: datetime) -> datetime:
    """The next full minute, for an address that names minutes."""
    rest = timedelta(seconds=at.second, microseconds=at.microsecond)
    return at if not rest else at - rest + timedelta(minutes=1)


def address_of(query: QueryDict) -> Callable[[datetime, datetime], str]:
    """The address of the same page over another range."""

    def address(start: datetime, end: datetime) -> str:
        narrowed = query.copy()
        for name in ("page", "local", "have"):
            narrowed.pop(name, None)
        narrowed["range"] = "custom"
        narrowed["from"], narrowed["to"] = (f"{at:%Y-%m-%dT%H:%M}" for at in (start, full_minute(end)))
        return f"?{narrowed.urlencode()}"

    return address


def refresh_of(query: Mapping[str, str]) -> int:
    """How often the page is to be brought up to date, in seconds; 0 for never."""
    asked = query.get("refresh", "")
    return int(asked) if asked in REFRESH else 0
