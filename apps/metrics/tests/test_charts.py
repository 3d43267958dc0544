from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.metrics.figures.pages.charts import Chart, Mark, latency_chart
from apps.metrics.figures.pages.ranges import parse_range, step_for
from apps.metrics.figures.tally import Tally

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def tally(kind: str, *ttft_ms: float, status: str = "completed") -> Tally:
    made = Tally()
    for value in ttft_ms:
        token_at = NOON + timedelta(milliseconds=value)
        made.add((status, NOON, token_at, token_at + HOUR, kind, "waiting", 0, "", None, None, 0, None, 1))
    return made


def draw(**by_hour: Tally) -> Chart:
    """The chart of the four hours until noon, whose tallies are given as h8 to h11."""
    period = parse_range({"from": "2026-11-20T08:00", "to": "2026-11-20T12:00"}, NOON)
    steps = {NOON.replace(hour=int(name[1:])): found for name, found in by_hour.items()}
    return latency_chart(steps, period, "ttft", lambda start, end: f"?{start:%H:%M}-{end:%H:%M}")


def test_enough_runs_are_a_median_with_its_interval_and_few_are_points() -> None:
    values = [1_000.0, 1_100.0, 1_200.0, 1_300.0, 1_400.0, 2_000.0]
    chart = draw(h8=tally("created", *values), h9=tally("created", 500.0, 1_000.0), h10=tally("reused", 250.0))

    cold, warm = chart.series
    assert [tick.label for tick in chart.y_ticks] == ["0 s", "0.5 s", "1 s", "1.5 s", "2 s"]
    assert cold.medians == [Mark(3.12, 40.0, low_y=50.0, high_y=0.0)]
    assert cold.points == [Mark(28.12, 75.0), Mark(28.12, 50.0)]
    assert (warm.key, warm.medians, warm.points) == ("warm", [], [Mark(53.12, 87.5)])


def test_medians_are_joined_where_their_steps_follow_each_other() -> None:
    six = [100.0] * 6
    period = parse_range({"range": "24h"}, NOON)
    steps = {NOON.replace(hour=hour): tally("reused", *six) for hour in (7, 8, 10)}
    drawn = latency_chart(steps, period, "ttft", lambda start, end: "").series[0]

    assert len(drawn.medians) == 3
    assert [(line.x1, line.x2) for line in drawn.lines] == [(drawn.medians[0].x, drawn.medians[1].x)]


def test_a_step_says_its_figures_and_leads_to_itself() -> None:
    chart = draw(h8=tally("created", 1_500.0), h9=tally("reused", 100.0, 300.0, status="failed"))

    said = {step.href: step.text for step in chart.steps if not step.is_empty}
    assert said == {
        "?08:00-08:15": "cold 1.50 s (n = 1)",
        "?09:00-09:15": "warm 100 – 300 ms (n = 2) · 2 of 2 failed",
    }


def test_nothing_is_drawn_of_nothing() -> None:
    chart = draw()

    assert (chart.series, chart.drawn_steps) == ([], [])


@pytest.mark.parametrize(
    ("query", "key", "problem"),
    [
        ({}, "24h", False),
        ({"range": "7d"}, "7d", False),
        ({"range": "2y"}, "24h", False),
        ({"range": "custom"}, "24h", True),
        ({"from": "2026-11-20T08:00"}, "custom", False),
        ({"from": "yesterday", "to": "2026-11-20T08:00"}, "24h", True),
        ({"from": "2026-11-20T08:00", "to": "2026-11-20T08:00"}, "24h", True),
        ({"from": "2026-01-01T00:00", "to": "2026-11-20T08:00"}, "24h", True),
        ({"from": "0001-01-01T00:00+23:00", "to": "2026-11-20T08:00"}, "24h", True),
    ],
)
def test_a_range_is_what_the_address_says_or_the_default(query: dict[str, Any], key: str, problem: bool) -> None:
    period = parse_range(query, NOON)

    assert (period.key, bool(period.problem)) == (key, problem)
    assert period.start < period.end <= NOON
    assert (period.end - period.start) / period.step <= 48


def test_steps_are_as_fine_as_forty_of_them_allow() -> None:
    found = {hours: step_for(timedelta(hours=hours)) for hours in (1, 5, 40, 24 * 30, 24 * 92)}

    assert found == {
        1: timedelta(minutes=5),
        5: timedelta(minutes=15),
        40: timedelta(hours=1),
        24 * 30: timedelta(days=1),
        24 * 92: timedelta(days=3),
    }
