"""Where a page of figures opens whose address names no range: where its runs are."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from apps.agents.selectors import in_use
from apps.metrics.figures.pages.ranges import PRESETS
from apps.metrics.figures.readings import Selection
from apps.sessions.models import Invocation, Session
from apps.sessions.pages.listing import MEASURE_START


def opening_range(selection: Selection, usual: str, now: datetime) -> str:
    """The key of the shortest range that holds every run that the one called `usual` holds. Where that holds none, of
    the shortest one that holds the newest run; where none does, `usual`.
    """
    runs = Invocation.objects.filter(requested_at__lte=now)
    if selection.version:
        runs = runs.filter(version=selection.version)
    runs = runs.filter(Exists(sessions_of(selection).filter(pk=OuterRef("session_id"))))
    within = runs.filter(requested_at__gte=now - PRESETS[usual].length)
    earliest = within.order_by("requested_at").values_list("requested_at", flat=True).first()
    if earliest is None:
        longest = max(preset.length for preset in PRESETS.values())
        newest = runs.filter(requested_at__gte=now - longest).order_by("-requested_at")
        earliest = newest.values_list("requested_at", flat=True).first()
    if earliest is None:
        return usual
    return next(key for key, preset in PRESETS.items() if now - earliest <= preset.length)


def sessions_of(selection: Selection) -> QuerySet[Session]:
    """The sessions of the runs of a selection, whenever they were."""
    sessions = MEASURE_START.kept(Session.objects.filter(in_use("agent__")), selection.measure_start)
    if selection.agent_id is not None:
        sessions = sessions.filter(agent=selection.agent_id)
    return sessions.filter(qualifier=selection.qualifier) if selection.qualifier else sessions
