"""The list of benches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import F, Prefetch
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.core.tables.columns import Column, Columns
from apps.core.tables.filters import Choice
from apps.core.tables.table import Table
from apps.metrics.models import Plan, PlanTarget
from apps.metrics.series.listing import PLAN_STATES, plans_named


def read_benches(keys: Sequence[Any]) -> Mapping[Any, Plan]:
    """The plans of one page, with their benches and targets."""
    targets = PlanTarget.objects.select_related("agent").order_by("position")
    plans = Plan.objects.filter(pk__in=keys).select_related("owner", "bench")
    return plans.prefetch_related(Prefetch("targets", targets)).in_bulk()


BENCHES: Table[Plan] = Table(
    label=_("Search benches"),
    columns=Columns(
        Column("name", _("Targets"), Lower("name")),
        Column("when", _("When"), F("created_at"), starts_down=True),
        default="-when",
        ties=("-pk",),
    ),
    search=plans_named,
    filters=(Choice("state", _("State"), _("Any state"), "state", values=lambda rows: PLAN_STATES),),
    read=read_benches,
)
