"""Budgets of agents, of people and of all of Loom: made, counted with the end of every run, and told when they are
nearly and wholly spent.

What a run cost is counted in the transaction that ends it, so that it counts once whoever dies when. A run whose cost
nobody knows counts nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus

from django.db import transaction
from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import InvalidInputError, LoomError
from apps.core.notices.notices import notify
from apps.costs.models import Budget, BudgetPeriod
from apps.costs.selectors import budgets_of_run
from apps.costs.services import micros_of
from apps.metrics.models import AlertChannel, AlertNotice
from apps.sessions.invoking import check_storable
from apps.sessions.models import Invocation

logger = logging.getLogger(__name__)

TOPIC = "budgets"
NAME_LENGTH = 120
MOST_BUDGETS = 1_000
Scope, Period = Budget.Scope, Budget.Period


class BudgetRefusedError(LoomError):
    """Somebody may not limit what this names."""

    code = "forbidden"
    http_status = HTTPStatus.FORBIDDEN


def limit_spending(
    *,
    owner: User,
    scope: str,
    scope_id: int | None,
    period: str,
    limit_usd: Decimal,
    ends_session: bool = False,
    name: str = "",
    channels: Sequence[AlertChannel] = (),
) -> Budget:
    """Make a budget that holds every run of what its scope names, from what has been spent in its period so far.

    `channels` are told when most and when all of it is spent. Of oneself by anybody, of everything else by staff: it
    refuses the runs of all. Raises LoomError.
    """
    named = _check_scope(owner, scope, scope_id)
    if period not in Period.values:
        raise InvalidInputError(_("The period is one of %(all)s.") % {"all": ", ".join(Period.values)})
    limit_micros = _limit(limit_usd)
    check_storable(name)
    if Budget.objects.exclude(scope="").count() >= MOST_BUDGETS:
        raise InvalidInputError(
            _("There are %(most)s budgets, which is as many as Loom takes.") % {"most": MOST_BUDGETS}
        )
    with transaction.atomic():
        budget = Budget.objects.create(
            owner=owner,
            name=name.strip()[:NAME_LENGTH] or named,
            period=period,
            limit_micros=limit_micros,
            scope=scope,
            scope_id=None if scope == Scope.ALL else scope_id,
            ends_session=ends_session,
        )
        set_channels(budget, channels)
        if period != Period.RUN:
            now = timezone.now()
            start_at = budget.period_start(now)
            row = BudgetPeriod.objects.create(budget=budget, start_at=start_at, spent_micros=_spent(budget, start_at))
            _tell(budget, row, now)
        notify(TOPIC, "changed")
    logger.info("budget made id=%s scope=%s period=%s", budget.pk, scope, period)
    return budget


def change_budget(
    *,
    budget: Budget,
    limit_usd: Decimal | None = None,
    ends_session: bool | None = None,
    name: str | None = None,
    channels: Sequence[AlertChannel] | None = None,
) -> Budget:
    """Give a budget another limit, name or other channels. A higher limit lets runs begin again at once.

    Raises InvalidInputError.
    """
    changes: dict[str, object] = {}
    if limit_usd is not None:
        changes["limit_micros"] = _limit(limit_usd)
    if ends_session is not None:
        changes["ends_session"] = ends_session
    if name is not None and name.strip():
        check_storable(name)
        changes["name"] = name.strip()[:NAME_LENGTH]
    with transaction.atomic():
        if changes:
            Budget.objects.filter(pk=budget.pk).update(**changes)
        budget.refresh_from_db()
        if channels is not None:
            set_channels(budget, channels)
        if limit_usd is not None:
            # Told anew by the new limit.
            budget.periods.update(warned_at=None, exceeded_at=None)
            now = timezone.now()
            for row in budget.periods.filter(start_at=budget.period_start(now)):
                _tell(budget, row, now)
        notify(TOPIC, "changed")
    return budget


def set_channels(budget: Budget, channels: Sequence[AlertChannel]) -> None:
    """Let these be told of it, and no others."""
    named = AlertChannel.budgets.through.objects.filter(budget=budget)
    named.exclude(alertchannel__in=channels).delete()
    for channel in channels:
        channel.budgets.add(budget)


def channels_of(budget: Budget) -> QuerySet[AlertChannel]:
    """Who is told when most and when all of it is spent."""
    return AlertChannel.objects.filter(budgets=budget)


def delete_budget(*, budget: Budget) -> None:
    """Limit nothing any more."""
    key = budget.pk
    with transaction.atomic():
        budget.delete()
        notify(TOPIC, "changed")
    logger.info("budget deleted id=%s", key)


def count_run(invocation: Invocation) -> None:
    """Count what a run cost in the budgets that hold it; in the transaction that ends it."""
    session = invocation.session
    held = budgets_of_run(agent_id=session.agent_id, owner_id=session.owner_id)
    if not held or not invocation.cost_usd:
        return
    micros, now = micros_of(invocation.cost_usd), timezone.now()
    for budget in held:
        if budget.period == Period.RUN:
            continue
        row, _is_new = BudgetPeriod.objects.get_or_create(budget=budget, start_at=budget.period_start(now))
        BudgetPeriod.objects.filter(pk=row.pk).update(spent_micros=F("spent_micros") + micros)
        row.refresh_from_db()
        _tell(budget, row, now)


def _tell(budget: Budget, row: BudgetPeriod, now: datetime) -> None:
    """Write down, once, that most or all of a period's budget is spent."""
    mine = BudgetPeriod.objects.filter(pk=row.pk)
    is_warned = row.spent_micros * 100 >= budget.limit_micros * Budget.WARNED_AT_PERCENT
    is_exceeded = row.spent_micros >= budget.limit_micros
    told = is_warned and mine.filter(warned_at=None).update(warned_at=now)
    if (is_exceeded and mine.filter(exceeded_at=None).update(exceeded_at=now)) or told:
        level = AlertNotice.BudgetLevel.EXCEEDED if is_exceeded else AlertNotice.BudgetLevel.WARNED
        for channel in channels_of(budget):
            AlertNotice.objects.create(
                channel=channel, budget_period=row, budget_level=level, created_at=now, next_at=now
            )
        notify(TOPIC, "exceeded" if is_exceeded else "warned")
        logger.warning("budget %s id=%s", "spent" if is_exceeded else "nearly spent", budget.pk)


def _spent(budget: Budget, start_at: datetime) -> int:
    runs = Invocation.objects.filter(runs_of(budget), requested_at__gte=start_at, status__in=Invocation.FINISHED)
    total = runs.order_by().aggregate(total=Sum("cost_usd"))["total"]
    return int((total or 0) * 1_000_000)


def runs_of(budget: Budget) -> Q:
    """The runs that a budget holds."""
    if budget.scope == Scope.AGENT:
        return Q(session__agent=budget.scope_id)
    return Q(session__owner=budget.scope_id) if budget.scope == Scope.OWNER else Q()


def _check_scope(owner: User, scope: str, scope_id: int | None) -> str:
    """The name of what is limited; raises LoomError where it is nothing, or not for this person to limit."""
    if scope not in Scope.values:
        raise InvalidInputError(_("The scope is one of %(all)s.") % {"all": ", ".join(Scope.values)})
    if not owner.is_staff and not (scope == Scope.OWNER and scope_id == owner.pk):
        raise BudgetRefusedError(
            _("This would refuse the runs of others."),
            advice=_("Limit your own runs (scope owner), or ask somebody of the staff."),
        )
    if scope == Scope.ALL:
        return _("All of Loom")
    model = Agent if scope == Scope.AGENT else User
    found = model.objects.filter(pk=scope_id).first() if scope_id is not None else None
    if found is None:
        raise InvalidInputError(_("There is nothing with the key %(key)s.") % {"key": scope_id})
    return str(found)[:NAME_LENGTH]


def _limit(limit_usd: Decimal) -> int:
    micros = micros_of(limit_usd)
    if not micros:
        raise InvalidInputError(_("The limit is more than 0."), advice=_("Archive the agent to stop all of its runs."))
    return micros
