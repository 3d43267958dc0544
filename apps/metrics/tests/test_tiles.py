from __future__ import annotations

from array import array
from collections.abc import Sequence

import pytest

from apps.metrics.figures.figures import Figures
from apps.metrics.figures.pages.tiles import Tile, make_tiles
from apps.metrics.figures.tally import Tally


def tiles(
    *,
    cold: Sequence[float] = (),
    warm: Sequence[float] = (),
    startup: Sequence[float] = (),
    counts: tuple[int, int, int, int] = (0, 0, 0, 0),
    unknown: int = 0,
    other: int = 0,
    states: dict[str, int] | None = None,
) -> dict[str, Tile]:
    """The tiles by label; `counts` are invocations, running, failed and stopped."""
    invoked, running, failed, stopped = counts
    done = invoked - running - failed - stopped
    values = {
        "ttft cold": cold,
        "ttft warm": warm,
        "ttft unknown": [1_000.0] * unknown,
        "startup cold SDK line": startup,
        "startup cold start line": [1_000.0] * other,
    }
    tally = Tally(
        {"streaming": running, "failed": failed, "stopped": stopped, "completed": done},
        states or {},
        {key: array("I", [round(value * 10) for value in found]) for key, found in values.items() if found},
    )
    figures = Figures(tally)
    return {tile.label: tile for tile in make_tiles(figures, is_emulated=True, runs_path="/runs/?range=24h")}


def said(tile: Tile) -> tuple[str, str, str]:
    return tile.value, tile.unit, tile.meta


def test_nothing_is_said_of_nothing() -> None:
    assert {label: said(tile) for label, tile in tiles().items()} == {
        "Invocations": ("0", "", "0 unfinished · 0 stopped"),
        "TTFT, cold": ("–", "", "nothing measured yet"),
        "TTFT, warm": ("–", "", "nothing measured yet"),
        "Startup, cold": ("–", "", "nothing measured yet"),
        "Error rate": ("–", "", "0 of 0 failed"),
    }


def test_one_run_is_one_value() -> None:
    assert said(tiles(cold=[2_124.0])["TTFT, cold"]) == ("2.12", "s", "n = 1; the median needs 6")


@pytest.mark.parametrize(
    ("values", "value", "unit"),
    [
        ((2_124.0, 2_260.0, 2_200.0), "2.12 – 2.26", "s"),
        ((840.0, 860.0), "840 – 860", "ms"),
        ((840.0, 1_240.0), "840 ms – 1.24 s", ""),
        ((59_000.0, 125_000.0), "59.00 s – 2 min 5 s", ""),
        ((121_000.0, 125_000.0), "2 min 1 s – 2 min 5 s", ""),
    ],
)
def test_few_runs_are_a_range_with_one_unit_where_it_is_one(values: Sequence[float], value: str, unit: str) -> None:
    assert said(tiles(warm=values)["TTFT, warm"]) == (value, unit, f"n = {len(values)}; the median needs 6")


def test_six_runs_have_a_median_with_its_interval() -> None:
    values = [2_000.0, 2_100.0, 2_200.0, 2_300.0, 2_400.0, 2_500.0]

    assert said(tiles(cold=values)["TTFT, cold"]) == ("2.20", "s", "p50, n = 6, 95 %: 2.00 – 2.50 s")
    assert said(tiles(warm=[125_000.0] * 6)["TTFT, warm"]) == (
        "2 min 5 s",
        "",
        "p50, n = 6, 95 %: 2 min 5 s – 2 min 5 s",
    )


def test_the_startup_tile_says_which_runs_are_missing() -> None:
    states = {"measured": 23, "not_found": 4, "failed": 3}
    values = [1_000.0 + number for number in range(23)]

    assert said(tiles(startup=values, states=states)["Startup, cold"]) == (
        "1.01",
        "s",
        "p50, n = 23, 95 %: 1.01 – 1.02 s · SDK line · 23 of 30 cold runs measured, 4 not found, 3 failed",
    )


def test_the_startup_tile_names_every_reason() -> None:
    states = {"weak": 1, "clock_skew": 2, "provisional": 3, "waiting": 4, "not_found": 5, "failed": 6}

    assert tiles(states=states)["Startup, cold"].meta == (
        "0 of 21 cold runs measured, 1 by their first log line only, 2 with clock skew, 3 provisional, 4 waiting, "
        "5 not found, 6 failed"
    )


def test_what_another_source_measured_is_said_to_be_left_out() -> None:
    assert tiles(startup=[1_000.0] * 3, other=2, states={"measured": 5})["Startup, cold"].meta == (
        "n = 3; the median needs 6 · SDK line (2 measured otherwise left out)"
    )


def test_runs_of_unknown_start_are_in_neither_figure_and_said_so() -> None:
    found = tiles(cold=[2_000.0], unknown=3)

    assert found["TTFT, cold"].meta == "n = 1; the median needs 6 · 3 of unknown start left out"
    assert found["TTFT, warm"].meta == "3 of unknown start left out"


def test_the_error_rate_with_its_share() -> None:
    found = tiles(counts=(1_208, 3, 5, 5))

    assert said(found["Invocations"]) == ("1,208", "", "3 unfinished · 5 stopped")
    assert said(found["Error rate"]) == ("0.4", "%", "5 of 1,200 failed")


def test_every_latency_figure_says_that_it_is_emulated() -> None:
    found = tiles(cold=[1.0], warm=[1.0], startup=[1.0])

    assert {label for label, tile in found.items() if tile.is_emulated} == {
        "TTFT, cold",
        "TTFT, warm",
        "Startup, cold",
    }
