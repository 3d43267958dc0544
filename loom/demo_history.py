"""A history for a first look: each demo agent measures its start a few times, by real runs in the background."""

from __future__ import annotations

from django.conf import settings

from apps.accounts.development import development_account
from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import LoomError
from apps.metrics.models import StartSeries
from apps.metrics.series_services import Plan, start_series
from apps.sessions.models import Invocation

# As many as a median with its interval needs.
SESSIONS = 6
PROMPTS = {
    "claims_intake": "Check claim 4711: water damage in the kitchen, 1,850 euros.",
    "code_tutor": "Explain generators with a short example.",
    "contract_reviewer": "Which clauses of this lease are unusual?",
    "inventory_analyst": "What runs out this week?",
    "release_digest": "Summarise the notes of version 2.4.",
    "sentiment_scorer": "The delivery came late, but the support was wonderful.",
    "travel_concierge": "Two rainy days in Ghent by train.",
}


def start_history() -> int:
    """Queue a series for each demo agent; return how many. A database in which anything was invoked is left alone."""
    owner = _owner()
    if owner is None or Invocation.objects.exists() or StartSeries.objects.exists():
        return 0
    started = 0
    for agent in Agent.objects.filter(origin="emulator", removed_at=None, name__in=PROMPTS, status="READY"):
        try:
            start_series(agent=agent, owner=owner, plan=Plan(count=SESSIONS, prompt=PROMPTS[agent.name]))
        except LoomError:
            continue  # a demo of its own kind, as an agent that cannot be invoked
        started += 1
    return started


def _owner() -> User | None:
    """Whoever will look at it: the development user, or else the first administrator."""
    if settings.AUTH_DISABLED:
        return development_account()
    return User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
