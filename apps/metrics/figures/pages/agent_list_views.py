"""The figures in the list of agents: one request for all rows of a page, put into their cells out of band."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.accounts.http import SignedInRequest
from apps.agents.listing import AGENTS
from apps.agents.selectors import agents_visible_to
from apps.metrics.figures.figures import Figures
from apps.metrics.figures.pages.ranges import PRESETS
from apps.metrics.figures.pages.wording import percent, summary_text
from apps.metrics.figures.periods import DAY, read
from apps.metrics.figures.readings import Selection
from apps.metrics.figures.tally import Tally

RANGE = PRESETS["7d"]


@dataclass(frozen=True, slots=True)
class AgentCells:
    """What the cells of one agent's row say."""

    agent_id: int
    figures: Figures

    @property
    def error_percent(self) -> str:
        """The error rate in percent; empty where nothing finished."""
        rate = self.figures.error_rate
        return "" if rate is None else percent(rate)

    @property
    def latencies(self) -> list[tuple[str, str, int]]:
        """Cold and warm, of which there are runs: the median or what may be said instead, and n."""
        found = (("cold", self.figures.ttft_cold), ("warm", self.figures.ttft_warm))
        return [(name, summary_text(summary), summary.n) for name, summary in found if summary.n]


def _ids(text: str) -> list[int]:
    """The keys in a list of them; what is no key is left out, and so is what no page of the list can hold."""
    parts = [part for part in text.split(",")[: AGENTS.page_size] if part.isascii() and part.isdecimal()]
    return [int(part) for part in parts if len(part) < 19]


@require_safe
def agent_list_figures_fragment(request: SignedInRequest) -> HttpResponse:
    """Error rate and time to first token of the agents `ids`, of the last seven days."""
    keys = (
        agents_visible_to(request.user, "read figures")
        .filter(pk__in=_ids(request.GET.get("ids", "")))
        .values_list("pk", flat=True)
    )
    now = timezone.now()
    reading = read(Selection(now - RANGE.length, now), DAY)
    cells = [AgentCells(key, Figures(reading.by_agent.get(key, Tally()))) for key in keys]
    return render(request, "metrics/_agent_list_figures.html", {"cells": cells})
