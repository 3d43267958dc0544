"""The one table of a comparison: a line for each figure, a column for each target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.templatetags.loom import duration, usd
from apps.metrics.figures.independent import Apart, Effect
from apps.metrics.figures.pages.wording import LEAST_FOR_MEDIAN, NOTHING, needs, percent, signed
from apps.metrics.figures.targets import QUANTILES, Beside, Compared, Obstacle, Rate
from apps.metrics.figures.usage import MICRO

Words = Callable[[float], str]

SIZES: dict[str, str | Promise] = {
    "negligible": gettext_lazy("negligible"),
    "small": gettext_lazy("small"),
    "medium": gettext_lazy("medium"),
    "large": gettext_lazy("large"),
}
USAGE: dict[str, str | Promise] = {
    "tokens_in": gettext_lazy("Tokens in"),
    "tokens_out": gettext_lazy("Tokens out"),
    "cost": gettext_lazy("Cost"),
}
COST_SOURCES: dict[str, str | Promise] = {
    "reported": gettext_lazy("reported by the agent"),
    "priced": gettext_lazy("by the price list"),
    "estimate": gettext_lazy("an estimate: at most"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure of a target: its value, its interval, and how it differs from that of the first one.

    `tone` is `more` or `less` where a difference is certain.
    """

    value: str
    interval: str = ""
    apart: str = ""
    apart_interval: str = ""
    tone: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of all targets."""

    label: str
    hint: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Section:
    """Figures of the same runs."""

    title: str
    key: str
    rows: list[Row]


def sections(compared: Sequence[Compared], newest: int) -> list[Section]:
    """All lines of the table: cold, warm, all runs, and what the newest of them used."""
    found = [
        _latency_section(temperature, title, [one.latencies[temperature] for one in compared])
        for temperature, title in (("cold", _("Cold starts")), ("warm", _("Warm starts")))
    ]
    counts = [Cell(f"{one.figures.invocation_count:,}", note=_left_out(one)) for one in compared]
    found.append(
        Section(
            _("All runs"),
            "all",
            [
                Row(_("Runs"), _("Runs made by Loom; AWS may have seen others."), counts),
                Row(
                    _("Error rate"),
                    _("(failed + interrupted) / (finished − stopped)"),
                    [_rate_cell(one.errors) for one in compared],
                ),
            ],
        )
    )
    if all(one.usage for one in compared):
        title = _("The newest %(count)s completed runs") % {"count": newest}
        found.append(Section(title, "usage", [_usage_row(name, compared) for name in USAGE]))
    return found


def _latency_section(key: str, title: str, found: Sequence[Beside]) -> Section:
    rows = [Row("n", _("Runs with this figure"), [Cell(f"{one.summary.n:,}", note=_source(one)) for one in found])]
    for p in QUANTILES:
        hint = _("%(share)s of 100 took no longer") % {"share": f"{p * 100:g}"}
        rows.append(Row(f"p{p * 100:g}", hint, [_quantile_cell(one, p, duration) for one in found]))
    hint = _("How often a run takes longer than one of the first target, and what that is called")
    rows.append(Row(_("In pairs"), hint, [_effect_cell(one) for one in found]))
    return Section(title, key, rows)


def _left_out(one: Compared) -> str:
    count = one.figures.ttft_unknown_count
    return _("%(count)s of unknown start in neither") % {"count": count} if count else ""


def _source(one: Beside) -> str:
    if not one.other_count:
        return one.source
    return _("%(source)s (%(count)s measured otherwise left out)") % {"source": one.source, "count": one.other_count}


def _quantile_cell(one: Beside, p: float, words: Words) -> Cell:
    found = one.summary.percentile(p)
    if found is None:
        return Cell(_few(one, p, words), apart=_why_not(one.obstacle, p) if one.summary.n and p == 0.5 else "")
    told = f"{words(found.low)} – {words(found.high)}"
    if one.obstacle == "first":
        return Cell(words(found.value), told)
    apart = one.apart.get(p)
    if apart is None:
        return Cell(words(found.value), told, _why_not(one.obstacle, p))
    return Cell(words(found.value), told, *_apart(apart, words))


def _few(one: Beside, p: float, words: Words) -> str:
    """What may be said below the floor: the extremes where the median is missing, else how many it needs."""
    summary = one.summary
    if summary.minimum is None or summary.maximum is None:
        return NOTHING
    if p != 0.5:
        return needs(p)
    ends = dict.fromkeys([words(summary.minimum), words(summary.maximum)])
    return " – ".join(ends)


def _why_not(obstacle: Obstacle, p: float) -> str:
    if obstacle == "source":
        return _("told by another line than the first")
    if obstacle == "first":
        return _("the median needs %(count)s") % {"count": LEAST_FOR_MEDIAN}
    return _("%(needs)s of both") % {"needs": needs(p)}


def _apart(apart: Apart, words: Words) -> tuple[str, str, str]:
    """A difference, its interval, and its tone: only what is certain is said to be more or less."""
    told = f"{signed(apart.low, words)} … {signed(apart.high, words)}"
    if not apart.is_certain:
        return _("cannot be told"), told, ""
    return signed(apart.value, words), told, "more" if apart.value > 0 else "less"


def _effect_cell(one: Beside) -> Cell:
    if one.effect is None:
        return Cell(NOTHING)
    return Cell(effect_text(one.effect), note=f"δ = {one.effect.delta:+.2f}".replace("-", "−"))


def effect_text(effect: Effect) -> str:
    """An effect in words that need no statistics."""
    size = SIZES[effect.size]
    return _("longer in %(count)s of 100: %(size)s") % {"count": round(effect.longer * 100), "size": size}


def _rate_cell(rate: Rate) -> Cell:
    share = rate.share
    if share is None:
        return Cell(NOTHING)
    value = f"{percent(share.value)} %"
    told = f"{percent(share.low)} – {percent(share.high)} %"
    note = _("%(count)s of %(n)s") % {"count": f"{share.count:,}", "n": f"{share.n:,}"}
    if rate.apart is None:
        return Cell(value, told, note=note)
    return Cell(value, told, *_apart(rate.apart, _points), note=note)


def _points(share: float) -> str:
    return _("%(points)s points") % {"points": f"{share * 100:.1f}"}


def _usage_row(name: str, compared: Sequence[Compared]) -> Row:
    words = _dollars if name == "cost" else _count
    cells = []
    for one in (compared_one.usage[name] for compared_one in compared):
        cell = _quantile_cell(one, 0.5, words)
        source = COST_SOURCES.get(one.source, "")
        note = " · ".join(filter(None, [f"n = {one.summary.n:,}" if one.summary.n else "", str(source)]))
        apart = _("known in another way than the first") if one.obstacle == "source" else cell.apart
        cells.append(Cell(cell.value, cell.interval, apart, cell.apart_interval, cell.tone, note))
    return Row(str(USAGE[name]), _("Median of a run that reported it"), cells)


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _dollars(value: float) -> str:
    return usd(Decimal(round(value * MICRO)) / MICRO)
