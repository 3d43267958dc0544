"""What the runs of a bench took, and where a rung ends early: at the look that finds a difference.

A look is made once all runs of its pairs are over, and sees those alone. So it finds the same whichever process makes
it, and made again after a kill it changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from apps.metrics.models import Bench, Measurement
from apps.metrics.series.ladder import Ladder, Part, Place, next_steps, parts_of, places_of
from apps.metrics.series.planning import Step
from apps.metrics.series.shifts import Taken, alpha_of, is_different, looks_of
from apps.sessions.models import Invocation, elapsed_ms

Fate = Literal["out", "taken", "failed", "other_start", "no_figure"]
"""Not over yet; with a value; without one: it failed, started otherwise than asked for, or has no such figure."""

COLUMNS = (
    "place", "target__position", "invocation__status", "invocation__number", "invocation__invoked_at",
    "invocation__first_token_at", "invocation__completed_at", "invocation__waited_ms",
    "invocation__measurement__start_kind",
)  # fmt: skip
STARTED = (Measurement.StartKind.CREATED, Measurement.StartKind.POOLED)


@dataclass(frozen=True, slots=True)
class Sample:
    """A run of a bench: what it is for, of which target, and what became of it."""

    place: Place
    target: int
    fate: Fate
    ms: float | None = None


def ladder_of(bench: Bench) -> Ladder:
    """What a stored bench asks for."""
    return Ladder(
        rungs=tuple(bench.rungs),
        pairs=bench.pair_count,
        warm_up=bench.warm_up_count,
        is_warm=bench.start == Bench.Start.WARM,
        seed=bench.plan.seed,
    )


def samples_of(bench: Bench, parts: Sequence[Part]) -> list[Sample]:
    """The runs of a bench that have begun, in one statement."""
    places = places_of(parts)
    rows = bench.plan.runs.filter(invocation__session__deleted_at=None).order_by("place").values_list(*COLUMNS)
    return [_sample(bench, places[row[0]], *row[1:]) for row in rows]


def _sample(
    bench: Bench, place: Place, target: int, status: str, number: int, invoked_at: Any, first_token_at: Any,
    completed_at: Any, waited_ms: float | None, start_kind: str | None,
) -> Sample:  # fmt: skip
    if status in Invocation.UNFINISHED:
        return Sample(place, target, "out")
    if status != Invocation.Status.COMPLETED:
        return Sample(place, target, "failed")
    # Where no environment starts there is no kind, and the first run of a session is the cold one.
    is_cold = number == 1 if start_kind is None else start_kind in STARTED
    is_certain = start_kind != Measurement.StartKind.UNKNOWN
    if not is_certain or is_cold != (bench.start == Bench.Start.COLD):
        return Sample(place, target, "other_start")
    ms = elapsed_ms(invoked_at, first_token_at if bench.metric == Bench.Metric.TTFT else completed_at)
    if ms is None:
        return Sample(place, target, "no_figure")
    return Sample(place, target, "taken", ms - (waited_ms or 0) if bench.metric == Bench.Metric.TOTAL else ms)


def measured(samples: Sequence[Sample], rung: int, target: int) -> list[Taken]:
    """What the runs of a target took by which a rung is measured."""
    return [
        Taken(one.place.pair, one.ms)
        for one in samples
        if one.place.rung == rung and one.target == target and not one.place.is_warm_up and one.ms is not None
    ]


def pairs_over(samples: Sequence[Sample], rung: int) -> int:
    """How many of a rung's pairs are over, counted from the first without a gap."""
    over: dict[int, int] = {}
    for one in samples:
        if one.place.rung == rung and not one.place.is_warm_up and one.fate != "out":
            over[one.place.pair] = over.get(one.place.pair, 0) + 1
    count = 0
    while over.get(count) == 2:
        count += 1
    return count


def next_of(bench: Bench, begun: Mapping[int, bool]) -> list[Step] | None:
    """What of a bench begins now; None where nothing is left to begin."""
    parts = parts_of(ladder_of(bench))
    if begun:
        _close_rung(bench, samples_of(bench, parts))
    return next_steps(parts, begun, {int(rung) for rung in bench.stops})


def sessions_needed(bench: Bench, step: Step) -> int:
    """How many sessions of each target are kept at the rung of a step: as many as runs are out at once."""
    ladder = ladder_of(bench)
    return ladder.rungs[places_of(parts_of(ladder))[step.place].rung]


def _close_rung(bench: Bench, samples: Sequence[Sample]) -> None:
    """Write down after how many pairs the rung that is measured now is over, where it is: all of them, or those of the
    look that has found a difference.
    """
    rung = max((one.place.rung for one in samples), default=0)
    if str(rung) in bench.stops:
        return
    over = pairs_over(samples, rung)
    pairs = _found_after(bench, samples, rung, over) if bench.stops_early else None
    if pairs is None and over == bench.pair_count:
        pairs = over
    if pairs is not None:
        bench.stops = {**bench.stops, str(rung): pairs}
        Bench.objects.filter(pk=bench.pk).update(stops=bench.stops)


def _found_after(bench: Bench, samples: Sequence[Sample], rung: int, over: int) -> int | None:
    """After how many pairs a look has found a difference; the last look ends nothing early."""
    looks = looks_of(bench.pair_count)
    first, second = (measured(samples, rung, target) for target in (0, 1))
    for at, pairs in enumerate(looks[:-1]):
        if pairs > over:
            break
        alpha = alpha_of(at, looks, len(bench.rungs), is_last=False)
        if is_different(first, second, pairs=pairs, looks=looks, alpha=alpha):
            return pairs
    return None
