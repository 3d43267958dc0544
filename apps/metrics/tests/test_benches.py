"""Benches told from their rows alone: each test ends runs as an engine would."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import InvalidInputError
from apps.metrics.benches.results import BenchResult, result_of
from apps.metrics.benches.services import BenchAsked, estimate_usd, start_bench
from apps.metrics.benches.wording import verdict_of
from apps.metrics.models import Bench, PlanRun
from apps.metrics.series.plans import Target, cancel_plan
from apps.metrics.series.running import advance_plan
from apps.metrics.tests.plans import end_next
from apps.sessions.models import Invocation, Session
from apps.sessions.tests.memory_host import MemoryHost

pytestmark = pytest.mark.django_db

Begin = Callable[..., Bench]
Took = Callable[[PlanRun], float]


@pytest.fixture
def begin(memory: MemoryHost, make_agent: Callable[..., Agent], alice: User) -> Begin:
    """A bench of two agents that has begun; without more, one rung of 8 pairs without a warm-up."""

    def make(**asked: Any) -> Bench:
        chosen = [Target(make_agent(kind="external")) for _ in range(2)]
        given = {"rungs": (1,), "pairs": 8, "warm_up": 0, "start": "cold", "seed": 7, **asked}
        bench = start_bench(owner=alice, asked=BenchAsked(chosen[0], chosen[1], "Two days?", **given))
        advance_plan(bench.plan_id)
        return again(bench)

    return make


def again(bench: Bench) -> Bench:
    return Bench.objects.select_related("plan__owner", "plan__budget").get(pk=bench.pk)


def out(bench: Bench) -> list[PlanRun]:
    """The runs that are out, in their order."""
    waiting = bench.plan.runs.filter(has_passed=None).select_related("target", "invocation__session")
    return list(waiting.order_by("place"))


def end_one(bench: Bench, took: Took, **columns: Any) -> None:
    """End the first run that is out, after so many milliseconds."""
    first, now = out(bench)[0], timezone.now()
    token_at = now + timedelta(milliseconds=took(first))
    end_next(bench.plan, invoked_at=now, first_token_at=token_at, **columns)


def run_to_end(bench: Bench, took: Took) -> Bench:
    while out(bench):
        end_one(bench, took)
    return again(bench)


def noise(shift: float = 0.0) -> Took:
    rng = random.Random(3)
    return lambda run: 400 * rng.lognormvariate(0, 0.1) + shift * run.target.position


def only(result: BenchResult) -> Any:
    [rung] = result.rungs
    return rung


def test_both_targets_take_turns_in_pairs_of_which_chance_says_who_goes_first(begin: Begin) -> None:
    bench = begin(pairs=16, stops_early=False)
    order: list[int] = []
    while out(bench):
        [run] = out(bench)  # at the rung of one there is never another
        order.append(run.target.position)
        end_one(bench, noise())
    pairs = list(zip(order[::2], order[1::2], strict=True))
    assert set(pairs) == {(0, 1), (1, 0)}
    assert again(bench).plan.state == "done"
    assert bench.plan.runs.values("invocation__session").distinct().count() == 32
    runs = Invocation.objects.filter(plan_run__plan=bench.plan_id)
    assert set(runs.values_list("source", "session__purpose")) == {("bench", "bench")}


def test_a_planted_shift_is_found_and_ends_the_rung_at_the_look_that_finds_it(begin: Begin) -> None:
    bench = run_to_end(begin(pairs=32, rungs=(1, 2)), noise(shift=150))
    result = result_of(bench)
    assert (bench.plan.state, result.outcome) == ("done", "stopped_early")
    assert bench.stops == {"0": 8, "1": 8}  # at the first of four looks
    for rung in result.rungs:
        assert rung.state == "found"
        assert rung.look is not None and rung.look.apart is not None
        assert rung.look.apart.low > 0 and rung.look.apart.low < 150 < rung.look.apart.high
        assert rung.sides[0].figures.n == rung.sides[1].figures.n == 8
    assert bench.plan.runs.count() < result.run_total
    assert verdict_of(result).text.startswith("At 1 at once B takes ")


def test_without_a_difference_it_says_how_large_a_one_would_have_been_found(begin: Begin) -> None:
    result = result_of(run_to_end(begin(pairs=16), noise()))
    rung = only(result)
    assert (result.outcome, rung.state, result.found) == ("done", "measured", [])
    assert rung.look.apart.low < 0 < rung.look.apart.high
    assert 0 < rung.look.detectable_ms < 150
    assert verdict_of(result).text.startswith("No difference found. One of more than ")


def test_a_rung_begins_when_nothing_of_the_one_before_is_out(begin: Begin) -> None:
    bench = begin(rungs=(1, 3), warm_up=1)
    seen: list[tuple[int, int]] = []
    while out(bench):
        seen.append((bench.plan.runs.count(), len(out(bench))))
        end_one(bench, noise())
    most_by_rung = max(count for begun, count in seen if begun <= 18), max(count for begun, count in seen if begun > 18)
    assert most_by_rung == (1, 3)
    at_the_change = [count for begun, count in seen if begun == 18]
    assert at_the_change == [1]
    assert result_of(again(bench)).rungs[0].sides[0].figures.n == 8  # the run before is no part of it


def test_warm_sessions_are_kept_and_a_cold_run_has_no_part_in_the_figures(begin: Begin) -> None:
    bench = run_to_end(begin(start="warm", rungs=(1, 2)), noise())
    sessions = Session.objects.filter(invocations__plan_run__plan=bench.plan_id).distinct()
    assert sessions.count() == 4  # two of each target at the rung of two, one of which is that of the rung of one
    assert not sessions.filter(ended_at=None).exists()
    result = result_of(bench)
    assert [side.figures.n for rung in result.rungs for side in rung.sides] == [8, 8, 8, 8]
    assert all(side.other_start == 0 for rung in result.rungs for side in rung.sides)

    bench = begin(start="warm")
    for _ in range(4):
        end_one(bench, noise())
    [run] = out(bench)
    Session.objects.filter(invocations__plan_run__plan=bench.plan_id).exclude(pk=run.invocation.session_id).update(
        ended_at=timezone.now()
    )
    result = result_of(run_to_end(bench, noise()))
    assert sum(side.other_start for side in only(result).sides) == 1  # the session that came in the place of it


def test_what_fails_is_told_and_five_in_a_row_of_one_target_end_the_bench(begin: Begin) -> None:
    bench = begin()
    while out(bench):
        [run] = out(bench)
        end_one(bench, noise(), status="failed" if run.target.position else "completed")
    bench = again(bench)
    assert (bench.plan.state, result_of(bench).outcome) == ("failed", "failed")
    assert "5 runs failed one after the other" in bench.plan.message
    assert only(result_of(bench)).sides[1].failed >= 4
    assert verdict_of(result_of(bench)).text == "Nothing can be said: the bench ended before a look was made."


def test_the_highest_cost_is_never_exceeded(begin: Begin, make_agent: Callable[..., Agent], alice: User) -> None:
    targets = [Target(make_agent()), Target(make_agent())]
    asked = BenchAsked(targets[0], targets[1], "Two days?", start="cold", pairs=8, rungs=(1,), warm_up=0)
    assert estimate_usd(asked) > 0
    with pytest.raises(InvalidInputError, match="may cost up to"):
        start_bench(owner=alice, asked=BenchAsked(targets[0], targets[1], "Hi", max_cost_usd=Decimal("0.0001")))

    bench = begin(pairs=16)
    for _ in range(16):
        end_one(bench, noise())
    bench.plan.targets.update(reserved_usd=Decimal(2))
    bench = run_to_end(bench, noise())
    result = result_of(bench)
    assert result.outcome == "limit_reached"
    assert bench.plan.message == "One more run could exceed the highest cost, so Loom stopped there."
    assert only(result).state == "ended"
    assert only(result).look.pairs == 8  # what is left of α is spent where a limit ends it


def test_cancelled_it_stops_what_is_out_and_keeps_what_was_measured(begin: Begin) -> None:
    bench = begin()
    for _ in range(5):
        end_one(bench, noise())
    cancel_plan(plan=bench.plan)
    advance_plan(bench.plan_id)
    bench = again(bench)
    assert result_of(bench).outcome == "cancelled"
    assert only(result_of(bench)).look is None
    assert bench.plan.runs.count() == 6


def test_taken_on_anew_by_anybody_at_any_time_it_goes_on_where_it_was(begin: Begin) -> None:
    """As after a kill: nothing but rows says where it stands, and nothing is sent twice."""
    bench = begin(pairs=16, rungs=(2,), warm_up=1)
    while out(bench):
        end_one(bench, noise(shift=300))
        for _ in range(2):
            advance_plan(bench.plan_id)
        assert len(out(bench)) <= 2
    places = list(bench.plan.runs.order_by("place").values_list("place", flat=True))
    assert places == list(range(1, len(places) + 1))
    assert again(bench).stops == {"0": 8}


def test_the_same_key_is_the_same_bench(begin: Begin, alice: User, make_agent: Callable[..., Agent]) -> None:
    target = Target(make_agent(kind="external"))
    asked = BenchAsked(target, target, "Hi", seed=1)  # a target against itself shows what chance does
    first = start_bench(owner=alice, asked=asked, request_key="k")
    assert start_bench(owner=alice, asked=asked, request_key="k") == first
    assert Bench.objects.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"rungs": ()}, {"rungs": (0,)}, {"rungs": (2, 1)}, {"rungs": (1, 1)}, {"rungs": (11,)}, {"rungs": range(1, 8)},
        {"pairs": 7}, {"pairs": 201}, {"warm_up": -1}, {"warm_up": 21}, {"prompt": " "}, {"metric": "startup"},
        {"start": "tepid"}, {"max_cost_usd": Decimal(0)}, {"max_minutes": 0}, {"seed": -1}, {"prompt": "a\0b"},
        {"pairs": 200, "rungs": (1, 2, 3, 4, 5), "warm_up": 20},
    ],
)  # fmt: skip
def test_what_no_bench_can_be_is_refused(wrong: dict[str, Any], alice: User, make_agent: Callable[..., Agent]) -> None:
    target = Target(make_agent(kind="external"))
    given = {"prompt": "Hi", **wrong}
    with pytest.raises(InvalidInputError):
        start_bench(owner=alice, asked=BenchAsked(target, target, **given))
    assert not Bench.objects.exists()
