"""Periods as a page's address names them, and the steps in which they are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DEFAULT = "24h"
LONGEST = timedelta(days=92)
MOST_STEPS = 40
STEPS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(days=1),
    timedelta(days=3),
)


@dataclass(frozen=True, slots=True)
class Preset:
    """A range that ends now."""

    key: str
    label: str
    words: str
    length: timedelta
    step: timedelta


PRESETS = {
    preset.key: preset
    for preset in (
        Preset("15m", "15 min", "last 15 minutes", timedelta(minutes=15), timedelta(minutes=1)),
        Preset("1h", "1 h", "last hour", timedelta(hours=1), timedelta(minutes=5)),
        Preset("24h", "24 h", "last 24 hours", timedelta(hours=24), timedelta(hours=1)),
        Preset("7d", "7 d", "last 7 days", timedelta(days=7), timedelta(hours=6)),
        Preset("30d", "30 d", "last 30 days", timedelta(days=30), timedelta(days=1)),
    )
}


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` to before `end`, drawn in steps; `problem` says why it is not the one that was asked for."""

    key: str
    words: str
    start: datetime
    end: datetime
    step: timedelta
    problem: str = ""

    @property
    def is_custom(self) -> bool:
        return self.key == "custom"


def is_range_asked(query: Mapping[str, str]) -> bool:
    """Whether a query says anything of the range, be it senseless."""
    return any(query.get(name) for name in ("range", "from", "to"))


def parse_range(query: Mapping[str, str], now: datetime, default: str = DEFAULT) -> TimeRange:
    """The range of a query: `range` is a preset's key, or `from` and `to` are instants in UTC (`2026-11-20T12:00`).

    Whatever is missing or makes no sense gives the default, with the reason in `problem` where something was asked.
    """
    asked = query.get("range", "")
    first, last = query.get("from", ""), query.get("to", "")
    if asked in PRESETS or not (first or last or asked == "custom"):
        return _preset(PRESETS.get(asked, PRESETS[default]), now)
    start, end = parse_instant(first), parse_instant(last) if last else now
    if start is None or end is None:
        return _preset(PRESETS[default], now, "From and to are instants such as 2026-11-20T12:00, in UTC.")
    if not timedelta(0) < end - start <= LONGEST:
        return _preset(PRESETS[default], now, f"From lies before to, by at most {LONGEST.days} days.")
    words = f"{start:%Y-%m-%d %H:%M} – {end:%Y-%m-%d %H:%M} UTC"
    return TimeRange("custom", words, start, end, step_for(end - start))


def _preset(preset: Preset, now: datetime, problem: str = "") -> TimeRange:
    return TimeRange(preset.key, preset.words, now - preset.length, now, preset.step, problem)


def parse_instant(text: str) -> datetime | None:
    """An instant in ISO 8601, UTC where it names no zone; None where it is none."""
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def step_for(length: timedelta) -> timedelta:
    """The shortest step that divides a length into at most `MOST_STEPS`."""
    return next((step for step in STEPS if length <= step * MOST_STEPS), STEPS[-1])
