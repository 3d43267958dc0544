"""The prompts of a set over JSON, what runs of it would cost, and which plans there were."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.models import PromptSet
from apps.metrics.prompt_sets.reading import MAX_PROMPTS, Prompt
from apps.metrics.prompt_sets.services import make_prompt_set
from apps.metrics.tests.runs import make_run
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db
CONTAINS = [{"kind": "contains", "text": "Ghent"}]


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def trips(alice: User) -> PromptSet:
    return make_prompt_set(owner=alice, name="Trips", prompts=[Prompt("One?"), Prompt("Two?", CONTAINS)])


def call(client: Client, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = "" if body is None else json.dumps(body)
    answer = client.generic(method, f"/api{path}", data, content_type="application/json")
    return answer.status_code, json.loads(answer.content) if answer.content else None


def prompts_of(client: Client, trips: PromptSet) -> list[Any]:
    found: list[Any] = call(client, "GET", f"/prompt-sets/{trips.pk}")[1]["prompts"]
    return found


def test_prompts_are_added_from_wherever_a_set_can_be_made(
    as_alice: Client, trips: PromptSet, make_session: Callable[..., Session]
) -> None:
    run = make_run(make_session(), prompt="Four?")
    path = f"/prompt-sets/{trips.pk}/prompts"
    assert call(as_alice, "POST", path, {"text": "prompt,contains\nThree?,Ghent", "format": "csv"})[0] == 201
    status, made = call(as_alice, "POST", path, {"run_ids": [run.pk]})
    assert (status, [one["prompt"] for one in made["prompts"]]) == (201, ["One?", "Two?", "Three?", "Four?"])
    assert (made["prompts"][2]["checks"], made["prompts"][3]["run_id"]) == (CONTAINS, run.pk)
    assert len(call(as_alice, "POST", path, {"run_ids": [run.pk]})[1]["prompts"]) == 4
    for body, told in (
        ({}, "one of `prompts`"),
        ({"prompts": []}, "no prompt to add"),
        ({"prompts": [{"prompt": "A"}, {"prompt": " "}]}, "The prompt is empty."),
        ({"text": "x"}, "Line 1 is not JSON"),
        ({"prompts": [{"prompt": "A"}] * (MAX_PROMPTS - 3)}, "1 to 1,000 prompts"),
    ):
        status, answer = call(as_alice, "POST", path, body)
        assert (status, told in answer["message"]) == (400, True), answer
    assert len(prompts_of(as_alice, trips)) == 4


def test_a_prompt_is_changed_as_it_was_looked_at(as_alice: Client, trips: PromptSet) -> None:
    _, two = prompts_of(as_alice, trips)
    path = f"/prompt-sets/{trips.pk}/prompts/{two['id']}"
    status, changed = call(as_alice, "PATCH", path, {"prompt": "Deux ?", "mark": two["mark"]})
    assert (status, changed["prompt"], changed["checks"]) == (200, "Deux ?", CONTAINS)
    status, late = call(as_alice, "PATCH", path, {"checks": [], "mark": two["mark"]})
    assert (status, late["error"]) == (409, "changed_meanwhile")
    assert call(as_alice, "DELETE", f"{path}?mark={two['mark']}")[0] == 409
    moved = call(as_alice, "PATCH", path, {"checks": [], "position": 1})[1]
    assert (moved["prompt"], moved["checks"]) == ("Deux ?", [])
    assert [one["prompt"] for one in prompts_of(as_alice, trips)] == ["Deux ?", "One?"]
    for body in ({"prompt": " "}, {"checks": [{"kind": "odd"}]}, {"position": 0}, {"text": "x"}):
        assert call(as_alice, "PATCH", path, body)[0] == 400
    assert call(as_alice, "DELETE", path)[0] == 204
    assert call(as_alice, "DELETE", path)[0] == 404
    [last] = prompts_of(as_alice, trips)
    status, refused = call(as_alice, "DELETE", f"/prompt-sets/{trips.pk}/prompts/{last['id']}")
    assert (status, "the last prompt" in refused["message"]) == (400, True)


def test_a_set_is_renamed_and_given_as_a_file_that_is_the_same_set(as_alice: Client, trips: PromptSet) -> None:
    assert call(as_alice, "PATCH", f"/prompt-sets/{trips.pk}", {"name": " Days  off "})[1]["name"] == "Days off"
    assert call(as_alice, "PATCH", f"/prompt-sets/{trips.pk}", {"name": " "})[0] == 400
    other = call(as_alice, "POST", "/prompt-sets", {"name": "Other", "prompts": [{"prompt": "A"}]})[1]
    assert call(as_alice, "PATCH", f"/prompt-sets/{other['id']}", {"name": "Days off"})[0] == 409
    answer = as_alice.get(f"/api/prompt-sets/{trips.pk}/export")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    again = call(as_alice, "POST", "/prompt-sets", {"name": "Again", "text": text})[1]
    assert [(one["prompt"], one["checks"]) for one in again["prompts"]] == [("One?", []), ("Two?", CONTAINS)]
    assert "prompt-set-" in as_alice.get(f"/api/prompt-sets/{trips.pk}/export?format=csv")["Content-Disposition"]


def test_somebody_elses_set_is_not_there(client: Client, bob: User, trips: PromptSet, make_agent: Any) -> None:
    item = trips.items.first()
    assert item is not None
    client.force_login(bob)
    one = f"/prompt-sets/{trips.pk}"
    targets = {"targets": [{"agent_id": make_agent().pk}]}
    for method, path, body in (
        ("PATCH", one, {"name": "Mine"}),
        ("POST", f"{one}/prompts", {"prompts": [{"prompt": "A"}]}),
        ("PATCH", f"{one}/prompts/{item.pk}", {"prompt": "A"}),
        ("DELETE", f"{one}/prompts/{item.pk}", None),
        ("GET", f"{one}/export", None),
        ("POST", f"{one}/estimate", targets),
    ):
        assert (path, call(client, method, path, body)[0]) == (path, 404)
    assert trips.items.count() == 2


def test_an_estimate_sends_nothing_and_plans_are_listed_with_how_far_they_are(
    as_alice: Client, bob: User, client: Client, trips: PromptSet, make_agent: Callable[..., Agent]
) -> None:
    agents = [{"agent_id": make_agent().pk} for _ in range(2)]
    path = f"/prompt-sets/{trips.pk}"
    status, told = call(as_alice, "POST", f"{path}/estimate", {"targets": agents, "repeats": 3})
    assert (status, told["run_count"], told["is_too_much"], told["estimate_usd"] > 0) == (200, 12, False, True)
    assert call(as_alice, "POST", f"{path}/estimate", {"targets": agents, "max_cost_usd": "0.0001"})[1]["is_too_much"]
    assert call(as_alice, "POST", "/side-by-side/estimate", {"targets": agents})[1]["run_count"] == 2
    assert call(as_alice, "GET", "/plans")[1] == [] and not Session.objects.exists()

    first = call(as_alice, "POST", f"{path}/run", {"targets": agents, "repeats": 3})[1]["id"]
    beside = call(as_alice, "POST", "/side-by-side", {"prompt": "Hi", "targets": agents})[1]["id"]
    found = call(as_alice, "GET", "/plans")[1]
    assert [(one["id"], one["run_count"], one["done"], one["state"]) for one in found] == [
        (beside, 2, 0, "running"), (first, 12, 0, "running")
    ]  # fmt: skip
    for query, keys in (
        (f"prompt_set={trips.pk}", [first]),
        ("source=side_by_side", [beside]),
        ("state=done", []),
        ("limit=1", [beside]),
        (f"before={beside}", [first]),
    ):
        assert (query, [one["id"] for one in call(as_alice, "GET", f"/plans?{query}")[1]]) == (query, keys)
    for query in ("limit=0", "source=odd", "state=odd", f"before={2**63}"):
        assert call(as_alice, "GET", f"/plans?{query}")[0] == 400
    client.force_login(bob)
    assert call(client, "GET", "/plans")[1] == []
