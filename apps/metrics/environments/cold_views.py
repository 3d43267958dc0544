"""Operate › Environments › Cold starts: what goes with slow ones, across agents or of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from apps.accounts.http import SignedInRequest
from apps.agents.models import Agent
from apps.agents.selectors import registry_visible_to
from apps.core.tables.export import csv_response
from apps.core.templatetags.loom import duration
from apps.metrics.environments.attribution import Factor, Level
from apps.metrics.environments.cold_starts import DAYS, METRICS, ColdAsked, read_cold_starts
from apps.metrics.figures.independent import Effect
from apps.metrics.figures.pages.wording import LEAST_FOR_MEDIAN, interval, signed, summary_text
from apps.metrics.figures.readings import PURPOSES

FACTOR_NAMES: dict[str, str | Promise] = {
    "artifact": gettext_lazy("Artifact"),
    "platform": gettext_lazy("Platform version"),
    "kind": gettext_lazy("Environment"),
    "region": gettext_lazy("Region"),
    "agent": gettext_lazy("Agent"),
    "version": gettext_lazy("Version"),
    "time": gettext_lazy("Time of day, UTC"),
}
METRIC_NAMES: dict[str, str | Promise] = {
    "startup": gettext_lazy("Startup"),
    "ttft": gettext_lazy("Time to first token"),
}
LEVEL_NAMES: dict[str, str | Promise] = {
    "container": gettext_lazy("Container"),
    "code": gettext_lazy("Direct code"),
    "created": gettext_lazy("Made for the run"),
    "pooled": gettext_lazy("Taken from the warm pool"),
}
SIZES: dict[str, str | Promise] = {
    "negligible": gettext_lazy("negligible"),
    "small": gettext_lazy("small"),
    "medium": gettext_lazy("medium"),
    "large": gettext_lazy("large"),
}


@dataclass(frozen=True, slots=True)
class LevelRow:
    """A value of a factor as a reader would have it told."""

    name: str
    n: int
    value: str
    interval: str
    claim: str
    apart: str
    apart_interval: str
    effect: str


@require_safe
def cold_starts(request: SignedInRequest) -> HttpResponse:
    """What goes with slow cold starts: `agent` narrows, `days`, `metric` and `measure_start` say of which."""
    agent, asked = _asked(request)
    reading = read_cold_starts(asked, timezone.now(), agent)
    current = {"days": asked.days, "metric": asked.metric, "measure_start": asked.measure_start}
    if agent is not None:
        current["agent"] = agent.pk

    def links(name: str, values: Any) -> list[tuple[Any, str, bool]]:
        return [(value, f"?{urlencode({**current, name: value})}", current[name] == value) for value in values]

    context = {
        "agent": agent,
        "asked": asked,
        "reading": reading,
        "metric_name": METRIC_NAMES[asked.metric],
        "summary": (summary_text(reading.summary), interval(reading.summary.p50)),
        "factors": [
            (FACTOR_NAMES[one.key], one, [_row(level, one) for level in one.levels]) for one in reading.factors
        ],
        "day_links": links("days", DAYS),
        "metric_links": [(METRIC_NAMES[key], href, is_on) for key, href, is_on in links("metric", METRICS)],
        "purpose_links": links("measure_start", ("shown", "", "only")),
        "query": urlencode(current),
        "least": LEAST_FOR_MEDIAN,
        "agents": registry_visible_to(request.user, "read figures").order_by("name").values_list("pk", "name")[:200],
    }
    return render(request, "metrics/cold_starts.html", context)


@require_safe
def cold_starts_csv(request: SignedInRequest) -> StreamingHttpResponse:
    """The tables of the page as a file, in milliseconds."""
    agent, asked = _asked(request)
    reading = read_cold_starts(asked, timezone.now(), agent)
    heads = ["factor", "value", "n", "p50_ms", "p50_low_ms", "p50_high_ms", "rest_n", "claim", "difference_ms",
             "difference_low_ms", "difference_high_ms", "longer_share"]  # fmt: skip

    def lines() -> Iterator[list[object]]:
        for factor in reading.factors:
            for level in factor.levels:
                middle, apart = level.summary.p50, level.apart
                yield [
                    factor.key, level.name, level.summary.n,
                    *((middle.value, middle.low, middle.high) if middle else (None,) * 3), level.rest_n, level.claim,
                    *((apart.value, apart.low, apart.high) if apart else (None,) * 3),
                    level.effect and level.effect.longer,
                ]  # fmt: skip

    return csv_response(request, "loom-cold-starts", heads, lines())


def _asked(request: SignedInRequest) -> tuple[Agent | None, ColdAsked]:
    """What the address asks for; anything senseless is as if it were missing, an agent that there is not is a 404."""
    query = request.GET
    days, metric = query.get("days", ""), query.get("metric", "")
    purpose = query.get("measure_start", "shown")
    asked = ColdAsked(
        days=int(days) if days in map(str, DAYS) else 30,
        metric=metric if metric in METRICS else METRICS[0],
        measure_start=purpose if purpose in PURPOSES else "shown",
    )
    key = query.get("agent", "")
    if not (key.isascii() and key.isdecimal() and len(key) < 19):
        return None, asked
    return get_object_or_404(registry_visible_to(request.user, "read figures"), pk=int(key)), asked


def _row(level: Level, factor: Factor) -> LevelRow:
    summary, apart = level.summary, level.apart
    if factor.is_within and summary.p50 is not None:
        middle = summary.p50
        value = signed(middle.value, duration)
        told = f"{signed(middle.low, duration)} … {signed(middle.high, duration)}"
    elif factor.is_within:
        value = told = "–"
    else:
        value, told = summary_text(summary), interval(summary.p50)
    claims = {
        "slower": signed(apart.value, duration) if apart else "",
        "faster": signed(apart.value, duration) if apart else "",
        "not told": _("cannot be told"),
        "few": _("needs %(count)s of both") % {"count": LEAST_FOR_MEDIAN},
        "alone": _("nothing to compare with"),
    }
    return LevelRow(
        name=str(LEVEL_NAMES.get(level.name, level.name)),
        n=summary.n,
        value=value,
        interval=told,
        claim=level.claim,
        apart=claims[level.claim],
        apart_interval=f"{signed(apart.low, duration)} … {signed(apart.high, duration)}" if apart else "",
        effect=_effect(level.effect),
    )


def _effect(effect: Effect | None) -> str:
    if effect is None:
        return "–"
    told = {"count": round(effect.longer * 100), "size": SIZES[effect.size]}
    return _("longer in %(count)s of 100: %(size)s") % told
