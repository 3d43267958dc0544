"""A bench as a file: a row for each of its runs."""

from __future__ import annotations

from collections.abc import Iterator

from apps.metrics.benches.wording import LETTERS
from apps.metrics.models import Bench
from apps.metrics.series.ladder import parts_of, places_of
from apps.metrics.series.stopping import ladder_of, samples_of

HEADS = (
    "place", "at_once", "pair", "warm_up", "target", "agent", "endpoint", "run_id", "status", "start_kind",
    "counts", "time_to_first_token_ms", "total_latency_ms", "cost_usd",
)  # fmt: skip
MEASUREMENT = "invocation__measurement"


def csv_rows(bench: Bench) -> Iterator[tuple[object, ...]]:
    """In the order in which they were sent. `counts` says why a run has no part in the figures, or that it has."""
    parts = parts_of(ladder_of(bench))
    places = places_of(parts)
    rows = bench.plan.runs.filter(invocation__session__deleted_at=None).order_by("place")
    runs = rows.select_related("target__agent", MEASUREMENT).defer(
        "invocation__payload", "invocation__prompt", "invocation__response_text", "findings"
    )
    for run, sample in zip(runs, samples_of(bench, parts), strict=False):
        place, invocation = places[run.place], run.invocation
        measurement = getattr(invocation, "measurement", None)
        yield (
            run.place, bench.rungs[place.rung], place.pair + 1, place.is_warm_up, LETTERS[run.target.position],
            run.target.agent.name, run.target.qualifier, invocation.pk, invocation.status,
            measurement.start_kind if measurement else "",
            "warm_up" if place.is_warm_up else sample.fate,
            invocation.time_to_first_token_ms, invocation.total_latency_ms,
            None if invocation.cost_usd is None else float(invocation.cost_usd),
        )  # fmt: skip
