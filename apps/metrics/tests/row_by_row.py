"""Figures added up from the invocations themselves: what stored periods have to agree with."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from apps.metrics.figures.figures import Figures
from apps.metrics.figures.tally import COLUMNS, Tally
from apps.sessions.models import Invocation


def invocations_in_figures(since: datetime | None = None, agent_id: int | None = None) -> QuerySet[Invocation]:
    """The invocations of this mode (no figure mixes emulator and AWS), of one agent or all, since an instant."""
    invocations = Invocation.objects.filter(session__agent__origin=settings.LOOM_AWS)
    if since is not None:
        invocations = invocations.filter(requested_at__gte=since)
    if agent_id is not None:
        invocations = invocations.filter(session__agent_id=agent_id)
    return invocations


def figures(invocations: QuerySet[Invocation]) -> Figures:
    """Sum up some invocations, row by row; over a period `periods.read` is quicker."""
    tally = Tally()
    for row in invocations.values_list(*COLUMNS).iterator(chunk_size=2000):
        tally.add(row)
    return Figures(tally)
