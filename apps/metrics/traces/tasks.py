"""What the worker does for the spans of agents."""

from __future__ import annotations

from django.utils import timezone
from django_q.tasks import async_task

from apps.agentcore.aws.connection import current_connection
from apps.agentcore.logs.reading import logs_of_accounts
from apps.aws.logs.reading import RuntimeLogs
from apps.core.running.put_off import put_off_while_away
from apps.metrics.starts.tasks import is_queued
from apps.metrics.traces import fetching

FETCH_NAME = "fetch spans"


@put_off_while_away
def fetch_spans() -> None:
    """Look once for every due trace."""
    fetching.fetch(now=timezone.now(), logs=RuntimeLogs(current_connection()), logs_of=logs_of_accounts())


def enqueue_due_fetch() -> None:
    """The ticker's part: hand a look to the cluster when something is due and none is on its way already."""
    now = timezone.now()
    fetching.create_missing_traces(now)
    if fetching.due_traces(now).exists() and not is_queued(FETCH_NAME, now):
        async_task(fetch_spans, q_options={"task_name": FETCH_NAME, "save": False, "ack_failure": True})
