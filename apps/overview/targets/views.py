"""Targets compared: what is chosen, what can be added, and how their runs differ; all of it stands in the address."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import InvalidInputError, MissingError
from apps.core.tables.export import csv_response
from apps.core.tables.filters import Choices
from apps.metrics.figures.pages.charts import METRICS
from apps.metrics.figures.pages.ranges import PRESETS, TimeRange, parse_range
from apps.metrics.figures.readings import HIDDEN, STORED_AS
from apps.metrics.figures.targets import TEMPERATURES, latency_sample
from apps.metrics.figures.usage import NEWEST
from apps.overview.targets.asked import LEAST, MOST, Target, targets_of, whole_range
from apps.overview.targets.comparison import Comparison, comparison_of
from apps.overview.targets.drawing import distribution, over_time
from apps.overview.targets.files import lines_of
from apps.overview.targets.finding import find
from apps.overview.targets.rows import sections
from apps.sessions.models import Session
from apps.sessions.pages.listing import MEASURE_START

DEFAULT_RANGE = "30d"
LONGEST_WORDS = 100


class Asked:
    """What the address of a comparison asks for; anything senseless but for the targets is as if it were missing."""

    def __init__(self, query: QueryDict, now: datetime) -> None:
        self.query = query
        self.period: TimeRange = parse_range(query, now, DEFAULT_RANGE)
        self.texts = [text for text in query.getlist("target") if text.strip()]
        self.metric = _choice(query, "metric", METRICS, "ttft")
        self.temperature = _choice(query, "start", TEMPERATURES, "")
        self.measure_start = _choice(query, "measure_start", STORED_AS, HIDDEN)
        self.words = query.get("q", "").replace("\0", "")[:LONGEST_WORDS]

    def with_targets(self, texts: Sequence[str]) -> str:
        """The address with these targets instead."""
        return self.changed(target=texts, q=None)

    def changed(self, **changes: str | Sequence[str] | None) -> str:
        """The address with some parameters changed, or without them."""
        query = self.query.copy()
        for name, value in changes.items():
            query.setlist(name, [value] if isinstance(value, str) else list(value or ()))
        return f"?{query.urlencode()}"


def _choice(query: QueryDict, name: str, choices: Any, default: str) -> str:
    value = query.get(name, default)
    return value if value in choices else default


@never_cache
@require_safe
def targets(request: SignedInRequest) -> HttpResponse:
    """Two to six targets compared, with what can be added: `target` (several), `metric`, `start` of the drawings,
    `range` or `from` and `to`, `measure_start`, and `q` to find others.
    """
    now = timezone.now()
    asked = Asked(request.GET, now)
    context: dict[str, Any] = {"asked": asked, "error": None, "most": MOST, "presets": list(PRESETS.values())}
    try:
        chosen = targets_of(request.user, asked.texts, asked.period, now, least=0)
    except InvalidInputError as error:
        chosen = []
        context["error"] = error
    except MissingError as error:
        raise Http404(str(error)) from None
    comparison = (
        comparison_of(chosen, asked.period, asked.metric, asked.measure_start) if len(chosen) >= LEAST else None
    )
    context |= _picking(request, asked, chosen)
    if comparison is not None:
        context |= _shown(asked, comparison)
    return render(request, "compare/targets.html", context, status=200 if context["error"] is None else 400)


def _picking(request: SignedInRequest, asked: Asked, chosen: Sequence[Target]) -> dict[str, Any]:
    """What was chosen, with the ways to take it away, and what can be added."""
    texts = [target.text for target in chosen]
    is_searched = "q" in request.GET or len(chosen) < LEAST
    findings = find(request.user, asked.period, asked.measure_start, asked.words, texts) if is_searched else None
    metrics: Choices = list(METRICS.items())
    return {
        "chosen": [(target, asked.with_targets([text for text in texts if text != target.text])) for target in chosen],
        "findings": findings,
        "options": [(option, asked.with_targets([*texts, option.text])) for option in findings.options]
        if findings
        else [],
        "changes": [(agent, change, asked.with_targets(change.targets)) for agent, change in findings.changes]
        if findings
        else [],
        "search_href": asked.changed(q=""),
        "metric_links": [(key, label, asked.changed(metric=key)) for key, label in metrics],
        "range_links": [
            (preset, asked.changed(range=preset.key, **{"from": None, "to": None})) for preset in PRESETS.values()
        ],
        "measure_starts": [("", MEASURE_START.anything), *MEASURE_START.choices(Session.objects.none())],
    }


def _shown(asked: Asked, comparison: Comparison) -> dict[str, Any]:
    """The table and the drawings; these show the temperature that was asked for, else the one with more runs."""
    temperature = asked.temperature or comparison.usual_temperature
    tallies = [reading.overall for reading in comparison.readings]
    samples = [latency_sample(tally, asked.metric, temperature) for tally in tallies]
    period = whole_range(comparison.targets, asked.period)

    def address_of(start: datetime, end: datetime) -> str:
        return asked.changed(range="custom", **{"from": f"{start:%Y-%m-%dT%H:%M}", "to": f"{end:%Y-%m-%dT%H:%M}"})

    return {
        "comparison": comparison,
        "title": METRICS[asked.metric],
        "temperature": temperature,
        "temperature_links": [(one, asked.changed(start=one)) for one in TEMPERATURES],
        "sections": sections(comparison.compared, NEWEST),
        "distribution": distribution(samples),
        "over_time": over_time(comparison.readings, period, asked.metric, temperature, address_of),
    }


@require_safe
def targets_csv(request: SignedInRequest) -> StreamingHttpResponse | HttpResponse:
    """The table as a file, by the same address: a line for each target, cold and warm."""
    now = timezone.now()
    asked = Asked(request.GET, now)
    try:
        chosen = targets_of(request.user, asked.texts, asked.period, now)
    except InvalidInputError:  # the page says what is wrong with the address
        return redirect(f"{reverse('compare:targets')}?{request.GET.urlencode()}")
    except MissingError as error:
        raise Http404(str(error)) from None
    heads, rows = lines_of(comparison_of(chosen, asked.period, asked.metric, asked.measure_start))
    return csv_response(request, "loom-compare", heads, rows)
