"""A history for a first look, made by real runs in the background: some conversations, and each demo agent's start
measured a few times.
"""

from __future__ import annotations

from django.conf import settings

from apps.accounts.models import User
from apps.accounts.sign_in.development import development_account
from apps.agents.models import Agent
from apps.core.exceptions import LoomError
from apps.metrics.models import StartSeries
from apps.metrics.series.advancing import advance_series
from apps.metrics.series.services import DEMO_KEY, Plan, start_series
from apps.overview.agents.suggesting import PROMPTS
from apps.sessions.invoking import Request, enqueue_prompt
from apps.sessions.models import Invocation, Session
from apps.sessions.services import start_session

# As many as a median with its interval needs.
SESSIONS = 6
# The turns of some conversations, one after the other: who is asked, and what.
TURNS = (
    ("travel_concierge", "A quiet weekend in the hills, by train and with little luggage."),
    ("travel_concierge", "It may rain on Saturday afternoon. What would you change?"),
    ("code_tutor", "How do I count the log levels in a file that does not fit into memory?"),
    ("code_tutor", "How would I test that without a file?"),
    ("inventory_analyst", "What runs out within two weeks, and what should I order?"),
)


def start_history() -> int:
    """Queue conversations, and a series for each demo agent; return how many agents are invoked.

    A database in which anything was invoked is left alone.
    """
    owner = _owner()
    if owner is None or Invocation.objects.exists() or StartSeries.objects.exists():
        return 0
    started = 0
    for agent in Agent.objects.filter(origin="emulator", removed_at=None, name__in=PROMPTS, status="READY"):
        try:
            plan = Plan(count=SESSIONS, prompt=PROMPTS[agent.name])
            series = start_series(agent=agent, owner=owner, plan=plan, request_key=f"{DEMO_KEY}{agent.name}")
        except LoomError:
            continue  # a demo of its own kind, as an agent that cannot be invoked
        advance_series(series.pk)
        started += 1
    if started:
        start_conversations(owner)
    return started


def start_conversations(owner: User) -> None:
    """Queue the prompts of `TURNS`: those to one agent as one conversation, each when the one before is answered."""
    sessions: dict[str, Session] = {}
    for number, (name, prompt) in enumerate(TURNS):
        agent = Agent.objects.filter(origin="emulator", removed_at=None, name=name).first()
        if agent is None:
            continue
        if name not in sessions:
            sessions[name] = start_session(agent=agent, owner=owner, title=prompt, request_key=f"demo {name}")
        request = Request(prompt, key=f"demo turn {number}", source=Invocation.Source.DEMO)
        enqueue_prompt(session=sessions[name], request=request)


def _owner() -> User | None:
    """Whoever will look at it: the development user, or else the first administrator."""
    if settings.AUTH_DISABLED:
        return development_account()
    return User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
