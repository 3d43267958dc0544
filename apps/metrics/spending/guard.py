"""Holds runs to their budgets: refuses new ones where nothing is left, and stops one that passes the limit.

A running one is looked at with each of its events. Its cost so far is what its environment costs for as long as it has
answered, at most, and its tokens at their price: an estimate, of which the budget says so. What other runs of this
process have cost so far counts too, and what other processes counted is read again every two seconds.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from types import ModuleType
from typing import Any

from django.db import connections
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.costs.models import MICROS, Budget, BudgetPeriod
from apps.costs.runs import environment_usd
from apps.costs.selectors import budgets_of_run, token_price
from apps.costs.services import BudgetExceededError
from apps.sessions.models import Invocation, Session
from loom_events.recorded import RecordedEvent

READ_AGAIN_S = 2.0
HOUR = timedelta(hours=1)


def _words() -> ModuleType:
    from apps.costs import wording  # noqa: PLC0415 -- every process has a guard, and few refuse

    return wording


class Left:
    """What is left of a budget, as this process knows it: what was counted, and what its own runs cost so far."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.spent = 0.0
        self.running = 0.0
        self.run_count = 0
        self._read_at = float("-inf")
        self._is_reading = False

    def read(self) -> None:
        """Look up what was counted; from a thread."""
        start_at = self.budget.period_start(timezone.now())
        row = BudgetPeriod.objects.filter(budget=self.budget.pk, start_at=start_at).first()
        fresh = Budget.objects.filter(pk=self.budget.pk).first()
        self.budget = fresh or self.budget
        # A budget that was deleted meanwhile holds nobody any more.
        self.spent = float("-inf") if fresh is None else float(row.spent_micros if row else 0)
        self._read_at, self._is_reading = time.monotonic(), False

    def read_again(self) -> None:
        """Have it looked up where that was some time ago; on the loop, which does not wait."""
        if self._is_reading or time.monotonic() - self._read_at < READ_AGAIN_S:
            return
        self._is_reading = True
        asyncio.get_running_loop().run_in_executor(None, self._read_in_thread)

    def _read_in_thread(self) -> None:
        try:
            self.read()
        finally:
            self._is_reading = False
            connections.close_all()

    def is_passed(self, run_micros: float) -> bool:
        """Whether a run that has cost so much so far is beyond it."""
        if self.budget.period == Budget.Period.RUN:
            return self.spent != float("-inf") and run_micros >= self.budget.limit_micros
        return self.spent + self.running >= self.budget.limit_micros


class RunWatch:
    """Adds up what one run costs while it goes on."""

    def __init__(self, guard: BudgetGuard, invocation: Invocation, budgets: list[Left]) -> None:
        self._guard = guard
        self._invocation_id = invocation.pk
        self._budgets = budgets
        kind = invocation.kind or invocation.session.agent.kind
        self._micros_a_s = float(environment_usd(kind, HOUR)) * MICROS / HOUR.total_seconds()
        price = token_price(model=invocation.model, at=timezone.now()) if invocation.model else None
        self._input = float(price.input_usd) if price else 0.0  # millionths for a token: dollars for a million
        self._output = float(price.output_usd) if price else 0.0
        self._began_s: float | None = None
        self._tokens_micros = self.micros = 0.0

    def reason_to_stop(self, events: Sequence[RecordedEvent]) -> str | None:
        now_s = time.monotonic()
        if self._began_s is None:
            self._began_s = now_s
        if self._input or self._output:
            self._add_tokens(events)
        before, self.micros = self.micros, (now_s - self._began_s) * self._micros_a_s + self._tokens_micros
        passed: Left | None = None
        for left in self._budgets:
            left.running += self.micros - before
            left.read_again()
            if passed is None and left.is_passed(self.micros):
                passed = left
        if passed is None:
            return None
        self._guard.stopped[self._invocation_id] = passed.budget
        return _stopped_text(passed.budget)

    def _add_tokens(self, events: Sequence[RecordedEvent]) -> None:
        for event in events:
            if event["kind"] == "usage":
                used: Any = event
                self._tokens_micros += used["input_tokens"] * self._input + used["output_tokens"] * self._output

    def close(self) -> None:
        for left in self._budgets:
            left.running -= self.micros
        self._guard.stopped.pop(self._invocation_id, None)
        self._guard.let_go(self._budgets)


class BudgetGuard:
    """The guard that the engine asks. One a process."""

    def __init__(self) -> None:
        self._left: dict[int, Left] = {}
        # Runs of this process that are being stopped, until they are over, and by which budget.
        self.stopped: dict[int, Budget] = {}
        self._lock = threading.Lock()

    def before(self, session: Session) -> None:
        """Raise BudgetExceededError where a budget that holds the session has nothing left."""
        now = timezone.now()
        for budget in budgets_of_run(agent_id=session.agent_id, owner_id=session.owner_id):
            if budget.period == Budget.Period.RUN:
                continue
            row = budget.periods.filter(start_at=budget.period_start(now)).first()
            if row is not None and row.spent_micros >= budget.limit_micros:
                raise BudgetExceededError(
                    _("The budget %(name)s is spent: %(spent)s.")
                    % {"name": budget.name, "spent": _words().spent_text(budget, row.spent_micros)},
                    advice=_("Raise its limit under Costs, or wait for its next period."),
                )

    def watch(self, invocation: Invocation) -> RunWatch | None:
        session = invocation.session
        budgets = budgets_of_run(agent_id=session.agent_id, owner_id=session.owner_id)
        if not budgets:
            return None
        with self._lock:
            lefts = [self._left.setdefault(budget.pk, Left(budget)) for budget in budgets]
            for left in lefts:
                left.run_count += 1
        try:
            for left in lefts:
                left.read()
            return RunWatch(self, invocation, lefts)
        except BaseException:
            self.let_go(lefts)
            raise

    def let_go(self, lefts: list[Left]) -> None:
        """A run is over: what nobody looks at any more is forgotten."""
        with self._lock:
            for left in lefts:
                left.run_count -= 1
                if not left.run_count:
                    self._left.pop(left.budget.pk, None)


def _stopped_text(budget: Budget) -> str:
    return _("Stopped by the budget %(name)s: %(limit)s, by an estimate of what this run has cost so far.") % {
        "name": budget.name,
        "limit": _words().limit_text(budget),
    }


budget_guard = BudgetGuard()
