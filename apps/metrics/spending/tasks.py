"""What the worker does for budgets."""

from __future__ import annotations

import logging

from django.db import transaction
from django_q.tasks import async_task

from apps.core.exceptions import LoomError
from apps.metrics.spending.budgets import count_run
from apps.sessions.models import Invocation, Session
from apps.sessions.services import end_session

logger = logging.getLogger(__name__)

STOPPED = "stopped_by_loom"


def count_cost(invocation: Invocation) -> None:
    """Count what a run cost, and end its session where a budget that stopped it asks for that; at the end of a run."""
    spent = count_run(invocation)
    is_stopped = invocation.status == Invocation.Status.STOPPED and invocation.error_code == STOPPED
    if is_stopped and any(budget.ends_session for budget in spent):
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
