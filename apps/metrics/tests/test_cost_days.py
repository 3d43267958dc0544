"""What runs cost by the day, and the page that shows it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.costs.models import Budget
from apps.metrics.models import CostDay, CostsSettled
from apps.metrics.spending.budgets import limit_spending
from apps.metrics.spending.days import settle_costs, spent_between, total_of
from apps.metrics.tests.runs import make_run
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
TODAY = NOON.date()
DAY = timedelta(days=1)


def run_on(session: Session, days_ago: int, usd: str | None = "0.5", **overrides: Any) -> None:
    ended_at = NOON - days_ago * DAY
    cost = {"cost_usd": usd and Decimal(usd), "cost_source": "estimate" if usd else "unknown"}
    make_run(session, **{"completed_at": ended_at, "invoked_at": ended_at, **cost, **overrides})


def settle_all(now: datetime | None = None) -> int:
    done = 0
    while found := settle_costs(now or timezone.now()):
        done += found
    return done


def spent(first: date, last: date) -> tuple[int, int, int, int]:
    return total_of(spent_between(first, last)[0])


def test_days_that_are_over_are_added_up_once_and_today_is_read(session: Session) -> None:
    run_on(session, 3, "1.25")
    run_on(session, 1, "0.25")
    run_on(session, 1, None)
    run_on(session, 0, "2")
    settle_all(NOON)

    assert {row.day: row.cost_micros for row in CostDay.objects.all()} == {
        TODAY - 3 * DAY: 1_250_000, TODAY - DAY: 250_000,
    }  # fmt: skip
    assert spent(TODAY - 7 * DAY, TODAY) == (3_500_000, 4, 1, 3)
    assert spent(TODAY, TODAY) == (2_000_000, 1, 0, 1)
    assert settle_costs(NOON) == 0


def test_a_day_is_added_up_when_its_last_runs_are_written(session: Session) -> None:
    run_on(session, 1)
    midnight = NOON.replace(hour=0)
    settle_all(midnight + timedelta(minutes=59))
    assert not CostDay.objects.filter(day=TODAY - DAY).exists()
    settle_all(midnight + timedelta(minutes=61))
    assert CostDay.objects.filter(day=TODAY - DAY).exists()


def test_a_worker_that_was_away_makes_up_for_its_days(session: Session) -> None:
    run_on(session, 9)
    settle_all(NOON - 8 * DAY)
    for days_ago in (6, 4, 2):
        run_on(session, days_ago)
    assert settle_all(NOON) >= 7

    assert sorted(CostDay.objects.values_list("day", flat=True)) == [TODAY - n * DAY for n in (9, 6, 4, 2)]
    row = CostsSettled.objects.get()
    assert (row.since, row.until) == (TODAY - 9 * DAY, TODAY - DAY)


def test_what_was_spent_stays_when_a_run_is_deleted(session: Session) -> None:
    run_on(session, 2)
    settle_all(NOON)
    session.invocations.all().delete()

    assert spent(TODAY - 3 * DAY, TODAY) == (500_000, 1, 0, 1)


def test_it_says_since_when_it_knows(session: Session) -> None:
    run_on(session, 40)
    run_on(session, 1)

    assert spent_between(TODAY - 50 * DAY, TODAY)[1] == TODAY - DAY
    settle_all(NOON)
    assert spent_between(TODAY - 50 * DAY, TODAY)[1] is None


def test_a_run_that_was_never_sent_is_no_run_of_unknown_cost(session: Session) -> None:
    run_on(session, 0, None, invoked_at=None)

    assert spent(TODAY, TODAY) == (0, 0, 0, 0)


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_adds_up_and_leads_to_the_runs(client: Client, carol: User, session: Session) -> None:
    client.force_login(carol)
    run_on(session, 0, "1.50")
    run_on(session, 0, None)

    page = client.get("/costs/?days=7").content.decode()

    assert "up to $1.50" in page and "of 1 nobody knows the cost" in page
    assert f'href="/runs/?agent={session.agent_id}"' in page
    assert "alice@example.com" in page  # who spent it, for staff


def test_others_see_what_agents_cost_and_not_who_spent_it(client: Client, bob: User, session: Session) -> None:
    client.force_login(bob)
    run_on(session, 0)
    page = client.get("/costs/").content.decode()
    lines = list(csv.DictReader(io.StringIO(b"".join(client.get("/costs/csv/")).decode())))

    assert f'href="/agents/{session.agent_id}/"' in page
    assert "alice@example.com" not in page
    assert [(line["agent"], line["cost_usd"], "owner" in line) for line in lines] == [
        (session.agent.name, "0.5", False)
    ]


def test_without_runs_it_says_so(client: Client, alice: User) -> None:
    client.force_login(alice)
    page = client.get("/costs/?days=nonsense").content.decode()

    assert "Nothing was spent" in page and "Nothing is limited" in page


def test_a_budget_is_made_changed_and_deleted_on_the_page(client: Client, carol: User, session: Session) -> None:
    client.force_login(carol)
    form = {"what": f"agent:{session.agent_id}", "period": "day", "limit_usd": "2.5", "ends_session": "on"}

    assert client.post("/costs/budgets/new/", form).status_code == 302
    budget = Budget.objects.get()
    assert (budget.name, budget.limit_usd, budget.ends_session) == (session.agent.name, Decimal("2.5"), True)
    assert client.post(f"/costs/budgets/{budget.pk}/", {"name": "Trips", "limit_usd": "3"}).status_code == 302
    assert "Trips" in client.get("/costs/").content.decode()
    assert client.post(f"/costs/budgets/{budget.pk}/delete/").status_code == 302
    assert not Budget.objects.exists()


def test_what_was_typed_comes_back_with_what_is_wrong(client: Client, alice: User, make_agent: Any) -> None:
    client.force_login(alice)
    agent: Agent = make_agent()
    response = client.post("/costs/budgets/new/", {"what": f"agent:{agent.pk}", "period": "day", "limit_usd": "-1"})

    assert response.status_code == 422
    page = response.content.decode()
    assert 'value="-1"' in page and "details" in page
    assert not Budget.objects.exists()


def test_a_stranger_finds_no_budget_of_somebody_else(client: Client, carol: User, bob: User) -> None:
    budget = limit_spending(owner=carol, scope="all", scope_id=None, period="day", limit_usd=Decimal(1))
    client.force_login(bob)

    assert client.get(f"/costs/budgets/{budget.pk}/").status_code == 404
    assert client.post(f"/costs/budgets/{budget.pk}/delete/").status_code == 404
    assert Budget.objects.filter(pk=budget.pk).exists()
