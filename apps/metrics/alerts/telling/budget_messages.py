"""What is told of a budget that is nearly or wholly spent, as it is when the notice is sent."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.costs.models import TOTAL_STARTS_AT, BudgetPeriod, usd_of
from apps.costs.wording import spent_text
from apps.metrics.alerts.wording import outside
from apps.metrics.models import AlertNotice


def title(period: BudgetPeriod, level: str) -> str:
    """One line: how much of which budget is spent."""
    budget = period.budget
    # On one line: it is the subject of a mail.
    told = {"name": " ".join(budget.name.split()), "spent": spent_text(budget, period.spent_micros)}
    if level == AlertNotice.BudgetLevel.EXCEEDED:
        return _("[spent] Budget %(name)s: %(spent)s") % told
    return _("[nearly spent] Budget %(name)s: %(spent)s") % told


def lines(period: BudgetPeriod) -> list[str]:
    """What stands below the title."""
    if period.spent_micros >= period.budget.limit_micros:
        follows = _("New runs are refused, and running ones are stopped, until its limit is raised or its period ends.")
    else:
        follows = _("When all of it is spent, new runs are refused and running ones are stopped.")
    since = _("Counted from all runs.")
    if period.start_at != TOTAL_STARTS_AT:
        since = _("Counted from %(day)s on (UTC).") % {"day": f"{period.start_at:%Y-%m-%d}"}
    return [follows, since, _("Costs: %(address)s") % {"address": outside(reverse("costs:list"))}]


def body(period: BudgetPeriod) -> dict[str, Any]:
    """What a signed webhook gets beside the title."""
    budget = period.budget
    is_total = period.start_at == TOTAL_STARTS_AT
    return {
        "budget": {
            "id": budget.pk, "name": budget.name, "scope": budget.scope, "scope_id": budget.scope_id,
            "period": budget.period, "period_start_at": None if is_total else period.start_at.isoformat(),
            "limit_usd": float(budget.limit_usd), "spent_usd": float(usd_of(period.spent_micros)),
        },
        "url": outside(reverse("costs:list")),
    }  # fmt: skip
