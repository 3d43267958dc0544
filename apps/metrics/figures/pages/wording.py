"""Durations and summaries as a reader would write them."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import gettext as _

from apps.core.templatetags.loom import duration
from apps.metrics.figures.statistics import Percentile, Summary, least_n

NOTHING = "–"
LEAST_FOR_MEDIAN = 6


def percent(rate: float) -> str:
    """A share of 1 in percent, without the sign: `0`, `0.4`, `100`; what rounding would make these is not: `<0.1`."""
    if 0 < rate < 0.0005:
        return "<0.1"
    if 0.9995 <= rate < 1:
        return ">99.9"
    return f"{rate * 100:.1f}".removesuffix(".0")


def split(value_ms: float) -> tuple[str, str]:
    """A duration as number and unit; one in several units (`2 min 5 s`) keeps them all in the number."""
    number, _, unit = duration(value_ms).rpartition(" ")
    return (number, unit) if " " not in number else (f"{number} {unit}", "")


def span(low_ms: float, high_ms: float) -> tuple[str, str]:
    """From–to as text and unit; the unit stands once where both have the same."""
    (low, low_unit), (high, high_unit) = split(low_ms), split(high_ms)
    if low_unit == high_unit:
        return f"{low} – {high}", low_unit
    return f"{low} {low_unit} – {high} {high_unit}".replace("  ", " ").strip(), ""


def span_text(low_ms: float, high_ms: float) -> str:
    """The same as one text."""
    return " ".join(filter(None, span(low_ms, high_ms)))


def needs(p: float) -> str:
    """What stands for a percentile of too few runs: `needs 72`."""
    return _("needs %(count)s") % {"count": least_n(p)}


def signed(value: float, words: Callable[[float], str]) -> str:
    """A difference with its sign, also where it is more; `words` writes the amount."""
    amount = words(abs(value))
    return amount if not value else f"{'+' if value > 0 else '−'}{amount}"


def interval(percentile: Percentile | None) -> str:
    """A percentile's 95 % interval, or a dash."""
    return NOTHING if percentile is None else span_text(percentile.low, percentile.high)


def summary_text(summary: Summary) -> str:
    """The median, or what may be said instead: one value, or from–to."""
    if summary.p50 is not None:
        return duration(summary.p50.value)
    if summary.minimum is None or summary.maximum is None:
        return NOTHING
    return duration(summary.minimum) if summary.n == 1 else span_text(summary.minimum, summary.maximum)
