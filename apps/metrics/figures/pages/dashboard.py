"""The drawings of Overview beside latency over time: bands, bars of what is counted, how latencies spread, hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from apps.agents.models import Agent
from apps.metrics.figures.changes import version_changes
from apps.metrics.figures.pages.bands import band_chart
from apps.metrics.figures.pages.bars import bar_charts
from apps.metrics.figures.pages.filters import Filters, address_of, full_minute
from apps.metrics.figures.pages.heat import heat_of
from apps.metrics.figures.pages.ranges import TimeRange
from apps.metrics.figures.pages.spread import spread_of
from apps.metrics.figures.periods import HOUR, groups_of, read_counts, read_hours
from apps.metrics.figures.readings import Reading

MARKERS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Marker:
    """Where a version changed, in percent from the left, and the comparison of before and after."""

    x: float
    at: datetime
    agent_name: str
    qualifier: str
    before: str
    after: str
    href: str


def markers_of(filters: Filters) -> list[Marker]:
    """Where versions changed in the range: of the agent that is shown, or the newest of all."""
    period, selection = filters.period, filters.selection
    changes = version_changes(groups_of(selection, min(period.step, timedelta(days=1))))
    if filters.qualifier:
        changes = [change for change in changes if change.qualifier == filters.qualifier]
    changes = changes[:MARKERS_SHOWN]
    names = dict(Agent.objects.filter(pk__in={one.agent_id for one in changes}).values_list("pk", "name"))
    found = []
    for change in changes:
        # The change lies somewhere in its step: the marker stands at the beginning, or at the edge of the plot.
        x = max(0.0, (change.at - period.start) / (period.end - period.start) * 100)
        query = QueryDict(mutable=True)
        query.setlist("target", change.targets)
        query.update({"range": period.key} if not period.is_custom else _ends(period))
        if filters.measure_start:
            query["measure_start"] = filters.measure_start
        href = f"{reverse('compare:targets')}?{query.urlencode()}"
        name = names.get(change.agent_id, "")
        found.append(Marker(round(x, 2), change.at, name, change.qualifier, change.before, change.after, href))
    return found


def _ends(period: TimeRange) -> Mapping[str, str]:
    return {"from": f"{period.start:%Y-%m-%dT%H:%M}", "to": f"{full_minute(period.end):%Y-%m-%dT%H:%M}"}


def drawings(reading: Reading, filters: Filters, query: QueryDict) -> dict[str, Any]:
    """What the second part of the page shows."""
    period, address = filters.period, address_of(query)
    counted = read_counts(filters.selection, period.step)
    # Of a range that is drawn by the hour each of them is counted already.
    by_hour = (
        {at: (counts.invocation_count, counts.failed_count) for at, counts in counted.by_step.items()}
        if period.step == HOUR
        else read_hours(filters.selection)
    )
    band = band_chart(reading.by_step, period, filters.metric, filters.temperature, address)
    return {
        "band": band,
        "bars": bar_charts(counted.by_step, counted.overall, period, address),
        "spread": spread_of(reading.overall, filters.metric),
        "heat": heat_of(by_hour, period, filters.zone or filters.reader_zone),
        "metric_title": filters.metrics[filters.metric],
    }
