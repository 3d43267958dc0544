"""Figures as tiles: what stands in each and what is said when there is too little to say it."""

from __future__ import annotations

from dataclasses import dataclass

from apps.core.templatetags.loom import duration
from apps.metrics.selectors import Figures
from apps.metrics.statistics import Summary

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure: its value with unit, and a line that says from how many runs it comes."""

    label: str
    value: str
    unit: str = ""
    meta: str = ""
    hint: str = ""
    is_emulated: bool = False
    href: str = ""


def _latency_tile(label: str, summary: Summary, hint: str, is_emulated: bool, missing: str = "") -> Tile:
    if summary.n == 0:
        return Tile(label, NOTHING, meta=missing or "no run yet", hint=hint)
    assert summary.minimum is not None and summary.maximum is not None
    if summary.p50 is None:
        extremes = duration(summary.minimum)
        if summary.n > 1:
            extremes = f"{duration(summary.minimum)} – {duration(summary.maximum)}"
        meta = f"n = {summary.n}; the median needs 6"
        return Tile(label, extremes, meta=" · ".join(filter(None, (meta, missing))), hint=hint, is_emulated=is_emulated)
    meta = f"p50, n = {summary.n}, 95 %: {duration(summary.p50.low)} – {duration(summary.p50.high)}"
    value, unit = duration(summary.p50.value).rsplit(" ", 1)
    return Tile(label, value, unit, meta=" · ".join(filter(None, (meta, missing))), hint=hint, is_emulated=is_emulated)


def _missing(figures: Figures) -> str:
    if not figures.cold_not_measured_count:
        return ""
    return f"{figures.cold_count - figures.cold_not_measured_count} of {figures.cold_count} cold runs measured"


def make_tiles(figures: Figures, *, is_emulated: bool) -> list[Tile]:
    """The tiles of the first row of Operate and of an agent's page."""
    rate = figures.error_rate
    finished = figures.invocation_count - figures.running_count - figures.stopped_count
    return [
        Tile(
            "Invocations",
            f"{figures.invocation_count:,}",
            meta=f"{figures.running_count} running · {figures.stopped_count} stopped",
            hint="Invocations made by Loom; AWS may have seen others.",
        ),
        _latency_tile(
            "TTFT, cold",
            figures.ttft_cold,
            "From sending the request to the first token, where an environment was created or pooled.",
            is_emulated,
        ),
        _latency_tile("TTFT, warm", figures.ttft_warm, "The same where the environment was reused.", is_emulated),
        _latency_tile(
            "Startup, cold",
            figures.startup_cold,
            "From sending the request to the agent's own start line in CloudWatch.",
            is_emulated,
            _missing(figures),
        ),
        Tile(
            "Error rate",
            NOTHING if rate is None else f"{rate * 100:.1f}",
            "" if rate is None else "%",
            meta=f"{figures.failed_count} of {finished} finished",
            hint="(failed + interrupted) / (finished − stopped)",
        ),
    ]
