"""Plans told from their rows alone: each test ends runs as an engine would."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import InvalidInputError, MissingError
from apps.costs.selectors import left_usd
from apps.metrics.models import Plan, PlanPrompt, PromptSet
from apps.metrics.prompt_sets.reading import Prompt
from apps.metrics.prompt_sets.results import result_of
from apps.metrics.prompt_sets.services import (
    NameTakenError,
    add_runs,
    delete_prompt_set,
    make_from_runs,
    make_prompt_set,
    run_prompt_set,
)
from apps.metrics.series import plans
from apps.metrics.series.planning import Order
from apps.metrics.series.plans import Limits, Target, cancel_plan, remove_expired_plan_prompts
from apps.metrics.series.running import advance_all_plans, advance_plan
from apps.metrics.tests.plans import end_next
from apps.metrics.tests.runs import make_run
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.exceptions import SessionInUseError
from apps.sessions.keeping import delete_session
from apps.sessions.models import Invocation, Session
from apps.sessions.services import delete_invocations
from apps.sessions.tests.memory_host import MemoryHost

pytestmark = pytest.mark.django_db

GHENT = [{"kind": "contains", "text": "Ghent"}]
Begin = Callable[..., Plan]


@pytest.fixture
def trips(alice: User) -> PromptSet:
    return make_prompt_set(owner=alice, name="Trips", prompts=[Prompt("Two days?", GHENT), Prompt("Three?", GHENT)])


@pytest.fixture
def begin(memory: MemoryHost, trips: PromptSet, make_agent: Callable[..., Agent], alice: User) -> Begin:
    """A plan of the set that has begun, at two agents."""

    def make(kind: str = "external", targets: int = 2, **limits: Any) -> Plan:
        chosen = [Target(make_agent(kind=kind)) for _ in range(targets)]
        plan = run_prompt_set(prompt_set=trips, owner=alice, targets=chosen, limits=Limits(**limits))
        return advance(plan)

    return make


def advance(plan: Plan) -> Plan:
    advance_plan(plan.pk)
    return Plan.objects.get(pk=plan.pk)


def places(plan: Plan) -> list[tuple[int, int, str, bool | None]]:
    rows = plan.runs.order_by("place")
    return list(rows.values_list("target__position", "prompt__position", "invocation__status", "has_passed"))


def end(plan: Plan, answer: str = "Go to Ghent.", status: str = "completed", **columns: Any) -> Plan:
    """End the first run that is out, and return the plan as it stands then."""
    end_next(plan, answer, status, **columns)
    return Plan.objects.get(pk=plan.pk)


def test_what_a_plan_that_goes_on_has_sent_is_not_deleted_and_never_sent_again(begin: Begin, trips: PromptSet) -> None:
    """Its place would be free again, and what it cost forgotten."""
    plan = end(begin(targets=1))
    first = plan.runs.select_related("invocation__session").get(place=1).invocation
    assert plan.is_active and not first.is_unfinished
    with pytest.raises(SessionInUseError):
        delete_session(session=first.session)
    assert delete_invocations(invocations=[first]) == set()
    left = left_usd(plan.budget, timezone.now())
    advance_all_plans()
    assert (plan.runs.filter(place=1).get().invocation_id, left_usd(plan.budget, timezone.now())) == (first.pk, left)

    cancel_plan(plan=plan)
    advance_plan(plan.pk)
    assert delete_invocations(invocations=[first]) == {first.pk}


def test_every_prompt_goes_to_every_target_in_turn_and_is_judged(begin: Begin, memory: MemoryHost) -> None:
    plan = begin()
    assert places(plan) == [(0, 0, "queued", None)]
    advance(plan)
    assert len(places(plan)) == 1  # nothing has ended, so nothing comes next

    plan = end(end(end(end(plan), "Go to Bruges.")), status="failed")

    assert places(plan) == [
        (0, 0, "completed", True), (1, 0, "completed", False), (0, 1, "completed", True), (1, 1, "failed", False),
    ]  # fmt: skip
    assert (plan.state, plan.message) == ("done", "")
    assert set(Invocation.objects.values_list("source", flat=True)) == {"prompt_set"}
    assert set(Session.objects.values_list("purpose", flat=True)) == {"prompt_set"}
    assert len(memory.ended) == 4
    found = result_of(plan)
    assert [(target.passed.count, target.passed.n) for target in found.targets if target.passed] == [(2, 2), (0, 2)]
    [compared] = found.comparisons
    assert compared.passed is not None and (compared.passed.value, compared.passed.n) == (-1.0, 2)
    assert [run.findings for run in plan.runs.filter(target__position=1)] == [
        [{"kind": "contains", "has_passed": False, "reason": "it is not in the answer"}],
        [{"kind": "run", "has_passed": False, "reason": "the run failed"}],
    ]


def test_a_changed_or_deleted_set_changes_nothing_that_was_asked_for(begin: Begin, trips: PromptSet) -> None:
    plan = begin()
    trips.items.update(prompt="Nothing", checks=[])
    delete_prompt_set(prompt_set=trips)
    plan = end(plan, "Go to Bruges.")

    assert places(plan)[0] == (0, 0, "completed", False)
    assert [prompt.text for prompt in plan.prompts.all()] == ["Two days?", "Three?"]


def test_repeats_of_a_prompt_are_decided_by_most_of_them_and_counted_once(begin: Begin) -> None:
    plan = begin(targets=1, repeats=3, order=Order.SEQUENTIAL)
    for answer in ("Ghent", "Bruges", "Ghent", "Bruges", "Ghent", "Bruges"):
        plan = end(plan, answer)
    found = result_of(plan)

    assert plan.state == "done"
    assert found.targets[0].passed is not None
    assert (found.targets[0].passed.count, found.targets[0].passed.n, found.over_count) == (1, 2, 6)


def test_side_by_side_all_begin_at_once_in_conversations(begin: Begin, memory: MemoryHost) -> None:
    plan = begin(at_once=4)
    assert len(places(plan)) == 4

    Plan.objects.filter(pk=plan.pk).update(source="side_by_side", ends_session=False)
    plan = end(plan)
    assert memory.ended == []


def test_after_five_failures_in_a_row_it_gives_up(begin: Begin) -> None:
    plan = begin(targets=1, repeats=10)
    for _ in range(4):
        plan = end(plan, status="failed")
    assert plan.state == "running"
    plan = end(plan, status="interrupted")

    assert (plan.state, len(places(plan))) == ("failed", 5)
    assert plan.message.startswith("5 runs failed one after the other")


def test_a_cancelled_plan_stops_its_run_and_keeps_what_it_found(begin: Begin) -> None:
    plan = end(begin())
    cancel_plan(plan=plan)
    plan = advance(plan)

    assert (plan.state, places(plan)) == ("cancelled", [(0, 0, "completed", True), (1, 0, "stopped", False)])
    assert left_usd(plan.budget, timezone.now()) == Decimal(1)


def test_no_run_begins_after_its_time(begin: Begin) -> None:
    plan = begin()
    Plan.objects.filter(pk=plan.pk).update(until_at=timezone.now())
    plan = end(plan)

    assert (plan.state, len(places(plan))) == ("done", 1)
    assert plan.message.startswith("The time that this plan was given is over")


def test_what_a_run_may_cost_is_reserved_and_what_it_cost_is_spent(
    make_agent: Callable[..., Agent], trips: PromptSet, alice: User
) -> None:
    target = Target(make_agent())
    most = plans.run_may_cost_usd(target, ends_session=True)
    plan = advance(run_prompt_set(prompt_set=trips, owner=alice, targets=[target], limits=Limits(ends_session=True)))
    assert left_usd(plan.budget, timezone.now()) == 1 - most

    # One that ran longer than any before: there is no room for another.
    Plan.objects.filter(pk=plan.pk).update(ends_session=False)
    plan.budget.limit_micros = int(most * 1_000_000) + 1
    plan.budget.save()
    plan = end(plan)
    run = plan.runs.get().invocation
    assert run.cost_usd is not None and left_usd(plan.budget, timezone.now()) < most
    assert (plan.state, len(places(plan))) == ("done", 1)
    assert plan.message == "One more run could exceed the highest cost, so Loom stopped there."


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"repeats": 0}, "1 to 20 times"), ({"repeats": 21}, "1 to 20 times"), ({"at_once": 5}, "One to 4 runs"),
        ({"max_cost_usd": Decimal(0)}, "The highest cost"), ({"max_minutes": 0}, "1 to 1440 minutes"),
        ({"seed": 2**31}, "A seed is"), ({"max_cost_usd": Decimal("0.0001")}, "may cost up to $"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(
    make_agent: Callable[..., Agent], trips: PromptSet, alice: User, limits: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        run_prompt_set(prompt_set=trips, owner=alice, targets=[Target(make_agent())], limits=Limits(**limits))

    assert told in str(refused.value)
    assert not Plan.objects.exists()


def test_targets_are_one_to_four_and_each_once(make_agent: Callable[..., Agent], trips: PromptSet, alice: User) -> None:
    one = Target(make_agent())
    for targets in ([], [one, one], [Target(make_agent()) for _ in range(5)]):
        with pytest.raises(InvalidInputError):
            run_prompt_set(prompt_set=trips, owner=alice, targets=targets, limits=Limits())


def test_the_same_request_again_is_the_same_plan(begin: Begin, trips: PromptSet, alice: User) -> None:
    target = [Target(Agent.objects.get(pk=begin().targets.all()[0].agent_id))]
    made = [
        run_prompt_set(prompt_set=trips, owner=alice, targets=target, limits=Limits(), request_key="k").pk
        for _ in range(2)
    ]

    assert made[0] == made[1]


@pytest.mark.django_db(transaction=True)
def test_two_that_take_it_on_at_once_begin_each_run_once(begin: Begin) -> None:
    plan = begin()
    run = plan.runs.get()
    now = timezone.now()
    assert finish_invocation(
        None, Pending(run.invocation_id, [], {"invoked_at": now}), status="completed", completed_at=now
    )
    both = threading.Barrier(2, timeout=30)

    def take_on() -> None:
        both.wait()
        advance_plan(plan.pk)
        connections.close_all()

    threads = [threading.Thread(target=take_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [place for place, *_ in plan.runs.order_by("place").values_list("place")] == [1, 2]
    assert Session.objects.count() == 2


def test_the_worker_takes_on_what_nobody_heard_of(begin: Begin) -> None:
    plan = begin()
    now = timezone.now()
    told = Pending(plan.runs.get().invocation_id, [], {"invoked_at": now})
    assert finish_invocation(None, told, status="completed", completed_at=now)

    assert advance_all_plans() == 1
    assert len(places(plan)) == 2


def test_the_prompts_of_a_plan_go_when_content_goes_and_what_was_found_stays(begin: Begin, settings: Any) -> None:
    settings.CONTENT_RETENTION_DAYS = 1
    plan = begin(targets=1)
    later = timezone.now() + timedelta(days=2)
    assert remove_expired_plan_prompts(later) == 0  # it runs
    plan = end(end(plan))

    assert remove_expired_plan_prompts(later) == 2
    assert set(PlanPrompt.objects.values_list("text", flat=True)) == {""}
    assert [has_passed for *_, has_passed in places(plan)] == [True, True]
    plan.refresh_from_db()
    assert (plan.name, plan.budget.name) == ("Trips", "Trips")


def test_the_name_of_a_plan_that_is_the_beginning_of_its_prompt_goes_with_it(begin: Begin, settings: Any) -> None:
    settings.CONTENT_RETENTION_DAYS = 1
    plan = end(end(begin(targets=1)))
    Plan.objects.filter(pk=plan.pk).update(source="side_by_side")
    remove_expired_plan_prompts(timezone.now() + timedelta(days=2))

    plan.refresh_from_db()
    plan.budget.refresh_from_db()
    assert (plan.name, plan.budget.name) == ("", "")


def test_a_set_is_made_of_past_runs_and_gets_more_of_them_once(
    make_session: Callable[..., Session], alice: User, bob: User
) -> None:
    session = make_session()
    first, second = make_run(session, prompt="One?"), make_run(session, 10, prompt="Two?")
    made = make_from_runs(owner=alice, name="Past", run_ids=[second.pk, first.pk, second.pk])
    assert list(made.items.values_list("prompt", "made_from")) == [("Two?", second.pk), ("One?", first.pk)]

    third = make_run(session, 20, prompt="Three?")
    assert add_runs(prompt_set=made, user=alice, run_ids=[first.pk, third.pk]) == 1
    assert [prompt for (prompt,) in made.items.values_list("prompt")] == ["Two?", "One?", "Three?"]
    with pytest.raises(MissingError):
        make_from_runs(owner=bob, name="Others'", run_ids=[first.pk])
    gone = make_run(session, 30, prompt="")
    with pytest.raises(InvalidInputError):
        make_from_runs(owner=alice, name="Gone", run_ids=[gone.pk])
    with pytest.raises(NameTakenError):
        make_from_runs(owner=alice, name=" Past ", run_ids=[first.pk])
