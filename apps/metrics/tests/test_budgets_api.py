from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.costs.models import Budget
from apps.metrics.alerts.telling.channels import make_channel
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db


def send(client: Client, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    response = client.generic(method, f"/api{path}", json.dumps(body) if body is not None else "", "application/json")
    return response.status_code, json.loads(response.content or "null")


def test_a_budget_over_json(client: Client, carol: User, session: Session) -> None:
    client.force_login(carol)
    asked = {"scope": "agent", "scope_id": session.agent_id, "period": "day", "limit_usd": 2.5, "ends_session": True}

    status, made = send(client, "POST", "/budgets", asked)

    assert status == 201
    assert {name: made[name] for name in asked} == asked
    assert (made["scope_name"], made["state"], made["spent_usd"]) == (session.agent.name, "open", 0)
    assert made["period_start_at"] < made["period_end_at"]
    assert send(client, "GET", "/budgets") == (200, [made])
    status, changed = send(client, "PATCH", f"/budgets/{made['id']}", {"limit_usd": 5})
    assert (status, changed["limit_usd"], changed["ends_session"]) == (200, 5, True)
    assert send(client, "GET", f"/budgets/{made['id']}") == (200, changed)
    assert send(client, "DELETE", f"/budgets/{made['id']}") == (204, None)
    assert not Budget.objects.exists()


def test_its_channels_are_ones_own_and_stay_when_somebody_else_changes_it(
    client: Client, alice: User, carol: User
) -> None:
    make_channel(owner=alice, name="Ops", kind="email", address="ops@example.com")
    make_channel(owner=carol, name="Carol", kind="email", address="carol@example.com")
    client.force_login(alice)
    asked = {"scope": "owner", "scope_id": alice.pk, "period": "day", "limit_usd": 1}
    for name in ("Carol", "nobody's", "\0"):
        assert send(client, "POST", "/budgets", asked | {"channels": [name]})[0] == 404
    status, made = send(client, "POST", "/budgets", asked | {"channels": ["Ops", "Ops"]})
    assert (status, made["channels"]) == (201, ["Ops"])

    client.force_login(carol)
    page = client.get(f"/costs/budgets/{made['id']}/").content.decode()
    assert "Ops" in page and "Carol" in page
    status, changed = send(client, "PATCH", f"/budgets/{made['id']}", {"channels": ["Ops", "Carol"]})
    assert (status, sorted(changed["channels"])) == (200, ["Carol", "Ops"])
    status, changed = send(client, "PATCH", f"/budgets/{made['id']}", {"limit_usd": 2})
    assert sorted(changed["channels"]) == ["Carol", "Ops"]
    assert send(client, "PATCH", f"/budgets/{made['id']}", {"channels": []})[1]["channels"] == []


@pytest.mark.parametrize(
    "change",
    [{"scope": "planet"}, {"period": "year"}, {"limit_usd": 0}, {"limit_usd": "a lot"}, {"limit_usd": None},
     {"scope_id": 4711}, {"scope_id": "x"}],
)  # fmt: skip
def test_what_is_no_budget_is_refused(client: Client, carol: User, session: Session, change: dict[str, Any]) -> None:
    client.force_login(carol)
    asked = {"scope": "agent", "scope_id": session.agent_id, "period": "day", "limit_usd": 1, **change}

    status, body = send(client, "POST", "/budgets", asked)

    assert 400 <= status < 500 and body["message"]
    assert not Budget.objects.exists()


def test_a_stranger_may_not_limit_all_and_finds_nothing(client: Client, carol: User, bob: User) -> None:
    budget = Budget.objects.create(owner=carol, name="All", scope="all", period="day", limit_micros=1)
    client.force_login(bob)

    assert send(client, "POST", "/budgets", {"scope": "all", "period": "day", "limit_usd": 1})[0] == 403
    assert send(client, "GET", "/budgets") == (200, [])
    assert send(client, "GET", f"/budgets/{budget.pk}")[0] == 404
    assert send(client, "DELETE", f"/budgets/{budget.pk}")[0] == 404


def test_the_budget_of_a_plan_is_not_among_them(client: Client, carol: User) -> None:
    Budget.objects.create(owner=carol, name="Plan", limit_micros=1)
    client.force_login(carol)

    assert send(client, "GET", "/budgets") == (200, [])


def test_a_spent_budget_refuses_over_json_with_what_to_do(client: Client, carol: User, make_session: Any) -> None:
    session = make_session(owner=carol)
    budget = Budget.objects.create(owner=carol, name="All", scope="all", period="total", limit_micros=1)
    budget.periods.create(start_at=budget.period_start(session.created_at), spent_micros=1)
    client.force_login(carol)

    queue = f"/agents/{session.agent_id}/sessions/{session.runtime_session_id}/queue"
    status, body = send(client, "POST", queue, {"prompt": "go"})

    assert (status, body["error"]) == (402, "budget_exceeded")
    assert body["details"]["advice"]
