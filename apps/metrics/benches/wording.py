"""What a bench has found, in words that need no statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.core.templatetags.loom import duration
from apps.metrics.benches.results import BenchResult, RungResult, SideResult
from apps.metrics.figures.independent import Effect
from apps.metrics.figures.pages.wording import NOTHING, interval, signed, summary_text
from apps.metrics.series.shifts import Look

LETTERS = ("A", "B")
OUTCOMES: dict[str, Promise] = {
    "waiting": gettext_lazy("waiting"),
    "running": gettext_lazy("running"),
    "done": gettext_lazy("done"),
    "stopped_early": gettext_lazy("stopped early"),
    "limit_reached": gettext_lazy("limit reached"),
    "cancelled": gettext_lazy("cancelled"),
    "failed": gettext_lazy("failed"),
}
# In which tone of a badge: the names of states that it knows.
TONES = {"waiting": "queued", "stopped_early": "done", "limit_reached": "interrupted"}
RUNG_STATES: dict[str, Promise] = {
    "waiting": gettext_lazy("waiting"),
    "warming_up": gettext_lazy("warming up"),
    "measuring": gettext_lazy("measuring"),
    "found": gettext_lazy("stopped early"),
    "measured": gettext_lazy("all pairs measured"),
    "ended": gettext_lazy("not measured to its end"),
}
SIZES: dict[str, Promise] = {
    "negligible": gettext_lazy("negligible"),
    "small": gettext_lazy("small"),
    "medium": gettext_lazy("medium"),
    "large": gettext_lazy("large"),
}
Tone = Literal["found", "none", "open"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows: a difference was found, none was, or nothing can be said."""

    tone: Tone
    lines: list[str]
    advice: str = ""

    @property
    def text(self) -> str:
        """All of it on one line."""
        return " ".join(filter(None, (*self.lines, self.advice)))


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, and what stands below it."""

    value: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class RungRow:
    """A rung as the table shows it."""

    found: RungResult
    state: str
    sides: list[Figure]
    apart: Figure
    effect: Figure
    verdict: str


def verdict_of(result: BenchResult) -> Verdict:
    """The sentence that a bench was made for."""
    if result.found:
        return Verdict("found", [_difference(rung) for rung in result.found], _others(result))
    if result.is_whole and result.detectable_ms is not None:
        told = _("No difference found. One of more than %(ms)s at any rung would have been found in 9 of 10 benches.")
        return Verdict("none", [told % {"ms": duration(result.detectable_ms)}])
    if result.plan.is_active:
        waits = next((rung.next_look for rung in result.rungs if rung.next_look), None)
        told = _("The next look comes after %(pairs)s pairs of the rung.") % {"pairs": waits} if waits else ""
        return Verdict("open", [_("Nothing can be said yet.")], told)
    if result.is_whole:
        return Verdict(
            "open", [_("Nothing can be said: too few runs have the figure that was asked for.")], _left_out(result)
        )
    seen = [rung.look.detectable_ms for rung in result.rungs if rung.look and rung.look.detectable_ms is not None]
    if not seen:
        return Verdict("open", [_("Nothing can be said: the bench ended before a look was made.")])
    told = _("No difference found until the bench ended. Where a look was made, one of more than %(ms)s would have "
             "been found in 9 of 10 benches.")  # fmt: skip
    return Verdict("none", [told % {"ms": duration(max(seen))}])


def _difference(rung: RungResult) -> str:
    assert rung.look is not None and rung.look.apart is not None
    apart = rung.look.apart
    values = {
        "count": rung.at_once, "ms": duration(abs(apart.value)),
        "low": duration(min(abs(apart.low), abs(apart.high))), "high": duration(max(abs(apart.low), abs(apart.high))),
    }  # fmt: skip
    told = (
        _("At %(count)s at once B takes %(ms)s longer (%(low)s – %(high)s).")
        if apart.value > 0
        else _("At %(count)s at once B takes %(ms)s less (%(low)s – %(high)s).")
    )
    return told % values


def _others(result: BenchResult) -> str:
    """What is known of the rungs at which no difference was found."""
    others = [rung for rung in result.rungs if rung not in result.found and rung.state == "measured"]
    return " ".join(
        _("At %(count)s at once none was found; %(detectable)s")
        % {"count": rung.at_once, "detectable": _detectable(rung.look)}
        for rung in others
        if rung.look is not None
    )


def _detectable(look: Look | None) -> str:
    if look is None or look.detectable_ms is None:
        return _("too few runs have the figure.")
    return _("one of more than %(ms)s would have been, in 9 of 10.") % {"ms": duration(look.detectable_ms)}


def _left_out(result: BenchResult) -> str:
    other = sum(side.other_start for rung in result.rungs for side in rung.sides)
    without = sum(side.without_figure for rung in result.rungs for side in rung.sides)
    if without:
        return _("An answer in one piece has no first token: measure the total latency of such agents.")
    if other:
        return _("Most runs did not start as they were to: see measuring.md for when an environment is reused.")
    return ""


def rung_rows(result: BenchResult) -> list[RungRow]:
    """The rungs as the page shows them."""
    return [
        RungRow(
            found=rung,
            state=_state_words(rung),
            sides=[side_figure(side) for side in rung.sides],
            apart=apart_figure(rung.look),
            effect=effect_figure(rung.effect),
            verdict=_verdict_words(rung),
        )
        for rung in result.rungs
    ]


def _state_words(rung: RungResult) -> str:
    words = str(RUNG_STATES[rung.state])
    if rung.state == "measuring" and rung.next_look:
        told = ngettext("%(count)s pair is over", "%(count)s pairs are over", rung.pairs_over)
        return f"{words}: {told % {'count': rung.pairs_over}}"
    return words


def side_figure(side: SideResult) -> Figure:
    """The median of a target's runs with its interval and n, and which runs have no part in it."""
    parts = [f"n\u00a0=\u00a0{side.figures.n}"]
    if side.figures.p50 is not None:
        parts.insert(0, interval(side.figures.p50))
    for count, words in (
        (side.failed, _("%(count)s failed")),
        (side.other_start, _("%(count)s started otherwise")),
        (side.without_figure, _("%(count)s without the figure")),
    ):
        if count:
            parts.append(words % {"count": count})
    return Figure(summary_text(side.figures), "; ".join(parts))


def apart_figure(look: Look | None) -> Figure:
    """How far apart the targets are at a rung's last look."""
    if look is None:
        return Figure(NOTHING)
    if look.apart is None:
        return Figure(NOTHING, _("too few runs for an interval"))
    low, high = signed(look.apart.low, duration), signed(look.apart.high, duration)
    value = signed(look.apart.value, duration) if look.is_found else _("cannot be told")
    return Figure(value, f"{low} … {high}")


def effect_figure(effect: Effect | None) -> Figure:
    """How often B takes longer, pair by pair of all runs, and what that is called."""
    if effect is None:
        return Figure(NOTHING)
    told = _("B longer in %(count)s of 100") % {"count": round(effect.longer * 100)}
    return Figure(str(SIZES[effect.size]), f"{told}, δ\u00a0=\u00a0{effect.delta:+.2f}".replace("-", "−"))


def _verdict_words(rung: RungResult) -> str:
    look = rung.look
    if look is None:
        return NOTHING
    after = _("after %(pairs)s pairs") % {"pairs": look.pairs}
    if look.is_found:
        return _("a difference, %(after)s") % {"after": after}
    if look.detectable_ms is None:
        return _("none can be told, %(after)s") % {"after": after}
    told = _("none found, %(after)s; more than %(ms)s would have been")
    return told % {"after": after, "ms": duration(look.detectable_ms)}
