"""Metrics hears that a run ended inside the transaction that ends it.

Every process listens, and few of them run anything: what answers is imported when there is something to answer.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.dispatch import receiver

from apps.metrics.models import Measurement, Plan, PlanRun, StartSeries, StartSeriesRun
from apps.sessions.models import Invocation
from apps.sessions.signals import invocation_completed, runs_deleting


@receiver(invocation_completed, dispatch_uid="metrics.create_measurement")
def create_measurement(sender: type[Invocation], invocation: Invocation, **kwargs: Any) -> Measurement | None:
    """The row, which is stored by who tells of the end."""
    from apps.metrics.starts import services  # noqa: PLC0415 -- see above

    return services.new_measurement(invocation)


@receiver(invocation_completed, dispatch_uid="metrics.advance_series")
def advance_series(sender: type[Invocation], invocation: Invocation, **kwargs: Any) -> None:
    from apps.metrics.series.advancing import advance_soon  # noqa: PLC0415 -- see above

    advance_soon(invocation)


@receiver(invocation_completed, dispatch_uid="metrics.count_cost")
def count_cost(sender: type[Invocation], invocation: Invocation, **kwargs: Any) -> None:
    from apps.metrics.spending.tasks import count_cost as count  # noqa: PLC0415 -- see above

    count(invocation)


@receiver(invocation_completed, dispatch_uid="metrics.send_spans")
def send_spans(sender: type[Invocation], invocation: Invocation, **kwargs: Any) -> None:
    """Where somebody collects them, once the end is committed."""
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        from apps.metrics.exporting.otlp import spans  # noqa: PLC0415 -- see above

        transaction.on_commit(lambda: spans.send(invocation), robust=True)


@receiver(runs_deleting, dispatch_uid="metrics.runs_in_use")
def runs_in_use(sender: type[Invocation], runs: QuerySet[Invocation], **kwargs: Any) -> set[int]:
    """Those of a plan or a series that goes on, whose place would be free again, without a cost."""
    keys = runs.order_by().values("pk")
    plans = PlanRun.objects.filter(invocation__in=keys, plan__state=Plan.State.RUNNING)
    series = StartSeriesRun.objects.filter(invocation__in=keys, series__state__in=StartSeries.ACTIVE)
    found = plans.order_by().values_list("invocation").union(series.order_by().values_list("invocation"))
    return {key for (key,) in found}
