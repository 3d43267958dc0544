"""Figures as tiles: what stands in each and what is said when there is too little to say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from apps.core.templatetags.loom import duration
from apps.metrics.figures.figures import Figures
from apps.metrics.figures.independent import Apart, rate_difference
from apps.metrics.figures.pages.wording import LEAST_FOR_MEDIAN, NOTHING, percent, signed, span, span_text, split
from apps.metrics.figures.statistics import Summary
from apps.metrics.figures.tally import StartupFigures
from apps.metrics.figures.targets import beside, latency_sample

MISSING = {
    "weak": "by their first log line only",
    "clock_skew": "with clock skew",
    "provisional": "provisional",
    "waiting": "waiting",
    "not_found": "not found",
    "failed": "failed",
}


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
    change: str = ""  # against the period before
    tone: str = ""  # bad or ok, where the change is certain and one of these


def _latency_tile(label: str, summary: Summary, hint: str, is_emulated: bool, *notes: str, href: str = "") -> Tile:
    if summary.n == 0:
        return Tile(label, NOTHING, meta=_joined(*notes) or "nothing measured yet", hint=hint)
    assert summary.minimum is not None and summary.maximum is not None
    if summary.p50 is None:
        value, unit = split(summary.minimum) if summary.n == 1 else span(summary.minimum, summary.maximum)
        about = f"n = {summary.n}; the median needs {LEAST_FOR_MEDIAN}"
    else:
        value, unit = split(summary.p50.value)
        about = f"p50, n = {summary.n:,}, 95 %: {span_text(summary.p50.low, summary.p50.high)}"
    return Tile(label, value, unit, meta=_joined(about, *notes), hint=hint, is_emulated=is_emulated, href=href)


def _joined(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def _left_out(figures: Figures) -> str:
    return f"{figures.ttft_unknown_count} of unknown start left out" if figures.ttft_unknown_count else ""


def _source(startup: StartupFigures) -> str:
    if not startup.other_count:
        return startup.source
    return f"{startup.source} ({startup.other_count} measured otherwise left out)"


def missing_starts(figures: Figures) -> str:
    """How many cold runs are measured, and what is known of the others; nothing where all are."""
    count = sum(figures.cold_states.values())
    others = [
        f"{figures.cold_states[state]} {word}" for state, word in MISSING.items() if figures.cold_states.get(state)
    ]
    if not others:
        return ""
    return ", ".join([f"{figures.cold_states.get('measured', 0)} of {count} cold runs measured", *others])


def startup_tile(figures: Figures, *, is_emulated: bool, href: str = "") -> Tile:
    """How long cold starts took, by which line of the logs, and what is known of those that were not measured."""
    return _latency_tile(
        "Startup, cold",
        figures.startup_cold.summary,
        "From sending the request to the start of the agent's code, by its own or the SDK's line in CloudWatch.",
        is_emulated,
        _source(figures.startup_cold),
        missing_starts(figures),
        href=href,
    )


def make_tiles(figures: Figures, before: Figures | None = None, *, is_emulated: bool, runs_path: str) -> list[Tile]:
    """The tiles of the first row of Operate and of an agent's page, with how they differ from the period before, which
    is as long; `runs_path` is where their runs are listed.
    """
    tiles = _tiles(figures, is_emulated=is_emulated, runs_path=runs_path)
    if before is None:
        return tiles
    changes = [
        _count_change(figures.invocation_count, before.invocation_count),
        _latency_change(figures, before, "ttft", "cold"),
        _latency_change(figures, before, "ttft", "warm"),
        _latency_change(figures, before, "startup", "cold"),
        _rate_change(figures, before),
    ]
    return [replace(tile, change=text, tone=tone) for tile, (text, tone) in zip(tiles, changes, strict=True)]


def _count_change(count: int, before: int) -> tuple[str, str]:
    if not before:
        return (_("none before"), "") if count else ("", "")
    return _("%(change)s against before (%(before)s)") % {
        "change": f"{(count - before) / before:+.0%}".replace("-", "−"),
        "before": f"{before:,}",
    }, ""


def _latency_change(figures: Figures, before: Figures, metric: str, temperature: str) -> tuple[str, str]:
    """How the median differs from the one before; only what its interval says for certain has a sign."""
    samples = [latency_sample(one.tally, metric, temperature) for one in (before, figures)]
    found = beside(samples)[1]
    if found.median_apart is None:
        return (_("n = %(n)s before") % {"n": len(samples[0].ordered)} if samples[1].ordered else ""), ""
    return _change(found.median_apart, duration)


def _rate_change(figures: Figures, before: Figures) -> tuple[str, str]:
    counts = (figures.failed_count, figures.finished_count, before.failed_count, before.finished_count)
    apart = rate_difference(*counts)
    return ("", "") if apart is None else _change(apart, _points)


def _points(share: float) -> str:
    return _("%(points)s points") % {"points": f"{share * 100:.1f}"}


def _change(apart: Apart, words: Callable[[float], str]) -> tuple[str, str]:
    told = {"low": signed(apart.low, words), "high": signed(apart.high, words)}
    if not apart.is_certain:
        return _("no telling from before: %(low)s … %(high)s") % told, ""
    change = _("%(value)s against before (%(low)s … %(high)s)") % {**told, "value": signed(apart.value, words)}
    return change, "bad" if apart.value > 0 else "ok"


def _tiles(figures: Figures, *, is_emulated: bool, runs_path: str) -> list[Tile]:
    rate = figures.error_rate
    return [
        Tile(
            "Invocations",
            f"{figures.invocation_count:,}",
            meta=f"{figures.unfinished_count} unfinished · {figures.stopped_count} stopped",
            hint="Invocations made by Loom; AWS may have seen others.",
            href=runs_path if figures.invocation_count else "",
        ),
        _latency_tile(
            "TTFT, cold",
            figures.ttft_cold,
            "From sending the request to the first token, where an environment was created or pooled.",
            is_emulated,
            _left_out(figures),
            href=f"{runs_path}&start=cold&sort=-ttft",
        ),
        _latency_tile(
            "TTFT, warm",
            figures.ttft_warm,
            "The same where the environment was reused.",
            is_emulated,
            _left_out(figures),
            href=f"{runs_path}&start=warm&sort=-ttft",
        ),
        startup_tile(figures, is_emulated=is_emulated, href=f"{runs_path}&start=cold"),
        Tile(
            "Error rate",
            NOTHING if rate is None else percent(rate),
            "" if rate is None else "%",
            meta=f"{figures.failed_count:,} of {figures.finished_count:,} failed",
            hint="(failed + interrupted) / (finished − stopped)",
            href=f"{runs_path}&error=any" if figures.failed_count else "",
        ),
    ]
