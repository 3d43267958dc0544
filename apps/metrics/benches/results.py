"""What a bench has found: each rung with its figures and its last look, and what follows of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from django.db.models import Count, Q, Sum

from apps.metrics.figures.independent import Effect, effect
from apps.metrics.figures.statistics import Summary, summarise_ordered
from apps.metrics.models import Bench, Plan, PlanTarget
from apps.metrics.series.ladder import Part, parts_of
from apps.metrics.series.shifts import ALPHA, Look, Taken, alpha_of, look_at, looks_of
from apps.metrics.series.stopping import Sample, ladder_of, measured, pairs_over, samples_of
from apps.sessions.models import Invocation

RungState = Literal["waiting", "warming_up", "measuring", "found", "measured", "ended"]
"""Not begun; its first runs; being measured; a difference was found, and it ended early; all its pairs are over; the
bench ended before."""
Outcome = Literal["waiting", "running", "done", "stopped_early", "limit_reached", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class SideResult:
    """What the runs of a target took at a rung, and how many have no part in that."""

    figures: Summary
    ordered: Sequence[float]
    failed: int
    other_start: int
    without_figure: int


@dataclass(frozen=True, slots=True)
class RungResult:
    """A rung: how far it is, what both targets took, and what its last look found. Figures are of the pairs that the
    look has seen, or of all where none was made.
    """

    rung: int
    at_once: int
    state: RungState
    pairs_over: int
    sides: tuple[SideResult, SideResult]
    look: Look | None
    next_look: int | None
    effect: Effect | None


@dataclass(frozen=True, slots=True)
class BenchResult:
    """A whole bench. `detectable_ms` is what would have been found at every rung, where no difference was."""

    bench: Bench
    plan: Plan
    targets: list[PlanTarget]
    rungs: list[RungResult]
    run_total: int
    over_count: int
    cost_usd: Decimal
    unpriced_count: int

    @property
    def found(self) -> list[RungResult]:
        """The rungs at which there is a difference."""
        return [rung for rung in self.rungs if rung.look is not None and rung.look.is_found]

    @property
    def is_whole(self) -> bool:
        """Whether every rung was measured, to its last pair or to a difference."""
        return all(rung.state in {"found", "measured"} for rung in self.rungs)

    @property
    def detectable_ms(self) -> float | None:
        known = [rung.look.detectable_ms if rung.look else None for rung in self.rungs]
        found = [one for one in known if one is not None]
        return max(found) if found and len(found) == len(known) else None

    @property
    def outcome(self) -> Outcome:
        state = self.plan.state
        if state == Plan.State.RUNNING:
            return "running" if self.over_count else "waiting"
        if state == Plan.State.CANCELLED:
            return "cancelled"
        if state == Plan.State.FAILED:
            return "failed"
        if not self.is_whole:
            return "limit_reached"
        return "stopped_early" if any(rung.state == "found" for rung in self.rungs) else "done"


def result_of(bench: Bench) -> BenchResult:
    """Add up what a bench has found so far."""
    plan = bench.plan
    ladder = ladder_of(bench)
    samples = samples_of(bench, parts := parts_of(ladder))
    counts = plan.runs.aggregate(
        over=Count("pk", filter=Q(has_passed__isnull=False)),
        cost=Sum("invocation__cost_usd"),
        unpriced=Count("pk", filter=Q(invocation__cost_usd=None, invocation__status__in=Invocation.FINISHED)),
    )
    return BenchResult(
        bench=bench,
        plan=plan,
        targets=list(plan.targets.select_related("agent").order_by("position")),
        rungs=[_rung(bench, samples, parts, rung) for rung in range(len(bench.rungs))],
        run_total=ladder.run_count,
        over_count=counts["over"],
        cost_usd=counts["cost"] or Decimal(0),
        unpriced_count=counts["unpriced"],
    )


def _rung(bench: Bench, samples: Sequence[Sample], parts: Sequence[Part], rung: int) -> RungResult:
    over = pairs_over(samples, rung)
    state = _state(bench, samples, rung, over)
    first, second = measured(samples, rung, 0), measured(samples, rung, 1)
    look = _last_look(bench, state, first, second, rung, over)
    seen = look.pairs if look else bench.pair_count
    sides = tuple(_side(samples, taken, rung, target, seen) for target, taken in enumerate((first, second)))
    looks = looks_of(bench.pair_count) if bench.stops_early else (bench.pair_count,)
    return RungResult(
        rung=rung,
        at_once=bench.rungs[rung],
        state=state,
        pairs_over=over,
        sides=(sides[0], sides[1]),
        look=look,
        next_look=next((one for one in looks if one > over), None) if state in {"warming_up", "measuring"} else None,
        effect=effect(sides[1].ordered, sides[0].ordered),
    )


def _state(bench: Bench, samples: Sequence[Sample], rung: int, over: int) -> RungState:
    if (after := bench.stops.get(str(rung))) is not None:
        return "measured" if after == bench.pair_count else "found"
    mine = [one for one in samples if one.place.rung == rung]
    if not bench.plan.is_active:
        return "ended"
    if not mine:
        return "waiting"
    return "measuring" if any(not one.place.is_warm_up for one in mine) else "warming_up"


def _last_look(
    bench: Bench, state: RungState, first: Sequence[Taken], second: Sequence[Taken], rung: int, over: int
) -> Look | None:
    """The look that ended a rung, or the last one that was made while it goes on. A limit that ends a bench has
    nothing to do with what was seen, so what is left is looked at; somebody who cancels it may have seen something.
    """
    looks = looks_of(bench.pair_count)
    made = [pairs for pairs in looks if pairs <= bench.stops.get(str(rung), over)]
    if not bench.stops_early:
        made = [pairs for pairs in made if pairs == looks[-1]]
    at = len(made) - 1
    count = len(bench.rungs)
    is_limit = state == "ended" and bench.plan.state == Plan.State.DONE and over > (made[-1] if made else 0)
    if is_limit:
        at, made = at + 1, [*made, over]
    if not made:
        return None
    is_last = is_limit or made[-1] == looks[-1]
    if bench.stops_early:
        alpha = alpha_of(at, looks, count, is_last=is_last)
        left = alpha_of(len(looks) - 1, looks, count, is_last=True)
    else:
        alpha = left = ALPHA / count
    return look_at(first, second, pairs=made[-1], looks=looks, alpha=alpha, left=alpha if is_last else left)


def _side(samples: Sequence[Sample], taken: Sequence[Taken], rung: int, target: int, pairs: int) -> SideResult:
    ordered = sorted(one.ms for one in taken if one.pair < pairs)
    fates = [
        one.fate
        for one in samples
        if one.place.rung == rung and one.target == target and not one.place.is_warm_up and one.place.pair < pairs
    ]
    return SideResult(
        figures=summarise_ordered(ordered),
        ordered=ordered,
        failed=fates.count("failed"),
        other_start=fates.count("other_start"),
        without_figure=fates.count("no_figure"),
    )
