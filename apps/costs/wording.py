"""What a run cost, in as few words as stand in a row."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.templatetags.loom import usd
from apps.core.text.escapes import with_visible_bidi
from apps.costs.models import Budget, usd_of

LONGEST_MODEL = 40
PERIODS = {
    Budget.Period.RUN: gettext_lazy("a run"),
    Budget.Period.DAY: gettext_lazy("a day"),
    Budget.Period.MONTH: gettext_lazy("a month"),
    Budget.Period.TOTAL: gettext_lazy("altogether"),
}


def limit_text(budget: Budget) -> str:
    """As “$2.00 a day”."""
    return f"{usd(budget.limit_usd)} {PERIODS[Budget.Period(budget.period)]}"


def spent_text(budget: Budget, micros: int) -> str:
    """As “$1.66 of $2.00 a day”."""
    return _("{spent} of {limit}").format(spent=usd(usd_of(micros)), limit=limit_text(budget))


def cost_text(cost_usd: Decimal | None, source: str | None, model: str | None) -> str:
    """An amount, or that the model has no price; empty where nobody knows what was used. What is unknown is never 0."""
    if cost_usd is not None:
        return _("up to {usd}").format(usd=usd(cost_usd)) if source == "estimate" else usd(cost_usd)
    if not model:
        return ""
    name = model if len(model) <= LONGEST_MODEL else f"{model[:LONGEST_MODEL]}…"
    return _("no price for {model}").format(model=with_visible_bidi(name))
