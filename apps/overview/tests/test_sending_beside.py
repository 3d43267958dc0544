"""One prompt to several targets at once: the form, its estimate, stopped, sent again, listed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.models import Plan
from apps.metrics.series.beside import limits_of, send_beside, stop_beside
from apps.metrics.series.plans import Target
from apps.overview.tests.test_runs import add_run
from apps.sessions.engine import host
from apps.sessions.models import Invocation, Session
from apps.sessions.tests.memory_host import MemoryHost

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]
MakeAgent = Callable[..., Agent]
COMPARE, NEW = "/compare/", "/compare/new/"


@pytest.fixture
def agents(client: Client, alice: User, make_agent: MakeAgent) -> Any:
    """Two agents that a host in this process answers; alice is signed in."""
    host.register("external", MemoryHost)
    client.force_login(alice)
    yield [make_agent(name=name, kind="external") for name in ("concierge", "tutor")]
    host.forget("external")


@pytest.fixture
def run(make_agent: MakeAgent, make_session: MakeSession) -> Any:
    """A run of alice's."""
    return add_run(make_session(agent=make_agent(name="planner")), "Which town?")


def form(agents: list[Agent], **fields: Any) -> dict[str, Any]:
    targets = {f"target_{number}": f"{agent.pk}:DEFAULT" for number, agent in enumerate(agents, 1)}
    return {"prompt": "Which town?", "max_cost_usd": "1", "request_key": "once", **targets, **fields}


def test_a_prompt_goes_to_all_targets_once_however_often_it_is_sent(client: Client, agents: list[Agent]) -> None:
    for _ in range(2):
        led = client.post(NEW, form(agents))
        plan = Plan.objects.get()
        assert led["Location"] == reverse("compare:plan", args=[plan.pk])
    runs = Invocation.objects.filter(plan_run__plan=plan)
    assert sorted(runs.values_list("session__agent__name", "prompt", "source", "status")) == [
        ("concierge", "Which town?", "side_by_side", "queued"), ("tutor", "Which town?", "side_by_side", "queued"),
    ]  # fmt: skip
    page = client.get(led["Location"]).content.decode()
    assert page.count('class="turn-pair is-running"') == 2 and page.count("In the queue") == 2
    assert f'href="{led["Location"]}"' in client.get(COMPARE).content.decode()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"prompt": "  "}, "Type a prompt."),
        ({"target_2": ""}, "Choose at least two targets."),
        ({"target_2": "999:DEFAULT"}, "cannot be chosen any more"),
        ({"max_cost_usd": "0"}, "Give US dollars above 0"),
        ({"prompt": "x" * 100_001}, "A prompt has at most"),
    ],
)
def test_what_is_refused_keeps_all_that_was_filled_in(
    client: Client, agents: list[Agent], fields: dict[str, str], told: str
) -> None:
    answer = client.post(NEW, form(agents, **fields))
    page = answer.content.decode()

    assert (answer.status_code, told in page, Plan.objects.exists()) == (422, True, False)
    if "prompt" not in fields:
        assert "Which town?</textarea>" in page
    assert f'<option value="{agents[0].pk}:DEFAULT" selected>' in page


def test_a_target_is_chosen_once(client: Client, agents: list[Agent]) -> None:
    answer = client.post(NEW, form([agents[0], agents[0]]))

    assert (answer.status_code, "chosen already" in answer.content.decode()) == (422, True)


def test_a_form_begins_with_what_its_address_names(client: Client, agents: list[Agent], run: Any) -> None:
    plan = send_beside(
        owner=User.objects.get(email="alice@example.com"), prompt="When?", limits=limits_of(2),
        targets=[Target(agents[1]), Target(agents[0])],
    )  # fmt: skip
    again = client.get(NEW, {"again": plan.pk}).content.decode()
    assert "When?</textarea>" in again
    chosen = re.findall(r'<option value="(\d+):DEFAULT" selected>', again)
    assert chosen == [str(agents[1].pk), str(agents[0].pk)]
    of_run = client.get(NEW, {"run": run.pk}).content.decode()
    assert "Which town?</textarea>" in of_run and f'value="{run.session.agent_id}:DEFAULT" selected' in of_run


def test_nothing_of_somebody_elses_is_filled_in(client: Client, agents: list[Agent], run: Any, bob: User) -> None:
    client.force_login(bob)

    assert "Which town?" not in client.get(NEW, {"run": run.pk}).content.decode()


def begin(agents: list[Agent], owner: User) -> Plan:
    targets = [Target(agent) for agent in agents]
    return send_beside(owner=owner, prompt="Which town?", targets=targets, limits=limits_of(2))


def test_all_are_stopped_and_sent_again(client: Client, agents: list[Agent], alice: User) -> None:
    plan = begin(agents, alice)
    page = f"{COMPARE}{plan.pk}/"
    client.post(f"{page}stop/")
    plan.refresh_from_db()
    assert (plan.state, set(plan.runs.values_list("invocation__status", flat=True))) == ("cancelled", {"stopped"})

    for _ in range(2):
        led = client.post(f"{page}again/", {"request_key": "again"})
    again = Plan.objects.exclude(pk=plan.pk).get()
    assert led["Location"] == f"{COMPARE}{again.pk}/"
    assert list(again.targets.values_list("agent", flat=True)) == [agent.pk for agent in agents]


def test_runs_that_are_out_are_stopped_though_their_plan_has_failed(agents: list[Agent], alice: User) -> None:
    """One target was refused, which ended the plan; the other answers."""
    plan = begin(agents, alice)
    Plan.objects.filter(pk=plan.pk).update(state="failed")

    assert stop_beside(plan=Plan.objects.get(pk=plan.pk)) == 2
    assert set(plan.runs.values_list("invocation__status", flat=True)) == {"stopped"}


def test_a_target_that_was_sent_nothing_says_why(client: Client, agents: list[Agent], alice: User) -> None:
    plan = begin(agents, alice)
    plan.runs.filter(target__position=1).delete()
    waits = client.get(f"{COMPARE}{plan.pk}/").content.decode()
    assert "About to be queued" in waits and 'hx-target="#comparison"' in waits

    Plan.objects.filter(pk=plan.pk).update(state="failed", message="The agent has no endpoint canary.")
    page = client.get(f"{COMPARE}{plan.pk}/").content.decode()
    assert "Nothing was sent here." in page and "no endpoint canary" in page and "Not sent" in page
    assert 'hx-target="#comparison"' not in page


def test_the_list_is_the_readers_own_and_can_be_searched(
    client: Client, agents: list[Agent], alice: User, bob: User
) -> None:
    begin(agents, alice)
    assert "Which town?" in client.get(COMPARE, {"q": "tutor town"}).content.decode()
    assert "No comparison matches" in client.get(COMPARE, {"q": "nowhere"}).content.decode()
    client.force_login(bob)
    assert "No comparisons yet" in client.get(COMPARE).content.decode()


def test_an_estimate_is_told_where_prices_are_known(
    client: Client, alice: User, make_agent: MakeAgent, agents: list[Agent]
) -> None:
    priced = [make_agent(name=name) for name in ("one", "other")]
    estimate = client.get(f"{COMPARE}estimate/", form(priced)).content.decode()
    assert re.search(r"Up to \$0\.\d+ for the environments", estimate)
    assert (
        "more than the highest cost"
        in client.get(f"{COMPARE}estimate/", form(priced, max_cost_usd="0.0001")).content.decode()
    )
    assert "knows no price" in client.get(f"{COMPARE}estimate/", form(agents)).content.decode()
    assert "Choose two targets" in client.get(f"{COMPARE}estimate/", form(agents[:1])).content.decode()
