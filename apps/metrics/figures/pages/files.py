"""The tables of the pages of figures as files: numbers in milliseconds, each with its n and its interval."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from django.conf import settings

from apps.metrics.figures.counts import MICRO
from apps.metrics.figures.figures import Figures
from apps.metrics.figures.pages.filters import Filters
from apps.metrics.figures.pages.operate import agent_rows, read_figures
from apps.metrics.figures.pages.spread import spread_of
from apps.metrics.figures.periods import read_counts, read_hours
from apps.metrics.figures.statistics import Summary

_SUMMARY = (
    "n", "p50_ms", "p50_low_ms", "p50_high_ms", "p95_ms", "p95_low_ms", "p95_high_ms", "min_ms", "max_ms",
    "p90_ms", "p90_low_ms", "p90_high_ms",
)  # fmt: skip
_COUNTS = ("invocation_count", "unfinished_count", "failed_count", "stopped_count", "error_rate")
_TEMPERATURES = ("cold", "warm")
_OF_AGENTS = ("ttft_cold", "ttft_warm", "startup_cold", "startup_warm", "total_cold", "total_warm")

Row = list[object]


def _heads(*names: str) -> list[str]:
    return [f"{name}_{key}" for name in names for key in _SUMMARY]


def _values(summary: Summary) -> Row:
    p50, p95, p90 = summary.p50, summary.p95, summary.p90
    return [
        summary.n,
        *((p50.value, p50.low, p50.high) if p50 else (None,) * 3),
        *((p95.value, p95.low, p95.high) if p95 else (None,) * 3),
        summary.minimum,
        summary.maximum,
        *((p90.value, p90.low, p90.high) if p90 else (None,) * 3),
    ]


def _summaries(figures: Figures) -> list[Summary]:
    startups = (figures.startup_cold.summary, figures.startup_warm.summary)
    return [figures.ttft_cold, figures.ttft_warm, *startups, figures.total_cold, figures.total_warm]


def step_file(filters: Filters) -> tuple[list[str], Iterator[Row]]:
    """The chart's table: the chosen metric by step of time, steps without a run left out."""
    heads = ["from", "to", "origin", "metric", "invocation_count", "failed_count", *_heads(*_TEMPERATURES)]
    return heads, _step_rows(filters)


def _step_rows(filters: Filters) -> Iterator[Row]:
    reading, period = read_figures(filters), filters.period
    for start, tally in sorted(reading.by_step.items()):
        if not tally.invocation_count:
            continue
        first, last = max(start, period.start), min(start + period.step, period.end)
        facts: Row = [
            first.astimezone(UTC), last.astimezone(UTC), settings.LOOM_AWS, filters.metric, tally.invocation_count,
            tally.failed_count,
        ]  # fmt: skip
        yield facts + [value for one in _TEMPERATURES for value in _values(tally.latency(filters.metric, one))]


def figure_file(filters: Filters) -> tuple[list[str], Iterator[Row]]:
    """All figures of the range: a line for each metric, cold and warm."""
    return ["from", "to", "origin", "metric", "start", *_SUMMARY], _figure_rows(filters)


def _figure_rows(filters: Filters) -> Iterator[Row]:
    figures = Figures(read_figures(filters).overall)
    for name, summary in zip(_OF_AGENTS, _summaries(figures), strict=True):
        metric, _, temperature = name.partition("_")
        place: Row = [filters.period.start.astimezone(UTC), filters.period.end.astimezone(UTC), settings.LOOM_AWS]
        yield [*place, metric, temperature, *_values(summary)]


def agent_file(filters: Filters) -> tuple[list[str], Iterator[Row]]:
    """The table of agents, all of them, in the order of the page."""
    return ["agent_id", "agent_name", "origin", *_COUNTS, *_heads(*_OF_AGENTS)], _agent_rows(filters)


def _agent_rows(filters: Filters) -> Iterator[Row]:
    for row in agent_rows(read_figures(filters), filters.sort):
        counts: Row = [getattr(row.figures, name) for name in _COUNTS]
        figures = [value for summary in _summaries(row.figures) for value in _values(summary)]
        yield [row.agent.pk, row.agent.name, row.agent.origin, *counts, *figures]


def count_file(filters: Filters) -> tuple[list[str], Iterator[Row]]:
    """What is counted by step of time: a line for each status, start, error code, and sum of tokens and dollars."""
    return ["from", "to", "origin", "counted", "key", "run_count", "sum"], _count_rows(filters)


def _count_rows(filters: Filters) -> Iterator[Row]:
    period = filters.period
    for start, counts in sorted(read_counts(filters.selection, period.step).by_step.items()):
        first, last = max(start, period.start), min(start + period.step, period.end)
        place: Row = [first.astimezone(UTC), last.astimezone(UTC), settings.LOOM_AWS]
        for name, known in (("status", counts.statuses), ("start", counts.starts), ("error_code", counts.codes)):
            yield from ([*place, name, key, count, None] for key, count in sorted(known.items()))
        n_in, tokens_in, n_out, tokens_out = counts.tokens
        yield [*place, "tokens", "in", n_in, tokens_in]
        yield [*place, "tokens", "out", n_out, tokens_out]
        for source, (count, micro) in sorted(counts.costs.items()):
            yield [*place, "cost_usd", source, count, micro / MICRO]


def histogram_file(filters: Filters) -> tuple[list[str], Iterator[Row]]:
    """How many runs took how long, cold and warm."""
    return ["origin", "metric", "from_ms", "to_ms", "cold_count", "warm_count"], _histogram_rows(filters)


def _histogram_rows(filters: Filters) -> Iterator[Row]:
    spread = spread_of(read_figures(filters).overall, filters.metric)
    for one in spread.bins if spread else ():
        yield [settings.LOOM_AWS, filters.metric, one.low_ms, one.high_ms, *one.counts]


def hour_file(filters: Filters) -> tuple[list[str], Iterator[Row]]:
    """How many runs each hour has, and how many of them failed."""
    return ["from", "origin", "invocation_count", "failed_count"], _hour_rows(filters)


def _hour_rows(filters: Filters) -> Iterator[Row]:
    for start, (count, failed) in sorted(read_hours(filters.selection).items()):
        yield [start.astimezone(UTC), settings.LOOM_AWS, count, failed]


FILES = {
    "steps": step_file, "figures": figure_file, "agents": agent_file, "counts": count_file,
    "histogram": histogram_file, "hours": hour_file,
}  # fmt: skip
