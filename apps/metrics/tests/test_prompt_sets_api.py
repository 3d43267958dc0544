from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.models import Plan
from apps.metrics.tests.runs import make_run
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def post(client: Client, path: str, body: dict[str, Any], status: int, **headers: str) -> Any:
    answer = client.post(f"/api{path}", body, content_type="application/json", headers=headers)
    assert answer.status_code == status, answer.content
    return answer.json()


def test_a_set_is_made_run_on_two_endpoints_and_read(as_alice: Client, make_agent: Callable[..., Agent]) -> None:
    made = post(
        as_alice, "/prompt-sets", {"name": "Trips", "format": "csv", "text": "prompt,contains\nTrip?,Ghent"}, 201
    )
    (prompt,) = made["prompts"]
    assert (prompt["prompt"], prompt["run_id"]) == ("Trip?", None)
    assert prompt["checks"] == [{"kind": "contains", "text": "Ghent"}]
    assert [one["id"] for one in as_alice.get("/api/prompt-sets").json()] == [made["id"]]
    agents = [make_agent() for _ in range(2)]
    body = {"targets": [{"agent_id": agent.pk} for agent in agents], "order": "random", "seed": 7, "at_once": 2}
    plan, again = (
        post(as_alice, f"/prompt-sets/{made['id']}/run", body, 202, **{"Idempotency-Key": "k"}) for _ in "ab"
    )
    assert again == plan
    assert (plan["state"], plan["run_count"], plan["done"], plan["passed"]) == ("running", 2, 0, None)
    assert [run["status"] for run in plan["runs"]] == ["queued", "queued"]

    now = timezone.now()
    for run in plan["runs"]:
        answer = "Ghent" if run["target"] == 0 else "Bruges"
        told = {"invoked_at": now, "response_text": answer, "http_status": 404}  # refused: nothing is to be ended
        assert finish_invocation(None, Pending(run["run_id"], [], told), status="completed", completed_at=now)
    post(as_alice, f"/plans/{plan['id']}/cancel", {}, 202)
    found = as_alice.get(f"/api/plans/{plan['id']}").json()

    assert (found["done"], found["passed"]["count"], found["passed"]["n"]) == (2, 1, 2)
    [compared] = found["comparisons"]
    assert (compared["first"], compared["second"], compared["passed"]["difference"]) == (0, 1, -1.0)
    assert (compared["passed"]["only_first"], compared["passed"]["only_second"]) == (1, 0)
    assert compared["total"]["n"] == 1 and compared["total"]["p50_ms"] is None


def test_what_is_wrong_with_a_set_is_told(as_alice: Client, make_session: Callable[..., Session]) -> None:
    run = make_run(make_session(), prompt="One?")
    for body, told in (
        ({"name": "a"}, "one of `prompts`, `run_ids` and `text`"),
        ({"name": "a", "run_ids": [run.pk], "text": "x"}, "one of `prompts`, `run_ids` and `text`"),
        ({"name": "a", "text": "{}"}, "Line 1: The prompt is empty."),
        ({"name": " ", "run_ids": [run.pk]}, "a name of 1 to 120"),
        ({"name": "a", "run_ids": []}, "1 to 1,000 prompts"),
        ({"name": "a", "prompts": [{"prompt": "x", "checks": [{"kind": "is"}]}]}, "Check 1 cannot be used"),
    ):
        assert told in post(as_alice, "/prompt-sets", body, 400)["message"]
    post(as_alice, "/prompt-sets", {"name": "a", "run_ids": [2**62]}, 404)
    post(as_alice, "/prompt-sets", {"name": "a", "run_ids": [run.pk]}, 201)
    assert post(as_alice, "/prompt-sets", {"name": "a", "run_ids": [run.pk]}, 409)["error"] == "name_taken"


def test_one_prompt_goes_to_several_side_by_side(as_alice: Client, make_agent: Callable[..., Agent]) -> None:
    agents = [make_agent() for _ in range(3)]
    body = {"prompt": "Trip?", "targets": [{"agent_id": agent.pk} for agent in agents]}
    plan = post(as_alice, "/side-by-side", body, 202)

    assert [run["status"] for run in plan["runs"]] == ["queued"] * 3
    assert set(Session.objects.values_list("purpose", flat=True)) == {"conversation"}
    assert not Plan.objects.get().ends_session
    assert (
        "once" in post(as_alice, "/side-by-side", {**body, "targets": [{"agent_id": agents[0].pk}] * 2}, 400)["message"]
    )
