"""What the worker does for measurements."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.tasks import async_task

from apps.agentcore.aws.connection import current_connection
from apps.agentcore.logs.reading import logs_of_accounts
from apps.aws.logs.reading import RuntimeLogs
from apps.core.running.put_off import put_off_while_away
from apps.metrics.starts import services, sweep
from apps.metrics.starts.log_groups import LEASE

SWEEP_NAME = "sweep measurements"


@put_off_while_away
def sweep_measurements() -> None:
    """Look once for every due measurement."""
    sweep.sweep(now=timezone.now(), logs=RuntimeLogs(current_connection()), logs_of=logs_of_accounts())


def enqueue_due_sweep() -> None:
    """The ticker's part: hand a sweep to the cluster when something is due and none is on its way already."""
    services.create_missing_measurements(timezone.now())
    now = timezone.now()
    if sweep.due_measurements(now).exists() and not is_queued(SWEEP_NAME, now):
        # Not saved: a success row every five seconds tells nobody anything. Not delivered again after a failure
        # either: the next tick makes a new one.
        async_task(sweep_measurements, q_options={"task_name": SWEEP_NAME, "save": False, "ack_failure": True})


def is_queued(name: str, now: datetime) -> bool:
    """Whether a task that reads logs waits for a worker, or a worker took one so short ago that it may still be at it.

    The queue locks a task for `retry` seconds when it hands it out, and deletes it when it is done: one that is locked
    for longer than a lease holds belongs to a worker that died.
    """
    taken_before = now - LEASE + timedelta(seconds=Conf.RETRY)
    queued = OrmQ.objects.exclude(lock__gt=now, lock__lte=taken_before)
    return any(task.name() == name for task in queued.iterator())
