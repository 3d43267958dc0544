"""One picture: p99 lag against the number of streams, as an SVG that reads in light and dark."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 130, 24, 48
LEAST_MS, MOST_MS = 1.0, 10_000.0
COLOURS = ("a", "b", "c", "d", "e")
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #444 } .t { font-weight: 600; fill: #222 } .bg { fill: #fff }
.g { stroke: #ddd } .l { stroke: #b42318; stroke-dasharray: 5 4 } text.limit { fill: #b42318 }
.a { stroke: #4f46e5; fill: #4f46e5 } .b { stroke: #b45309; fill: #b45309 } .c { stroke: #047857; fill: #047857 }
.d { stroke: #9d174d; fill: #9d174d } .e { stroke: #475569; fill: #475569 }
path.p { fill: none; stroke-width: 2 } text.s { stroke: none }
@media (prefers-color-scheme: dark) {
text { fill: #bbb } .t { fill: #eee } .bg { fill: #14161a } .g { stroke: #333 }
.l { stroke: #f97066 } text.limit { fill: #f97066 }
.a { stroke: #a5b4fc; fill: #a5b4fc } .b { stroke: #fbbf24; fill: #fbbf24 } .c { stroke: #34d399; fill: #34d399 }
.d { stroke: #f9a8d4; fill: #f9a8d4 } .e { stroke: #cbd5e1; fill: #cbd5e1 } path.p { fill: none }
}
"""


@dataclass(frozen=True, slots=True)
class Series:
    """A line: pairs of streams and milliseconds."""

    title: str
    points: list[tuple[int, float]]


def lag_plot(series: list[Series], limit_ms: float) -> str:
    """The whole document; the vertical axis is logarithmic."""
    most = max((count for line in series for count, _ in line.points), default=1)
    right_end = math.ceil(most / 100) * 100

    def x(count: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * count / right_end

    def y(value_ms: float) -> float:
        clipped = min(max(value_ms, LEAST_MS), MOST_MS)
        share = math.log10(clipped / LEAST_MS) / math.log10(MOST_MS / LEAST_MS)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="p99 lag by number of streams"><style>{STYLE}</style>'
        f'<rect class="bg" width="{WIDTH}" height="{HEIGHT}"/>'
    ]
    for value in (1, 10, 100, 1000, 10_000):
        parts.append(f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:,}</text>')
    for count in range(0, right_end + 1, 100):
        parts.append(f'<text x="{x(count):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{count}</text>')
    parts.append(f'<line class="l" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(limit_ms):.1f}" y2="{y(limit_ms):.1f}"/>')
    parts.append(f'<text class="limit" x="{LEFT + 6}" y="{y(limit_ms) - 6:.1f}">limit {limit_ms:g} ms</text>')
    parts.append(f'<text class="t" x="{LEFT}" y="15">p99 lag, ms</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">streams at 30 tokens/s on one core</text>')
    parts += _lines(series, x, y)
    return "\n".join([*parts, "</svg>", ""])


def _lines(series: list[Series], x: object, y: object) -> list[str]:
    """The lines, their points, and each one's name at its right end, kept apart from the others."""
    assert callable(x)
    assert callable(y)
    parts = []
    taken: list[float] = []
    for colour, line in zip(COLOURS, series, strict=False):
        if not line.points:
            continue
        places = [(x(count), y(lag)) for count, lag in line.points]
        path = " ".join(f"{'L' if number else 'M'}{left:.1f} {top:.1f}" for number, (left, top) in enumerate(places))
        parts.append(f'<path class="p {colour}" d="{path}"/>')
        parts += [f'<circle class="{colour}" cx="{left:.1f}" cy="{top:.1f}" r="3.5"/>' for left, top in places]
        label = places[-1][1] + 4
        while any(abs(label - other) < 16 for other in taken):
            label += 16
        taken.append(label)
        parts.append(f'<text class="s {colour}" x="{WIDTH - RIGHT + 10}" y="{label:.1f}">{escape(line.title)}</text>')
    return parts
