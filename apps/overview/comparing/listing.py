"""The list of prompts that were sent side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, F, Prefetch, Q, QuerySet
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.core.tables.columns import Column, Columns
from apps.core.tables.filters import Choice
from apps.core.tables.table import Table
from apps.metrics.models import Plan, PlanTarget
from apps.metrics.series.beside import SOURCE
from apps.metrics.series.listing import PLAN_STATES, plans_named
from apps.sessions.models import Invocation


def side_by_side(plans: QuerySet[Plan]) -> QuerySet[Plan]:
    """Those that sent one prompt to several targets, not a whole set."""
    return plans.filter(source=SOURCE)


def read_plans(keys: Sequence[Any]) -> Mapping[Any, Plan]:
    """The plans of one page, with their targets and how many of their runs are over and went well."""
    over = Q(runs__invocation__status__in=Invocation.FINISHED)
    went_well = Q(runs__invocation__status=Invocation.Status.COMPLETED)
    plans = Plan.objects.filter(pk__in=keys).select_related("owner")
    targets = PlanTarget.objects.select_related("agent").order_by("position")
    counted = plans.annotate(over_total=Count("runs", filter=over), completed_total=Count("runs", filter=went_well))
    return counted.prefetch_related(Prefetch("targets", targets)).in_bulk()


PLANS: Table[Plan] = Table(
    label=_("Search comparisons"),
    columns=Columns(
        Column("prompt", _("Prompt"), Lower("name")),
        Column("when", _("When"), F("created_at"), starts_down=True),
        default="-when",
        ties=("-pk",),
    ),
    search=plans_named,
    filters=(Choice("state", _("State"), _("Any state"), "state", values=lambda rows: PLAN_STATES),),
    read=read_plans,
)
