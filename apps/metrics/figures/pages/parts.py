"""The parts of the page of figures: what each shows, and which are made once for all who look at the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import QueryDict
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from apps.accounts.http import SignedInRequest
from apps.agents.models import Agent
from apps.agents.selectors import agents_visible_to
from apps.core.tables.page import page_of
from apps.metrics.figures.figures import Figures
from apps.metrics.figures.pages.dashboard import drawings, markers_of
from apps.metrics.figures.pages.filters import Filters
from apps.metrics.figures.pages.kept import Part, parts
from apps.metrics.figures.pages.operate import agent_heads, agent_rows, chart_of, figure_rows, read_figures
from apps.metrics.figures.pages.tiles import make_tiles
from apps.metrics.figures.periods import DAY, read
from apps.metrics.figures.readings import Reading

AGENTS_SHOWN = 15
# What of an address makes a part another one; whatever else stands there is in no link of it either.
PARAMETERS = (
    "range", "from", "to", "agent", "qualifier", "version", "measure_start", "metric", "start", "sort", "zone", "local",
    "refresh", "show", "error", "before", "page",
)  # fmt: skip


def chosen_agent(request: SignedInRequest) -> Agent | None:
    """The agent that the address names, None where it names none that the reader may see."""
    chosen = request.GET.get("agent", "")
    if not chosen.isdecimal() or len(chosen) >= 19:
        return None
    agents = agents_visible_to(request.user, "read figures")
    return agents.only("pk", "name", "available_qualifiers", "runtime__region").filter(pk=int(chosen)).first()


def figures_context(request: SignedInRequest, reading: Reading, filters: Filters) -> dict[str, Any]:
    """Tiles, the chart and the table of all figures, with how they differ from the period before."""
    figures = Figures(reading.overall)
    before = read(filters.previous, min(filters.period.step, DAY), filters.metric, by_agent=False)
    return {
        "filters": filters,
        "figures": figures,
        "tiles": make_tiles(
            figures,
            Figures(before.overall),
            is_emulated=settings.LOOM_AWS == "emulator",
            runs_path=f"{reverse('overview:runs')}?{filters.runs_query}",
        ),
        "rows": figure_rows(figures),
        "chart": chart_of(reading, filters, request.GET),
    }


def operate_context(request: SignedInRequest, reading: Reading, filters: Filters) -> dict[str, Any]:
    """The same, and the table of agents."""
    return {
        **figures_context(request, reading, filters),
        "markers": markers_of(filters),
        "heads": agent_heads(filters, request.GET),
        "agent_page": page_of(agent_rows(reading, filters.sort), request.GET, AGENTS_SHOWN),
        "page_path": reverse("metrics:operate"),
        "agent_path": reverse("metrics:operate"),
    }


def drawings_html(request: SignedInRequest, **more: Any) -> SafeString:
    """The drawings by the address of the page."""
    filters = Filters.parse(request.GET, agent=chosen_agent(request))
    reading = read_figures(filters, by_agent=False)
    found = drawings(reading, filters, request.GET) if reading.overall.invocation_count else {}
    context = {
        "filters": filters,
        "page_path": reverse("metrics:operate"),
        "markers": markers_of(filters),
        **found,
        **more,
    }
    return render_to_string("metrics/_drawings.html", context, request)


def _figures_html(request: SignedInRequest) -> SafeString:
    filters = Filters.parse(request.GET, agent=chosen_agent(request))
    context = operate_context(request, read_figures(filters), filters)
    return render_to_string("metrics/_operate_parts.html", {**context, "is_live": True}, request)


def live_parts(request: SignedInRequest) -> list[Part]:
    """What everybody sees alike, as it is kept. Only what the address asks of a part is in it, and nothing of whoever
    is the first to ask.
    """
    known = QueryDict(mutable=True)
    for name in PARAMETERS:
        if name in request.GET:
            known[name] = request.GET[name]
    request.GET = known  # type: ignore[assignment]
    key = (known.urlencode(), get_language(), settings.LOOM_AWS, request.user.is_staff)
    made: dict[str, Callable[[], SafeString]] = {
        "figures": lambda: _figures_html(request),
        "drawings": lambda: drawings_html(request, is_live=True),
    }
    return [parts.part((name, *key), make) for name, make in made.items()]
