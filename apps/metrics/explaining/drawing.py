"""A timeline as a drawing: places in percent of its width, so that it fits any without a script. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.templatetags.loom import duration
from apps.metrics.explaining.agent_spans import together
from apps.metrics.explaining.gaps import Gap
from apps.metrics.explaining.spans import MOST_SPANS, Rate, Span
from apps.metrics.explaining.timeline import Timeline
from apps.metrics.explaining.wording import CLOCKS, GAPS, INSTANTS, SPANS, TOLD_SPANS

MOST_TICKS = 4
_LEAST_WIDTH = 0.4  # percent: what is shorter would not be seen
_RATE_HEIGHT = 100.0
DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a row, in percent of its width; `look` is its style."""

    x: float
    width: float
    look: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the waterfall: what it is, how long it took, its bars, and where the sentence above it leads to."""

    key: str
    name: str
    value: str
    bars: Sequence[Bar]
    depth: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table: a gap or a span with its two ends and where they are known from."""

    name: str
    start_ms: float
    duration_ms: float
    ends: str
    clock: str
    is_from_log: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the scale, in percent; the first and last are written inside of the drawing."""

    at: float
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that a template puts on the page."""

    rows: Sequence[Row]
    lines: Sequence[Line]
    ticks: Sequence[Tick]
    rate_points: str
    rate_value: str
    left_out_count: int = 0
    clock_note: str = field(default="")
    trace_notes: Sequence[str] = ()


def draw(timeline: Timeline) -> Drawing:
    """The waterfall, its table and its scale."""
    scale = _Scale(timeline.wall_ms)
    sent_ms = timeline.sent_ms or 0.0
    rows = [_gap_row(list(gaps), timeline, scale) for _key, gaps in groupby(timeline.gaps, key=lambda gap: gap.key)]
    work = together(timeline.spans, timeline.agent_spans.spans if timeline.agent_spans else ())
    shown = _shown(work)
    number_of = {span.key: number for number, span in enumerate(timeline.spans)}
    rows += [_span_row(span, number_of, timeline, scale) for span in shown]
    if timeline.stalls:
        rows.append(_stall_row(timeline, scale))
    return Drawing(
        rows=rows,
        lines=[*map(_gap_line, timeline.gaps), *_span_lines(timeline, work)],
        ticks=scale.ticks(),
        rate_points=_rate_points(timeline.rate, sent_ms, scale) if timeline.rate else "",
        rate_value=_rate_value(timeline.rate) if timeline.rate else "",
        left_out_count=len(work) - len(shown),
        clock_note=_clock_note(timeline),
        trace_notes=_trace_notes(timeline),
    )


class _Scale:
    """Milliseconds as percent of the width."""

    def __init__(self, wall_ms: float) -> None:
        self._wall_ms = max(wall_ms, 0.001)

    def x(self, ms: float) -> float:
        return round(min(max(ms / self._wall_ms * 100, 0.0), 100.0), 3)

    def bar(self, start_ms: float, end_ms: float, look: str) -> Bar:
        left = min(self.x(start_ms), 100 - _LEAST_WIDTH)
        return Bar(left, round(max(self.x(end_ms) - left, _LEAST_WIDTH), 3), look)

    def ticks(self) -> list[Tick]:
        rough = self._wall_ms / MOST_TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step_ms = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
        count = int(self._wall_ms / step_ms + 1e-9)
        return [
            Tick(
                self.x(step_ms * number),
                f"{step_ms * number / 1000:g} s" if step_ms * count >= 1000 else f"{step_ms * number:g} ms",
                "start" if number == 0 else "end" if self.x(step_ms * number) > 94 else "middle",
            )
            for number in range(count + 1)
        ]


def _gap_row(gaps: Sequence[Gap], timeline: Timeline, scale: _Scale) -> Row:
    key = gaps[0].key
    bars = [scale.bar(gaps[0].start_ms, gaps[-1].end_ms, key.partition("_")[0] if key.startswith("until") else key)]
    note = ""
    if key == "startup" and timeline.start is not None:
        bars.append(scale.bar(timeline.start.low_ms, timeline.start.high_ms, "range"))
        note = _("provisional") if timeline.start.is_provisional else ""
    total_ms = sum(gap.duration_ms for gap in gaps)
    return Row(key=f"{key}-{gaps[0].after}", name=str(GAPS[key]), value=duration(total_ms), bars=bars, note=note)


def _stall_row(timeline: Timeline, scale: _Scale) -> Row:
    sent_ms = timeline.sent_ms or 0.0
    count = len(timeline.stalls)
    return Row(
        key="stalls",
        name=ngettext("%(count)d stall", "%(count)d stalls", count) % {"count": count},
        value=duration(sum(stall.duration_ms for stall in timeline.stalls)),
        bars=[scale.bar(sent_ms + stall.start_ms, sent_ms + stall.end_ms, "stall") for stall in timeline.stalls],
    )


def _shown(work: Sequence[Span]) -> list[Span]:
    """The rows: as many of the recording as the sentence above may lead to, and as many that only the agent told of."""
    counts = {"recorded": 0, "told": 0}
    shown = []
    for span in work:
        source = "told" if span.clock == "agent" and not span.same_as else "recorded"
        counts[source] += 1
        if counts[source] <= MOST_SPANS:
            shown.append(span)
    return shown


def _span_row(span: Span, number_of: Mapping[str, int], timeline: Timeline, scale: _Scale) -> Row:
    """A span by its own clock; the outermost of the agent's also with where causality lets the first of them begin."""
    sent_ms, told = timeline.sent_ms or 0.0, timeline.agent_spans
    number = number_of.get(span.same_as or span.key)
    look = "failed" if span.has_failed else "told" if span.clock == "agent" else "span"
    bars = [scale.bar(sent_ms + span.start_ms, sent_ms + span.end_ms, look)]
    if told is not None and span.clock == "agent" and not span.depth:
        bars.append(scale.bar(sent_ms + told.low_ms, sent_ms + told.high_ms, "range"))
    return Row(
        key=f"told-{span.key}" if number is None else f"span-{number}",
        name=span.name,
        value=duration(span.duration_ms),
        bars=bars,
        depth=min(span.depth, DEEPEST),
        note=_span_note(span),
    )


def _span_note(span: Span) -> str:
    return _("failed") if span.has_failed else "" if span.is_over else _("no result")


def _gap_line(gap: Gap) -> Line:
    return Line(
        name=str(GAPS[gap.key]),
        start_ms=gap.start_ms,
        duration_ms=gap.duration_ms,
        ends=_("%(after)s to %(before)s") % {"after": INSTANTS[gap.after], "before": INSTANTS[gap.before]},
        clock=str(CLOCKS[gap.clock]),
        is_from_log=gap.evidence == "log",
    )


def _span_lines(timeline: Timeline, work: Sequence[Span]) -> list[Line]:
    sent_ms = timeline.sent_ms or 0.0
    recorded = {span.key: span for span in timeline.spans}
    lines = [
        Line(
            name=f"{(TOLD_SPANS if span.clock == 'agent' else SPANS)[span.kind]} {span.name}",
            start_ms=sent_ms + span.start_ms,
            duration_ms=span.duration_ms,
            ends=_span_ends(span, recorded.get(span.same_as), sent_ms),
            clock=str(CLOCKS[span.clock]),
            is_from_log=False,
        )
        for span in work
    ]
    lines += [
        Line(_("Stall"), sent_ms + stall.start_ms, stall.duration_ms, "", str(CLOCKS["loom"]), is_from_log=False)
        for stall in timeline.stalls
    ]
    return lines


def _span_ends(span: Span, recorded: Span | None, sent_ms: float) -> str:
    """What is said of a span's ends: where the answer tells of it too, when it did so."""
    if recorded is None:
        return _span_note(span)
    words = _("in the answer from %(start)s on, for %(duration)s") % {
        "start": duration(sent_ms + recorded.start_ms), "duration": duration(recorded.duration_ms),
    }  # fmt: skip
    return f"{_span_note(span)}, {words}" if _span_note(span) else words


def _rate_points(rate: Rate, sent_ms: float, scale: _Scale) -> str:
    """The corners of a line in a field of 100 by 100: a step for each piece of time."""
    points = []
    for number, per_second in enumerate(rate.per_second):
        start_ms = sent_ms + rate.start_ms + number * rate.step_ms
        y = round(_RATE_HEIGHT - per_second / rate.highest * (_RATE_HEIGHT - 8), 1)
        points += [f"{scale.x(start_ms)},{y}", f"{scale.x(start_ms + rate.step_ms)},{y}"]
    return " ".join(points)


def _rate_value(rate: Rate) -> str:
    highest = f"{rate.highest:,.0f}"
    if rate.unit == "tokens":
        return _("at most %(rate)s tokens/s") % {"rate": highest}
    return _("at most %(rate)s characters/s") % {"rate": highest}


def _clock_note(timeline: Timeline) -> str:
    """What the agent's clock has to do with it, where anything is drawn by it or could not be."""
    panel = timeline.panel
    if timeline.start is not None:
        return _(
            "When the agent started is told by its own clock. By causality it lies between %(low)s and %(high)s after "
            "the request was sent: the thin bar."
        ) % {"low": duration(panel.low_ms), "high": duration(panel.high_ms)}
    if panel.state == "clock_skew":
        return _("The agent's clock and this machine's differ, so when it started is not drawn.")
    return ""


def _trace_notes(timeline: Timeline) -> list[str]:
    """What became of the agent's own spans, as quietly as it can be said."""
    told = timeline.agent_spans
    if told is None:
        return []
    if told.state == "waiting":
        return [_("The agent’s own spans are looked for in CloudWatch.")]
    if told.state == "failed":
        words = _("The agent’s own spans could not be read (%(code)s); “check_aws” says what is missing.")
        return [words % {"code": told.error_code}]
    cut = [_("There are more lines than Loom reads of a run, five pages: some of its spans may be missing.")]
    if told.state == "not_found":
        missing = _("The agent’s own spans did not come to CloudWatch: it sends none, or Transaction Search is off.")
        return cut if told.is_cut else [missing]
    notes = [_("Spans in %(group)s are told by the agent’s clock.") % {"group": told.log_group}]
    if told.shift_ms:
        words = _("It contradicts this machine’s, so they are moved by %(shift)s, the least that can be.")
        notes.append(words % {"shift": duration(abs(told.shift_ms))})
    if told.damaged_count:
        words = ngettext("%(count)d line is no whole span.", "%(count)d lines are no whole spans.", told.damaged_count)
        notes.append(words % {"count": told.damaged_count})
    if told.left_out_count:
        words = ngettext("%(count)d more was not kept.", "%(count)d more were not kept.", told.left_out_count)
        notes.append(words % {"count": told.left_out_count})
    if told.is_cut:
        notes += cut
    return notes
