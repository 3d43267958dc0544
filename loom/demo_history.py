"""A history for a first look, made by real runs in the background: some conversations, and each demo agent's start
measured a few times.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

from django.conf import settings
from django_q.tasks import async_task

from apps.accounts.development import development_account
from apps.accounts.models import User
from apps.accounts.services import passing_token
from apps.agents.models import Agent
from apps.core.exceptions import LoomError
from apps.metrics.models import StartSeries
from apps.metrics.series.services import Plan, start_series
from apps.sessions.models import Invocation
from loom.cli.terminal import own_url
from loom_client import Client, ClientError, UnreachableError

logger = logging.getLogger(__name__)

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
# The turns of some conversations, one after the other: who is asked, and what.
TURNS = (
    ("travel_concierge", "A quiet weekend in the hills, by train and with little luggage."),
    ("travel_concierge", "It may rain on Saturday afternoon. What would you change?"),
    ("code_tutor", "How do I count the log levels in a file that does not fit into memory?"),
    ("code_tutor", "How would I test that without a file?"),
    ("inventory_analyst", "What runs out within two weeks, and what should I order?"),
)
TURN_LIFE = timedelta(minutes=10)
# The queue is filled while the web server starts.
WEB_TRIES, WEB_TRY_EVERY_S = 60, 0.5


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
            start_series(agent=agent, owner=owner, plan=Plan(count=SESSIONS, prompt=PROMPTS[agent.name]))
        except LoomError:
            continue  # a demo of its own kind, as an agent that cannot be invoked
        started += 1
    if started:
        start_conversations(owner)
    return started


def start_conversations(owner: User) -> None:
    """Let the worker hold the conversations of `TURNS`."""
    async_task(take_turn, owner.pk)


def take_turn(owner_id: int, number: int = 0, session_id: str | None = None) -> None:
    """The worker's part: send one prompt as any program does, read its answer to the end, and queue the next turn.

    One turn at a time, so that the other processes of the worker stay free. A turn that is delivered again is the same
    run, by its key.
    """
    name, prompt = TURNS[number]
    agent = Agent.objects.filter(origin="emulator", removed_at=None, name=name).first()
    if agent is not None:
        with passing_token(user=User.objects.get(pk=owner_id), scope="invoke", life=TURN_LIFE, name="demo") as secret:
            client = Client(own_url(), secret)
            _wait_for_web(client)
            run = client.invoke(agent.pk, prompt, session_id=session_id, request_key=f"demo turn {number}")
            try:
                list(run)
            except ClientError as error:
                logger.warning("demo conversation goes on without an answer agent=%s error=%s", name, error)
            session_id = run.session_id
    following = number + 1
    if following < len(TURNS):
        async_task(take_turn, owner_id, following, session_id if TURNS[following][0] == name else None)


def _wait_for_web(client: Client) -> None:
    """Return when Loom answers; raise UnreachableError where it does not for half a minute."""
    pause = threading.Event()
    for _ in range(WEB_TRIES):
        try:
            client.agents()
        except UnreachableError:
            pause.wait(WEB_TRY_EVERY_S)
        else:
            return
    client.agents()


def _owner() -> User | None:
    """Whoever will look at it: the development user, or else the first administrator."""
    if settings.AUTH_DISABLED:
        return development_account()
    return User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
