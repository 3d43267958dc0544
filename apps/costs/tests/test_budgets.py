"""Budgets: never more reserved than is left, whoever comes at once, whoever dies, whatever it costs in the end."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connections, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.core.exceptions import InvalidInputError
from apps.costs import services
from apps.costs.models import Budget, BudgetPeriod, Reservation
from apps.costs.selectors import budgets_visible_to, left_usd
from apps.costs.services import BudgetExceededError, expire_reservations, release, reserve, settle

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def budget(alice: User) -> Budget:
    return services.make_budget(owner=alice, name="Trials", limit_usd=Decimal("1.00"))


def take(budget: Budget, usd: str, key: str, now: datetime = NOON) -> Reservation:
    return reserve(budget=budget, usd=Decimal(usd), key=key, now=now, lasting=HOUR)


@pytest.mark.django_db
def test_what_is_reserved_is_taken_and_what_is_settled_is_spent(budget: Budget) -> None:
    take(budget, "0.70", "a")
    assert left_usd(budget, NOON) == Decimal("0.30")
    assert not services.check(budget=budget, usd=Decimal("0.300001"), now=NOON)
    with pytest.raises(BudgetExceededError) as refused:
        take(budget, "0.31", "b")
    assert "$0.3 left" in str(refused.value)
    assert not Reservation.objects.filter(key="b").exists()

    assert settle(budget=budget, key="a", usd=Decimal("0.10"))
    assert left_usd(budget, NOON) == Decimal("0.90")
    assert not settle(budget=budget, key="a", usd=Decimal("0.10"))
    assert left_usd(budget, NOON) == Decimal("0.90")


@pytest.mark.django_db
def test_the_same_key_again_is_the_same_reservation(budget: Budget) -> None:
    assert take(budget, "0.70", "a") == take(budget, "0.70", "a")
    assert left_usd(budget, NOON) == Decimal("0.30")


@pytest.mark.django_db
def test_who_dies_before_settling_frees_it_in_time_and_what_it_cost_counts_later(budget: Budget) -> None:
    take(budget, "1.00", "a")
    assert expire_reservations(NOON + HOUR - timedelta(seconds=1)) == 0
    assert expire_reservations(NOON + HOUR) == 1
    assert left_usd(budget, NOON) == Decimal("1.00")

    take(budget, "0.80", "b")
    assert settle(budget=budget, key="a", usd=Decimal("0.50"))
    assert left_usd(budget, NOON) == Decimal("-0.30")


@pytest.mark.django_db
def test_an_unknown_cost_counts_as_what_was_reserved_and_what_did_not_happen_as_nothing(budget: Budget) -> None:
    take(budget, "0.25", "a")
    take(budget, "0.25", "b")
    assert settle(budget=budget, key="a", usd=None)
    assert release(budget=budget, key="b") and not release(budget=budget, key="b")
    assert not settle(budget=budget, key="b", usd=Decimal("0.25"))
    assert left_usd(budget, NOON) == Decimal("0.75")


@pytest.mark.django_db
@pytest.mark.parametrize(("period", "later"), [("day", timedelta(hours=12)), ("month", timedelta(days=10, hours=12))])
def test_every_period_begins_anew(alice: User, period: str, later: timedelta) -> None:
    budget = services.make_budget(owner=alice, name="Trials", limit_usd=Decimal(1), period=Budget.Period(period))
    take(budget, "1", "a")
    with pytest.raises(BudgetExceededError):
        take(budget, "0.000001", "b", NOON + later - timedelta(hours=1))

    take(budget, "1", "c", NOON + later)
    assert left_usd(budget, NOON + later) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("usd", ["NaN", "Infinity", "-0.01", "1000000.01"])
def test_what_is_no_amount_is_refused(budget: Budget, usd: str) -> None:
    with pytest.raises(InvalidInputError):
        take(budget, usd, "a")


@pytest.mark.django_db
def test_a_budget_is_its_owners_and_the_staffs(budget: Budget, alice: User, bob: User, carol: User) -> None:
    assert [list(budgets_visible_to(user)) for user in (alice, bob, carol)] == [[budget], [], [budget]]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "settle", "settle unknown", "release", "expire"]),
        st.sampled_from("abcdef"),
        st.decimals(0, 1, places=6),
    ),
    max_size=30,
)


@pytest.mark.django_db
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=STEPS)
def test_the_sums_are_those_of_the_reservations_whatever_happens(
    budget: Budget, steps: list[tuple[str, str, Decimal]]
) -> None:
    """To the millionth: no fraction is lost. And whoever got a reservation got it within the limit."""
    now = NOON
    with transaction.atomic():
        for what, key, usd in steps:
            now += timedelta(minutes=20)
            left = left_usd(budget, now)
            if what == "reserve":
                is_known = Reservation.objects.filter(key=key).exists()
                try:
                    reserve(budget=budget, usd=usd, key=key, now=now, lasting=HOUR)
                except BudgetExceededError:
                    assert usd > left
                else:
                    assert is_known or usd <= left
            elif what == "release":
                release(budget=budget, key=key)
            elif what == "expire":
                expire_reservations(now)
            else:
                settle(budget=budget, key=key, usd=None if what == "settle unknown" else usd)
        for period in BudgetPeriod.objects.all():
            rows = period.reservations
            reserved = rows.filter(state="open").aggregate(sum=Sum("reserved_micros"))["sum"] or 0
            spent = rows.filter(state="settled").aggregate(sum=Sum("spent_micros"))["sum"] or 0
            assert (period.reserved_micros, period.spent_micros) == (reserved, spent)
        transaction.set_rollback(True)


def _at_once(*works: object) -> None:
    threads = [threading.Thread(target=work) for work in works]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_only_as_many_get_it_as_there_is_room_for(budget: Budget) -> None:
    outcomes: list[bool] = []
    all_ask = threading.Barrier(8, timeout=30)

    def ask(key: str) -> None:
        try:
            all_ask.wait()
            take(budget, "0.30", key)
            outcomes.append(True)
        except BudgetExceededError:
            outcomes.append(False)
        finally:
            connections.close_all()

    _at_once(*[lambda key=str(number): ask(key) for number in range(8)])

    assert (outcomes.count(True), outcomes.count(False)) == (3, 5)
    assert left_usd(budget, NOON) == Decimal("0.10")


@pytest.mark.django_db(transaction=True)
def test_settled_and_expired_at_once_it_counts_once(budget: Budget) -> None:
    for number in range(5):
        take(budget, "0.10", str(number))
    both = threading.Barrier(2, timeout=30)

    def expire() -> None:
        both.wait()
        expire_reservations(NOON + HOUR)
        connections.close_all()

    def settle_all() -> None:
        both.wait()
        for number in range(5):
            settle(budget=budget, key=str(number), usd=Decimal("0.02"))
        connections.close_all()

    _at_once(expire, settle_all)

    period = BudgetPeriod.objects.get()
    assert (period.reserved_micros, period.spent_micros) == (0, 100_000)
