"""`manage.py bench_agents` against a whole Loom, and its words."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from loom.cli.benches import describe, failure
from loom.tests.fixtures import ROOT, Loom
from loom_client import Bench


def run(loom: Loom, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "bench_agents", *arguments, "--url", loom.url],
        cwd=ROOT, env=loom.environment, check=False, capture_output=True, text=True, timeout=240,
    )  # fmt: skip


def test_it_measures_two_targets_and_says_what_follows(loom: Loom) -> None:
    # The demo's second is much slower to its first token: eight pairs are enough to see that.
    targets = ("travel_concierge", "contract_reviewer", "--prompt", "Two days in Ghent")
    asked = (*targets, "--rungs", "2", "--pairs", "8", "--warm-up", "0", "--seed", "7")
    estimated = run(loom, *asked, "--estimate")
    assert estimated.returncode == 0 and estimated.stdout.startswith("20 runs at most, which may cost up to $")

    made = run(loom, *asked, "--fail-if-longer")
    assert made.returncode == 2 and "The second target takes longer." in made.stderr, made.stderr
    lines = made.stdout.splitlines()
    assert lines[:2] == ["A  travel_concierge:DEFAULT", "B  contract_reviewer:DEFAULT"]
    assert "n = 8); B − A = +" in lines[2]
    assert lines[3].startswith("At 2 at once B takes ")

    listed = json.loads(run(loom, "--json").stdout)
    assert listed[0]["name"] == "travel_concierge · DEFAULT / contract_reviewer · DEFAULT"  # the newest first
    again = json.loads(run(loom, "--show", str(listed[0]["id"]), "--json").stdout)
    assert (again["is_found"], again["outcome"], again["seed"]) == (True, "done", 7)

    refused = run(loom, *asked, "--max-cost", "0.0001")
    assert refused.returncode == 1 and "--max-cost" in refused.stderr
    nothing = run(loom, "travel_concierge")
    assert nothing.returncode == 1 and "A bench has two targets and a --prompt." in nothing.stderr


def bench(**overrides: Any) -> Bench:
    side = {"n": 8, "p50_ms": 100.0, "low_ms": 90.0, "high_ms": 120.0}
    look = {"pairs": 8, "is_found": False, "difference": {"value_ms": 1.0, "low_ms": -9.0, "high_ms": 11.0},
            "detectable_ms": 20.0}  # fmt: skip
    rung = {"at_once": 1, "pairs_over": 8, "first": side, "second": {**side, "n": 2, "p50_ms": None}, "look": look}
    fields: dict[str, Any] = {
        "id": 1, "name": "a / b", "owner": "alice", "state": "done", "message": "", "metric": "ttft", "start": "warm",
        "rungs": [1], "pairs": 8, "warm_up": 0, "stops_early": True, "seed": 7, "max_cost_usd": 1.0, "created_at": "",
        "finished_at": None, "outcome": "done", "run_count": 16, "done": 16, "cost_usd": 0.0, "unpriced_count": 0,
        "targets": [{"agent_name": "tutor\x1b[31m", "qualifier": "DEFAULT"}] * 2, "is_found": False,
        "verdict": "No difference found.", "detectable_ms": 20.0, "results": [rung],
    }  # fmt: skip
    return Bench(**{**fields, **overrides})


def test_a_bench_is_told_with_its_intervals_and_no_control_characters() -> None:
    lines = list(describe(bench()))
    assert "\x1b" not in "".join(lines)
    assert lines[2:] == [
        "1 at once: A 100 ms (90 ms – 120 ms, n = 8); B – (n = 2); "
        "no difference found (−9 ms … +11 ms); more than 20 ms would have been",
        "No difference found.",
        "ttft, warm, seed 7, bench 1: done",
    ]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (bench(), ""),
        (bench(outcome="stopped_early"), ""),
        (
            bench(outcome="limit_reached", done=3, message="One more run could exceed the highest cost."),
            "The bench was limit reached after 3 of 16 runs. One more run could exceed the highest cost.",
        ),
    ],
)
def test_what_was_not_measured_to_its_end_counts_as_not_made(found: Bench, told: str) -> None:
    assert failure(found) == told
