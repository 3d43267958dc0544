"""The table of targets: what the tree before had in the same run, what was measured, what was aimed at, and whether."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from bench.stream.figures import (
    Outcome,
    Results,
    at,
    best_level,
    cpu,
    everything,
    mark,
    middle,
    ratios,
    run_ms,
    shown,
    table,
)

CORES_TO_SCALE = 4


@dataclass(frozen=True, slots=True)
class Target:
    """A row; `is_met` is None where nothing was measured or nothing aimed at."""

    figure: str
    before: str
    measured: str
    target: str
    is_met: bool | None

    def row(self) -> list[str]:
        met = {True: "yes", False: "**no**", None: "–"}[self.is_met]
        return [self.figure, self.before, self.measured, self.target, met]


def targets(results: Results) -> str:
    """Every target, as a table."""
    commit = results["conditions"]["against"] or "an older tree"
    rows = [
        *(_tokens(results, name, title) for name, title in (("", "page"), ("_api", "API"))),
        *(_crowd(results, count, most) for count, most in (("300", 85), ("500", 65))),
        *_most_streams(results),
        *(_first(results, name, title, most) for name, title, most in (("", "page", 2), ("_api", "API", 3))),
        _figure(results["alone"], "CPU of one run alone, begin and end", run_ms, 10, "ms", 1),
        _figure(results["load"], "last token to finished turn at the page, p99", at("end", "p99"), 20, "ms", 1),
        _figure(results["fan_out"], "1 answer to 100 viewers, CPU per token and viewer", cpu, 8, "µs", 1),
        *_served(results),
        _command(results),
        _correct(results),
    ]
    return table(["figure", f"at {commit}", "measured", "target", "met"], [row.row() for row in rows])


def _tokens(results: Results, name: str, title: str) -> Target:
    """Per token against the tree before, round by round: what the machine does to one it does to the other."""
    load = results["load"]
    here, before = load[f"loom{name}"], load.get(f"before{name}", [])
    shares = ratios(here, before)
    share = f" = {median(shares):.2f} × ({min(shares):.2f} – {max(shares):.2f})" if shares else ""
    return Target(
        f"CPU per token, {title}, 100 × 30/s",
        f"{mark(before)}{shown(middle(before, cpu), ' µs', 0)}",
        f"{mark(here)}{shown(middle(here, cpu), ' µs', 0)}{share}",
        "≤ 0.55 ×",
        median(shares) <= 0.55 if shares else None,
    )


def _crowd(results: Results, count: str, most: int) -> Target:
    ways = results["crowds"].get(count, {})
    here, before = ([ways[name]] if ways.get(name) else [] for name in ("loom", "before"))
    value = middle(here, cpu)
    is_met = None if value is None else value <= most and here[0]["is_correct"]
    name = f"CPU per token, page, {count} streams"
    measured = f"{mark(here)}{shown(value, ' µs', 0)}"
    return Target(name, f"{mark(before)}{shown(middle(before, cpu), ' µs', 0)}", measured, f"≤ {most} µs", is_met)


def _most_streams(results: Results) -> list[Target]:
    ladder = results["ladder"]
    best = {name: best_level(rungs) for name, rungs in ladder.items()}
    sign = mark([rung for rungs in ladder.values() for rung in rungs])
    title = "streams on one core with p99 lag below 100 ms"
    rows = [Target(title, "–", f"{sign}{best['loom']}", "≥ 350", best["loom"] >= 350)]
    for peer, least, words in (("fastapi_sync", 2.3, "FastAPI, sync"), ("fastapi_queue", 1.7, "FastAPI, queue")):
        times = best["loom"] / best[peer] if best[peer] else None
        is_met = None if times is None else times >= least
        rows.append(Target(f"… of those of {words}", "–", f"{sign}{shown(times)} ×", f"≥ {least} ×", is_met))
    return rows


def _first(results: Results, name: str, title: str, most: int) -> Target:
    """The first token, as what it takes longer than boto3 alone takes."""
    ttft = results["ttft"]
    direct = middle(ttft["direct"], at("ttft", "p50"))

    def more(outcomes: list[Outcome]) -> float | None:
        own = middle(outcomes, at("ttft", "p50"))
        return None if own is None or direct is None else own - direct

    here, before = ttft[f"loom{name}"], ttft.get(f"before{name}", [])
    value, was = more(here), more(before)
    return Target(
        f"first token at the {title}, p50, 60 starts in 4 s",
        "–" if was is None else f"{mark(before)}boto3 {was:+.1f} ms",
        "–" if value is None else f"{mark(here)}boto3 {value:+.1f} ms",
        f"boto3 + {most} ms",
        None if value is None else value <= most,
    )


def _figure(
    found: dict[str, list[Outcome]],
    title: str,
    take: Callable[[Outcome], float | None],
    most: float,
    unit: str,
    digits: int,
) -> Target:
    here, before = found["loom"], found.get("before", [])
    value = middle(here, take)
    return Target(
        title,
        f"{mark(before)}{shown(middle(before, take), f' {unit}', digits)}",
        f"{mark(here)}{shown(value, f' {unit}', digits)}",
        f"≤ {most:g} {unit}",
        None if value is None else value <= most,
    )


SERVED = (
    ("two", "two_each", "two processes, 100 streams each: CPU per token against one with 100{scaling}", 1.1),
    ("two", "two", "two processes that share 100 streams, whose frames then lie closer: the same", None),
    ("daphne", "daphne", "daphne: CPU per token against uvicorn", None),
)
"""Another way to serve, which of its cells, the row's title, and what is allowed."""


def _served(results: Results) -> list[Target]:
    """Other ways to serve, against one process of the usual server in the same rounds."""
    cores = os.cpu_count() or 1
    scaling = "" if cores >= CORES_TO_SCALE else f"; how it grows with cores is not measured: there are {cores}"
    rows = []
    for name, cell, words, most in SERVED:
        title = words.format(scaling=scaling)
        found = results["served"][name]
        target = f"≤ {most} ×" if most else "none: the difference"
        if "reason" in found:
            rows.append(Target(title, "–", f"not measured: {found['reason']}", target, None))
            continue
        rounds = found["rounds"].get(cell, [])
        shares = ratios(rounds, found["rounds"]["loom"])
        share = median(shares) if shares else None
        is_met = share <= most if share is not None and most else None
        rows.append(Target(title, "–", f"{mark(rounds)}{shown(share, ' ×', 2)}", target, is_met))
    return rows


def _command(results: Results) -> Target:
    found = results["command"]
    value = median(found["here"])
    before = median(found["before"]) if found.get("before") else None
    title = "`manage.py invoke_agent`, all of its CPU"
    return Target(title, shown(before, " s", 2), shown(value, " s", 2), "≤ 0.8 s", value <= 0.8)


def _correct(results: Results) -> Target:
    defects = [name for name, outcomes in everything(results) if not all(one["is_correct"] for one in outcomes)]
    told = "every cell" if not defects else ", ".join(defects)
    return Target("every token once and in order, every end told", "–", told, "every cell", not defects)
