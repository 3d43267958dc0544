"""Every read of budgets and of what was spent, for pages and the API."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.costs.models import TOTAL_STARTS_AT, Budget, BudgetPeriod, usd_of
from apps.costs.selectors import budgets_visible_to
from apps.metrics.models import AlertChannel
from apps.metrics.spending.days import Spent, total_of

SHOWN = 200


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget in its present period. A limit of each run has nothing spent: every run has all of it."""

    budget: Budget
    scope_name: str
    spent_micros: int
    start_at: datetime | None
    end_at: datetime | None
    channels: tuple[str, ...] = ()

    @property
    def spent_usd(self) -> Decimal | None:
        return None if self.is_of_each_run else usd_of(self.spent_micros)

    @property
    def left_usd(self) -> Decimal | None:
        return None if self.is_of_each_run else usd_of(max(0, self.budget.limit_micros - self.spent_micros))

    @property
    def is_of_each_run(self) -> bool:
        return self.budget.period == Budget.Period.RUN

    @property
    def percent(self) -> int:
        """How much of it is spent, 100 at most."""
        return min(100, self.spent_micros * 100 // self.budget.limit_micros)

    @property
    def state(self) -> str:
        """One of "open", "nearly spent" and "spent"."""
        if self.is_of_each_run:
            return "open"
        if self.spent_micros >= self.budget.limit_micros:
            return "spent"
        return "nearly spent" if self.percent >= Budget.WARNED_AT_PERCENT else "open"


def scoped_budgets_visible_to(user: User | AnonymousUser) -> QuerySet[Budget]:
    """The budgets that hold runs, of those that `user` may see: not those of plans."""
    return budgets_visible_to(user).exclude(scope="").select_related("owner")


def budget_states(budgets: Iterable[Budget]) -> list[BudgetState]:
    """Each budget with what is spent of it now, in three or four statements however many there are."""
    found, now = list(budgets), timezone.now().astimezone(UTC)
    starts = {budget.pk: budget.period_start(now) for budget in found}
    periods = {
        (row.budget_id, row.start_at): row.spent_micros
        for row in BudgetPeriod.objects.filter(budget__in=starts, start_at__in=set(starts.values()))
    }
    told: dict[int, list[str]] = defaultdict(list)
    for key, channel in AlertChannel.objects.filter(budgets__in=starts).values_list("budgets", "name"):
        told[key].append(channel)
    names = _names(found)
    return [
        BudgetState(
            budget, names(budget), periods.get((budget.pk, starts[budget.pk]), 0), *_span(budget, starts[budget.pk]),
            tuple(told[budget.pk]),
        )
        for budget in found
    ]  # fmt: skip


def _span(budget: Budget, start_at: datetime) -> tuple[datetime | None, datetime | None]:
    if start_at == TOTAL_STARTS_AT:
        return None, None
    if budget.period == Budget.Period.DAY:
        return start_at, start_at + timedelta(days=1)
    return start_at, (start_at + timedelta(days=32)).replace(day=1)


def _names(budgets: Iterable[Budget]) -> Callable[[Budget], str]:
    keys: dict[str, set[int]] = defaultdict(set)
    for budget in budgets:
        if budget.scope_id is not None:
            keys[budget.scope].add(budget.scope_id)
    agents = dict(Agent.objects.filter(pk__in=keys[Budget.Scope.AGENT]).values_list("pk", "name"))
    people = dict(User.objects.filter(pk__in=keys[Budget.Scope.OWNER]).values_list("pk", "email"))
    named = {Budget.Scope.AGENT: agents, Budget.Scope.OWNER: people}

    def name(budget: Budget) -> str:
        if budget.scope == Budget.Scope.ALL:
            return _("All of Loom")
        return named[Budget.Scope(budget.scope)].get(budget.scope_id or 0) or _("deleted")

    return name


@dataclass(frozen=True, slots=True)
class SpentBy:
    """What was spent by one agent, person, day or source. `usd` is None where no cost of it is known."""

    key: object
    name: str
    usd: Decimal | None
    run_count: int
    unknown_count: int
    estimate_count: int

    @property
    def is_estimate(self) -> bool:
        return bool(self.estimate_count)


def grouped(rows: Iterable[Spent], key: Callable[[Spent], object], names: Callable[[object], str]) -> list[SpentBy]:
    """What was spent by each key, the most first."""
    parts: dict[object, list[Spent]] = defaultdict(list)
    for row in rows:
        parts[key(row)].append(row)
    found = [spent_by(one, names(one), among) for one, among in parts.items()]
    return sorted(found, key=lambda one: (-(one.usd or 0), one.name))


def spent_by(key: object, name: str, rows: Iterable[Spent]) -> SpentBy:
    micros, runs, unknown, estimates = total_of(rows)
    return SpentBy(key, name, None if runs == unknown else usd_of(micros), runs, unknown, estimates)


def names_of_agents(rows: Iterable[Spent]) -> Callable[[object], str]:
    found = dict(Agent.objects.filter(pk__in={row.agent_id for row in rows}).values_list("pk", "name"))
    return lambda key: found.get(key, "") if isinstance(key, int) else ""


def names_of_people(rows: Iterable[Spent]) -> Callable[[object], str]:
    found = dict(User.objects.filter(pk__in={row.owner_id for row in rows}).values_list("pk", "email"))
    return lambda key: found.get(key, "") if isinstance(key, int) else _("nobody")
