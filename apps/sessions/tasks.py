"""What the worker does for sessions that were deleted."""

from __future__ import annotations

from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from apps.core.running.put_off import put_off_while_away
from apps.sessions import keeping

PURGE_NAME = "purge deleted sessions"


@put_off_while_away
def purge_deleted_sessions() -> None:
    """Really delete what nobody can bring back any more."""
    keeping.purge_deleted(timezone.now())


def enqueue_due_purge() -> None:
    """The ticker's part: hand it to the cluster when something is due and no such task is on its way already."""
    if not keeping.due_to_be_purged(timezone.now()):
        return
    if not any(task.name() == PURGE_NAME for task in OrmQ.objects.iterator()):
        async_task(purge_deleted_sessions, q_options={"task_name": PURGE_NAME, "save": False, "ack_failure": True})
