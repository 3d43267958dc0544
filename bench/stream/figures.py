"""Figures out of results: medians over the rounds, ratios of each round, marks of disturbed cells."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

Results = dict[str, Any]
Outcome = dict[str, Any]


def table(header: list[str], rows: list[list[str]]) -> str:
    """A markdown table, its first column left, the others right."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *rows]) + "\n"


def mark(outcomes: list[Outcome]) -> str:
    return "~" if any(outcome["disturbance"] for outcome in outcomes) else ""


def middle(outcomes: list[Outcome], take: Callable[[Outcome], float | None]) -> float | None:
    """The median over the rounds."""
    values = [value for outcome in outcomes if (value := take(outcome)) is not None]
    return median(values) if values else None


def at(name: str, key: str) -> Callable[[Outcome], float | None]:
    """Take a percentile of an outcome."""
    return lambda outcome: outcome[name][key] if outcome[name] else None


def cpu(outcome: Outcome) -> float | None:
    """Microseconds of the server for a token."""
    found: float | None = outcome["cpu_us_per_token"]
    return found


def run_ms(outcome: Outcome) -> float:
    """Milliseconds of the server for a whole run, of a cell in which each is a token long."""
    use = outcome["use"]
    return float(use["server"] * use["seconds"] * 1000 / outcome["stream_count"])


def ratios(
    outcomes: list[Outcome], others: list[Outcome], take: Callable[[Outcome], float | None] = cpu
) -> list[float]:
    """The figure of each round as a share of what it was in the other way's cell of the same round."""
    pairs = [(take(one), take(other)) for one, other in zip(outcomes, others, strict=False)]
    return [one / other for one, other in pairs if one is not None and other]


def shown(value: float | None, unit: str = "", digits: int = 1) -> str:
    return "–" if value is None else f"{value:,.{digits}f}{unit}"


def best_level(rungs: list[Outcome]) -> int:
    """The most streams of the levels that passed with none failed below."""
    best = 0
    for rung in rungs:
        if not rung["passed"]:
            break
        best = rung["stream_count"]
    return best


def everything(results: Results) -> list[tuple[str, list[Outcome]]]:
    """Every group of outcomes with its name; of levels that may be too much for a server, those that passed."""
    groups = [
        (f"{what} {name}", outcomes)
        for what in ("ttft", "load", "alone", "fan_out")
        for name, outcomes in results[what].items()
    ]
    for served in results["served"].values():
        groups += list(served.get("rounds", {}).items())
    groups += [(name, [results[name]]) for name in ("stalled", "unstalled")]
    levels = [*results["ladder"].items(), *((count, ways.values()) for count, ways in results["crowds"].items())]
    return groups + [(name, [rung for rung in rungs if rung is not None and rung["passed"]]) for name, rungs in levels]
