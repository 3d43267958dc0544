"""What the worker does for alerts."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.utils import timezone
from django_q.tasks import async_task

from apps.core.running.put_off import put_off_while_away
from apps.metrics.alerts import evaluating
from apps.metrics.alerts.telling import delivering
from apps.metrics.models import AlertNotice, AlertRule
from apps.metrics.starts.tasks import is_queued

EVALUATE_NAME, DELIVER_NAME = "evaluate alerts", "deliver alerts"
LONGEST_S = 60.0  # the queue ends a task after 90; what is left is due at the next tick


@put_off_while_away
def evaluate_alerts() -> None:
    """Look at the rules that are due."""
    evaluating.evaluate_due(timezone.now(), _until())


@put_off_while_away
def deliver_alerts() -> None:
    """Send the notices that are due."""
    delivering.deliver_due(timezone.now(), _until())


def enqueue_due_alerts() -> None:
    """The ticker's part: hand both to the cluster where something is due and none is on its way already."""
    now = timezone.now()
    if AlertRule.objects.filter(is_enabled=True, next_at__lte=now).exists():
        _enqueue(evaluate_alerts, EVALUATE_NAME)
    if AlertNotice.objects.filter(state=AlertNotice.State.WAITING, next_at__lte=now).exists():
        _enqueue(deliver_alerts, DELIVER_NAME)


def _enqueue(task: Callable[[], None], name: str) -> None:
    if not is_queued(name, timezone.now()):
        async_task(task, q_options={"task_name": name, "save": False, "ack_failure": True})


def _until() -> Callable[[], bool]:
    until = time.monotonic() + LONGEST_S
    return lambda: time.monotonic() > until
