"""What the worker does for measurements."""

from __future__ import annotations

from django.utils import timezone
from django_q.tasks import async_task

from apps.agents.connection import current_connection
from apps.aws.logs import RuntimeLogs
from apps.metrics import services, sweep
from apps.metrics.models import Measurement


def sweep_measurements() -> None:
    """Look once for every due measurement."""
    sweep.sweep(now=timezone.now(), logs=RuntimeLogs(current_connection()))


def enqueue_due_sweep() -> None:
    """The ticker's part: hand a sweep to the cluster when something is due, and nothing otherwise."""
    now = timezone.now()
    services.create_missing_measurements(now)
    if Measurement.objects.filter(state=Measurement.State.WAITING, next_at__lte=now).exists():
        # Not saved: a success row every five seconds tells nobody anything.
        async_task(sweep_measurements, q_options={"save": False})
