"""Every read of prices and budgets."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.accounts.policy import subject_of, visible
from apps.core.prepared import Select
from apps.costs.models import Budget, TokenPrice, usd_of


def token_price(*, model: str, at: datetime, provider: str = "") -> TokenPrice | None:
    """The price of a model's tokens that was in force at an instant.

    None where there is none, and where no provider is named and several ask different ones: nobody knows which.
    """
    rows = TokenPrice.objects.filter(model=model, since_at__lte=at).order_by("-since_at", "-pk")
    newest: dict[str, TokenPrice] = {}
    for row in rows.filter(provider=provider) if provider else rows:
        newest.setdefault(row.provider, row)
    if len({(row.input_usd, row.output_usd) for row in newest.values()}) != 1:
        return None
    return next(iter(newest.values()))


def budgets_visible_to(user: User | AnonymousUser) -> QuerySet[Budget]:
    """The budgets that `user` may see."""
    return Budget.objects.filter(visible(subject_of(user), Budget))


_is_any_scoped = Select(lambda: Budget.objects.exclude(scope="").order_by().values_list("pk", flat=True)[:1])


def budgets_of_run(*, agent_id: int, owner_id: int | None) -> list[Budget]:
    """The budgets that hold a run of this agent for this person, in the order of their keys. Asked for every run."""
    if not _is_any_scoped():
        return []
    scope = Budget.Scope
    held = Q(scope=scope.ALL) | Q(scope=scope.AGENT, scope_id=agent_id) | Q(scope=scope.OWNER, scope_id=owner_id)
    return list(Budget.objects.filter(held).order_by("pk"))


def left_usd(budget: Budget, now: datetime) -> Decimal:
    """What of a budget is neither spent nor reserved in the present period; below 0 where it cost more than it may."""
    period = budget.periods.filter(start_at=budget.period_start(now)).first()
    taken = 0 if period is None else period.spent_micros + period.reserved_micros
    return usd_of(budget.limit_micros - taken)
