"""What the worker does for the weeks of agents."""

from __future__ import annotations

from django.utils import timezone
from django_q.tasks import async_task

from apps.core.running.put_off import put_off_while_away
from apps.metrics.starts.tasks import is_queued
from apps.metrics.weeks.making import is_due, make_weeks

NAME = "make agent weeks"


@put_off_while_away
def make_agent_weeks() -> None:
    """Make them once."""
    make_weeks(timezone.now())


def enqueue_due_weeks() -> None:
    """The ticker's part: hand it to the cluster when something has changed and it is not on its way already."""
    now = timezone.now()
    if is_due(now) and not is_queued(NAME, now):
        async_task(make_agent_weeks, q_options={"task_name": NAME, "save": False, "ack_failure": True})
