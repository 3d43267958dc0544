"""Budgets: what something may cost is reserved before it happens, and settled when it is known what it cost.

Nobody waits for a lock, and two at once cannot both take what is left for one: a reservation is a conditional update of
its period's sums. Who dies between the two leaves a reservation that expires.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from http import HTTPStatus

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.exceptions import InvalidInputError, LoomError
from apps.costs.models import MICROS, Budget, BudgetPeriod, Reservation
from apps.costs.selectors import left_usd

logger = logging.getLogger(__name__)

State = Reservation.State
HIGHEST_USD = Decimal(1_000_000)


class BudgetExceededError(LoomError):
    """What is left of a budget is less than something may cost."""

    code = "budget_exceeded"
    http_status = HTTPStatus.PAYMENT_REQUIRED
    is_retryable = False


def micros_of(usd: Decimal) -> int:
    """Millionths of a dollar, rounded up. Raises InvalidInputError for what is no amount."""
    if not usd.is_finite() or not 0 <= usd <= HIGHEST_USD:
        raise InvalidInputError(_("An amount is between 0 and %(highest)s US dollars.") % {"highest": HIGHEST_USD})
    return int((usd * MICROS).to_integral_value(rounding=ROUND_UP))


def make_budget(*, owner: User, name: str, limit_usd: Decimal, period: Budget.Period = Budget.Period.TOTAL) -> Budget:
    return Budget.objects.create(owner=owner, name=name, limit_micros=micros_of(limit_usd), period=period)


def check(*, budget: Budget, usd: Decimal, now: datetime) -> bool:
    """Whether so much could be reserved now; nothing is held by asking."""
    return micros_of(usd) <= micros_left(budget, now)


def micros_left(budget: Budget, now: datetime) -> int:
    return int(left_usd(budget, now) * MICROS)


def reserve(*, budget: Budget, usd: Decimal, key: str, now: datetime, lasting: timedelta) -> Reservation:
    """Set aside what something may cost, until `lasting` from now. The same key again is the same reservation.

    Raises BudgetExceededError where less is left.
    """
    micros = micros_of(usd)
    start_at = budget.period_start(now)
    period, _is_new = BudgetPeriod.objects.get_or_create(budget=budget, start_at=start_at)
    try:
        with transaction.atomic():
            reservation, is_new = Reservation.objects.get_or_create(
                period=period, key=key, defaults={"reserved_micros": micros, "expires_at": now + lasting}
            )
            # The condition stands over columns of the row itself: who waited for another update judges by its result.
            has_room = BudgetPeriod.objects.filter(
                pk=period.pk, reserved_micros__lte=budget.limit_micros - micros - F("spent_micros")
            )
            if is_new and not has_room.update(reserved_micros=F("reserved_micros") + micros):
                raise BudgetExceededError(
                    _("%(name)s has $%(left)s left, and this may cost $%(usd)s.")
                    % {"name": budget.name, "left": left_usd(budget, now), "usd": usd},
                    advice=_("Allow a higher cost, or wait for what is running."),
                )
    except IntegrityError:  # reserved twice at once
        return Reservation.objects.get(period=period, key=key)
    return reservation


def settle(*, budget: Budget, key: str, usd: Decimal | None) -> bool:
    """Say what it cost; None, that it happened and nobody knows, counts what was reserved. False where nothing was left
    to settle.

    A cost above what was reserved counts too, beyond the limit where it has to: it was spent.
    """
    return sum(_settle(found, usd) for found in _with_key(budget, key, (State.OPEN, State.EXPIRED))) > 0


def _settle(found: Reservation, usd: Decimal | None) -> bool:
    spent = found.reserved_micros if usd is None else micros_of(usd)
    return _move(found, (State.OPEN, State.EXPIRED), State.SETTLED, spent)


def release(*, budget: Budget, key: str) -> bool:
    """Say that it did not happen: what was reserved is free again."""
    return sum(_move(found, (State.OPEN,), State.RELEASED) for found in _with_key(budget, key, (State.OPEN,))) > 0


def expire_reservations(now: datetime) -> int:
    """Free what was reserved by somebody who has not come back; return how many. What it cost still counts, if it is
    settled later.
    """
    due = Reservation.objects.filter(state=State.OPEN, expires_at__lte=now)
    count = sum(_move(found, (State.OPEN,), State.EXPIRED) for found in due)
    if count:
        logger.warning("reservations expired count=%d", count)
    return count


def _with_key(budget: Budget, key: str, states: Iterable[State]) -> Iterable[Reservation]:
    return Reservation.objects.filter(period__budget=budget, key=key, state__in=states)


def _move(found: Reservation, among: tuple[State, ...], state: State, spent: int = 0) -> bool:
    """Take a reservation on, and its period's sums with it; False where somebody else just has."""
    with transaction.atomic():
        for before in among:
            rows = Reservation.objects.filter(pk=found.pk, state=before)
            columns = {"spent_micros": spent} if state == State.SETTLED else {}
            if not rows.update(state=state, **columns):
                continue
            freed = found.reserved_micros if before == State.OPEN else 0
            BudgetPeriod.objects.filter(pk=found.period_id).update(
                reserved_micros=F("reserved_micros") - freed, spent_micros=F("spent_micros") + spent
            )
            return True
    return False
