"""What the worker does for budgets."""

from __future__ import annotations

import logging

from django.db import transaction
from django_q.tasks import async_task

from apps.core.exceptions import LoomError
from apps.metrics.spending.budgets import count_run
from apps.metrics.spending.guard import budget_guard
from apps.sessions.models import Invocation, Session
from apps.sessions.services import end_session

logger = logging.getLogger(__name__)


def count_cost(invocation: Invocation) -> None:
    """At the end of a run: count what it cost, and end its session where the budget that stopped it asks for that."""
    count_run(invocation)
    stopped_by = budget_guard.stopped.get(invocation.pk)
    if stopped_by is not None and stopped_by.ends_session:
        key = invocation.session_id
        transaction.on_commit(
            lambda: async_task(end_stopped_session, key, q_options={"task_name": "end session", "save": False}),
            robust=True,
        )


def end_stopped_session(session_id: int) -> None:
    """End the session of a run that a budget stopped; what is ended already stays so."""
    session = Session.objects.select_related("agent__runtime").filter(pk=session_id).first()
    if session is None or session.is_ended:
        return
    try:
        end_session(session=session)
    except LoomError as error:
        logger.warning("session of a spent budget not ended session=%s code=%s", session_id, error.code)
