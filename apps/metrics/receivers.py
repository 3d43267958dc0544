"""Metrics hears that a run ended inside the transaction that ends it."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from apps.metrics.series.advancing import advance_soon
from apps.metrics.starts import services
from apps.sessions.models import Invocation
from apps.sessions.signals import invocation_completed


@receiver(invocation_completed, dispatch_uid="metrics.create_measurement")
def create_measurement(sender: type[Invocation], invocation: Invocation, **kwargs: Any) -> None:
    services.create_measurement(invocation=invocation)


@receiver(invocation_completed, dispatch_uid="metrics.advance_series")
def advance_series(sender: type[Invocation], invocation: Invocation, **kwargs: Any) -> None:
    advance_soon(invocation)
