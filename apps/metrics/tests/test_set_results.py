"""Sending a prompt set from its page, and what is found: told from rows, each run ended as an engine would."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.models import Plan, PlanPrompt, PlanRun, PromptSet
from apps.metrics.prompt_sets.reading import Prompt
from apps.metrics.prompt_sets.services import delete_prompt_set, make_prompt_set
from apps.metrics.tests.plans import end_next
from apps.metrics.tests.runs import make_run
from apps.sessions.engine import host
from apps.sessions.models import Session
from apps.sessions.tests.memory_host import MemoryHost

pytestmark = pytest.mark.django_db

GHENT = [{"kind": "contains", "text": "Ghent"}]


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def agents(make_agent: Callable[..., Agent]) -> Any:
    """Two agents that a host in this process answers, so that ending a session needs no AWS."""
    made = MemoryHost()
    host.register("external", lambda: made)
    yield [make_agent(kind="external", name=name) for name in ("first_one", "second_one")]
    host.forget("external")


@pytest.fixture
def trips(alice: User) -> PromptSet:
    return make_prompt_set(owner=alice, name="Trips", prompts=[Prompt("Two days?", GHENT), Prompt("Three?", GHENT)])


def filled(agents: list[Agent], **fields: Any) -> dict[str, Any]:
    first, second = (f"{agent.pk}:DEFAULT" for agent in agents)
    return {
        "first": first, "second": second, "repeats": 1, "order": "interleaved", "at_once": 1, "max_cost_usd": "1",
        **fields,
    }  # fmt: skip


def begin(client: Client, prompt_set: PromptSet, agents: list[Agent], **fields: Any) -> Plan:
    response = client.post(reverse("prompt_sets:replay", args=[prompt_set.pk]), filled(agents, **fields))
    assert response.status_code == 302, response.context["form"].errors
    plan = Plan.objects.order_by("-pk")[0]
    assert response["Location"] == plan.get_absolute_url() == f"/prompt-sets/{prompt_set.pk}/results/{plan.pk}/"
    return plan


def test_a_set_is_sent_and_its_results_come(as_alice: Client, trips: PromptSet, agents: list[Agent]) -> None:
    plan = begin(as_alice, trips, agents, order="random", seed="7")
    assert (plan.order, plan.seed, plan.budget.limit_usd) == ("random", 7, Decimal(1))
    text = as_alice.get(plan.get_absolute_url()).content.decode()
    assert "0 of 4 runs" in text and 'hx-trigger="every 2s"' in text and "not sent yet" in text

    while Plan.objects.get(pk=plan.pk).is_active:
        position = plan.runs.filter(has_passed=None).values_list("target__position", flat=True)[0]
        end_next(plan, "Go to Ghent." if position == 0 else "Go to <b>Bruges</b>.")

    text = as_alice.get(plan.get_absolute_url()).content.decode()
    assert "4 of 4 runs" in text and "every 2s" not in text
    assert "2 of 2 prompts, 95 %: 34.2–100 %" in text and "0 of 2 prompts, 95 %: 0–65.8 %" in text
    assert "−100 points" in text
    assert "contains “Ghent”: it is not in the answer" in text and "Go to &lt;b&gt;Bruges&lt;/b&gt;." in text


def test_a_page_that_shows_everything_is_left_as_it_is(as_alice: Client, trips: PromptSet, agents: list[Agent]) -> None:
    plan = begin(as_alice, trips, agents)
    address = reverse("prompt_sets:results-fragment", args=[trips.pk, plan.pk])
    seen = {"Loom-Seen": as_alice.get(address).context["mark"]}

    assert as_alice.get(address, headers=seen).status_code == 204
    end_next(plan)
    response = as_alice.get(address, headers=seen)
    assert (response.status_code, "1 of 4 runs" in response.content.decode()) == (200, True)


def test_a_form_that_is_sent_twice_is_one_plan(as_alice: Client, trips: PromptSet, agents: list[Agent]) -> None:
    address = reverse("prompt_sets:replay", args=[trips.pk])
    key = as_alice.get(address).context["form"]["request_key"].value()
    for _ in "ab":
        as_alice.post(address, filled(agents, request_key=key))
    assert key and Plan.objects.count() == 1
    assert as_alice.get(address).context["form"].initial["first"] == f"{agents[0].pk}:DEFAULT"


def test_what_it_may_cost_is_told_and_kept_to(
    as_alice: Client, alice: User, make_agent: Callable[..., Agent], trips: PromptSet
) -> None:
    agents = [make_agent() for _ in range(2)]
    fields = filled(agents, max_cost_usd="0.0001", repeats=3)
    text = as_alice.get(reverse("prompt_sets:estimate-fragment", args=[trips.pk]), fields).content.decode()
    assert "more than the highest cost of $0.0001" in text and "Runs: 12 (prompts 2 × targets 2 × times 3)" in text

    refused = as_alice.post(reverse("prompt_sets:replay", args=[trips.pk]), fields)
    assert (refused.status_code, Plan.objects.count()) == (422, 0)
    assert "These runs may cost up to" in refused.content.decode()
    again = as_alice.post(reverse("prompt_sets:replay", args=[trips.pk]), filled(agents[:1] * 2))
    assert (again.status_code, "Choose another one" in again.content.decode()) == (422, True)


def test_a_plan_that_reached_its_cost_says_so(as_alice: Client, trips: PromptSet, agents: list[Agent]) -> None:
    plan = begin(as_alice, trips, agents)
    plan.targets.update(reserved_usd=Decimal(2))
    end_next(plan)

    text = as_alice.get(plan.get_absolute_url()).content.decode()
    assert "One more run could exceed the highest cost, so Loom stopped there." in text
    assert "of at most $1.00." in text


def test_a_plan_is_stopped_and_keeps_what_it_found(as_alice: Client, trips: PromptSet, agents: list[Agent]) -> None:
    plan = begin(as_alice, trips, agents)
    end_next(plan)

    as_alice.post(reverse("prompt_sets:stop", args=[trips.pk, plan.pk]))

    plan.refresh_from_db()
    assert (plan.state, plan.runs.filter(has_passed=True).count()) == ("cancelled", 1)


def test_prompts_are_kept_by_what_came_of_them(as_alice: Client, trips: PromptSet, agents: list[Agent]) -> None:
    plan = begin(as_alice, trips, agents)
    for answer in ("Ghent", "Bruges", "Ghent", "Ghent"):
        end_next(plan, answer)

    def shown(query: str) -> list[int]:
        return [row.number for row in as_alice.get(plan.get_absolute_url() + query).context["rows"]]

    assert (shown(""), shown("?show=failed"), shown("?show=different"), shown("?show=x")) == ([1, 2], [1], [1], [1, 2])


def test_whole_answers_stand_beside_each_other_with_the_words_that_differ(
    as_alice: Client, trips: PromptSet, agents: list[Agent]
) -> None:
    plan = begin(as_alice, trips, agents)
    for answer in ("Take the train to Ghent.", "Take the boat to Ghent."):
        end_next(plan, answer)
    address = reverse("prompt_sets:compare", args=[trips.pk, plan.pk, 1])

    text = as_alice.get(address).content.decode()
    assert "Take the train to Ghent." in text and "Take the boat to Ghent." in text and "<del>" not in text
    assert "<del>train </del><ins>boat </ins>" in as_alice.get(f"{address}?words=1").content.decode()
    assert as_alice.get(reverse("prompt_sets:compare", args=[trips.pk, plan.pk, 3])).status_code == 404


def test_every_run_is_a_row_of_the_file(as_alice: Client, trips: PromptSet, agents: list[Agent]) -> None:
    plan = begin(as_alice, trips, agents)
    end_next(plan, "=Bruges")
    response: Any = as_alice.get(reverse("prompt_sets:results-csv", args=[trips.pk, plan.pk]))
    [over, out] = csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode(), newline=""))
    assert [over[name] for name in ("agent", "prompt", "status", "has_passed", "answer")] == [
        "first_one", "Two days?", "completed", "false", "'=Bruges",
    ]  # fmt: skip
    assert over["failed_checks"] == "contains “Ghent”: it is not in the answer"
    assert (out["status"], out["has_passed"], out["answer"]) == ("queued", "", "")


def test_results_outlive_their_set_and_their_prompts(as_alice: Client, trips: PromptSet, agents: list[Agent]) -> None:
    plan = begin(as_alice, trips, agents)
    end_next(plan, "Bruges")
    delete_prompt_set(prompt_set=trips)
    PlanPrompt.objects.update(text="", checks=[])  # as retention does
    plan.refresh_from_db()

    for address in (plan.get_absolute_url(), reverse("prompt_sets:compare", args=[0, plan.pk, 1])):
        text = as_alice.get(address).content.decode()
        assert "(content removed)" in text and "it is not in the answer" in text


def test_results_of_another_set_or_person_are_not_there(
    client: Client, as_alice: Client, alice: User, bob: User, trips: PromptSet, agents: list[Agent]
) -> None:
    plan = begin(as_alice, trips, agents)
    other = make_prompt_set(owner=alice, name="Others", prompts=[Prompt("One?")])
    assert client.get(reverse("prompt_sets:results", args=[other.pk, plan.pk])).status_code == 404
    client.force_login(bob)
    assert client.get(plan.get_absolute_url()).status_code == 404


def test_a_large_plan_is_shown_page_by_page_with_the_same_statements(
    as_alice: Client, trips: PromptSet, agents: list[Agent], make_session: Callable[..., Session]
) -> None:
    plan = begin(as_alice, trips, agents)
    end_next(plan)

    def statements(query: str = "") -> int:
        with CaptureQueriesContext(connection) as captured:
            assert as_alice.get(plan.get_absolute_url() + query).status_code == 200
        return len(captured)

    statements()
    few = statements()
    targets = list(plan.targets.all())
    session = make_session()
    for number in range(2, 60):
        prompt = PlanPrompt.objects.create(plan=plan, position=number, text=f"{number}?", checks=GHENT)
        for target in targets:
            run = make_run(session, number, response_text="x" * 2_000)
            PlanRun.objects.create(
                plan=plan, place=1_000 + 2 * number + target.position, target=target, prompt=prompt, repeat=0,
                invocation=run, has_passed=number % 2 == 0, findings=[],
            )  # fmt: skip
    assert statements() == few == statements("?page=3&show=failed")
    page = as_alice.get(f"{plan.get_absolute_url()}?page=3")
    assert [row.number for row in page.context["rows"]] == list(range(41, 61))
    assert len(page.content) < 120_000
