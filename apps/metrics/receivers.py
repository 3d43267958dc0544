"""Metrics hears that a run ended inside the transaction that ends it.

Every process listens, and few of them run anything: what answers is imported when there is something to answer.
"""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from apps.metrics.models import Measurement
from apps.sessions.models import Invocation
from apps.sessions.signals import invocation_completed


@receiver(invocation_completed, dispatch_uid="metrics.create_measurement")
def create_measurement(sender: type[Invocation], invocation: Invocation, **kwargs: Any) -> Measurement | None:
    """The row, which is stored by who tells of the end."""
    from apps.metrics.starts import services  # noqa: PLC0415 -- see above

    return services.new_measurement(invocation)


@receiver(invocation_completed, dispatch_uid="metrics.advance_series")
def advance_series(sender: type[Invocation], invocation: Invocation, **kwargs: Any) -> None:
    from apps.metrics.series.advancing import advance_soon  # noqa: PLC0415 -- see above

    advance_soon(invocation)
