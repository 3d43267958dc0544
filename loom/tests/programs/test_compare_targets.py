"""`manage.py compare_targets`: targets over their past runs, in lines or as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loom.cli.comparing import describe
from loom.tests.fixtures import Loom
from loom.tests.visiting import manage
from loom_client import Client, TargetComparison

NEEDS = {"p50": 6, "p90": 36, "p95": 72}


def between(value: float, width: float) -> dict[str, float]:
    return {"value": value, "low": value - width, "high": value + width}


def latency(n: int, p50: float | None, **fields: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("p90", "p95", "difference", "p90_difference", "p95_difference", "effect"))
    told = {"n": n, "source": "", "other_count": 0, "min": 900.0, "max": 2500.0, "obstacle": ""}
    return {**told, **nothing, "p50": None if p50 is None else between(p50, 60.0), **fields}


def target(position: int, warm: dict[str, Any], cold: dict[str, Any], **fields: Any) -> dict[str, Any]:
    facts = {
        "position": position,
        "target": "1:DEFAULT:3",
        "agent_id": 1,
        "agent_name": "tutor\x1b[31m",
        "run_count": 40,
    }
    shown = {name: warm[name] for name in ("n", "p50", "difference", "effect")}
    return {
        **facts,
        "qualifier": "DEFAULT",
        "version": str(position + 2),
        **shown,
        "cold": cold,
        "warm": warm,
        **fields,
    }


def test_lines_say_what_is_certain_and_what_cannot_be_told() -> None:
    effect = {"longer": 0.71, "cliffs_delta": 0.42, "size": "medium"}
    apart = {**between(150.0, 50.0), "is_certain": True}
    found = TargetComparison.read({
        "metric": "ttft", "start": "warm", "origin": "emulator", "needs": NEEDS,
        "targets": [
            target(1, latency(30, 1000.0, obstacle="first"), latency(0, None, obstacle="first")),
            target(
                2, latency(30, 1150.0, difference=apart, effect=effect), latency(4, None, obstacle="few"),
                error_rate={"count": 1, "n": 40, **between(0.025, 0.02),
                            "difference": {**between(0.01, 0.05), "is_certain": False}},
            ),
        ],
    })  # fmt: skip
    lines = list(describe(found))

    assert lines[0] == "1. tutor · DEFAULT · version 3"  # without what colours a terminal
    assert lines[2:4] == ["  cold: no runs", "  warm: n = 30, p50 1.00 s (940 ms – 1.06 s)"]
    assert lines[5].endswith("1 of 40 failed: 2.5% (0.5% – 4.5%), against 1: cannot be told (-4.0 … +6.0 points)")
    assert lines[6] == "  cold: n = 4, 900 ms – 2.50 s, the median needs 6, against 1: needs 6 of both"
    assert lines[7].endswith("against 1: +150 ms (+100 ms … +200 ms), longer in 71 of 100: medium")


@pytest.mark.slow("two commands")
def test_the_command_and_the_client_ask_the_running_loom(loom: Loom) -> None:
    names = ["code_tutor", "sentiment_scorer"]
    told = json.loads(manage(loom, "compare_targets", *names, "--url", loom.url, "--json"))

    assert [one["agent_name"] for one in told["targets"]] == names
    shown = manage(
        loom, "compare_targets", f"{names[0]}:DEFAULT:*", f"{names[1]}:DEFAULT", "--url", loom.url, "--metric", "total"
    )
    assert "1. code_tutor · DEFAULT · all versions" in shown
    found = Client(loom.url).compare_targets(names, metric="total", range="1h")
    assert (found.metric, found.needs, len(found.targets)) == ("total", NEEDS, 2)
