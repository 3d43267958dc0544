"""What the lists of plans have in common, whatever their plans are for."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.core.tables.filters import Choices
from apps.metrics.models import Plan, PlanTarget

PLAN_STATES: Choices = [
    (Plan.State.RUNNING.value, _("Running")),
    (Plan.State.DONE.value, _("Done")),
    (Plan.State.CANCELLED.value, _("Cancelled")),
    (Plan.State.FAILED.value, _("Failed")),
]


def plans_named(plans: QuerySet[Plan], text: str) -> QuerySet[Plan]:
    """Those whose name or one of whose agents' names holds each word."""
    for word in text.split():
        named = PlanTarget.objects.filter(agent__name__icontains=word).values("plan")
        plans = plans.filter(Q(name__icontains=word) | Q(pk__in=named))
    return plans
