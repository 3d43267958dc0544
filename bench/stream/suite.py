"""The measurements, their cells, and the rule by which a disturbed cell is measured again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.stream.doors import Cell, Door, LoomDoor
from bench.stream.machine import busy_s
from bench.stream.outcome import Outcome
from bench.stream.servers import TOP, LoomBed, NotStartedError, on_core, plain_environment

MOST_REPEATS = 2
LAG_LIMIT_MS = 100.0
LADDER_STEP, FINE_STEP, MOST_LEVEL = 100, 50, 1000
LADDERS = {"loom": 200, "fastapi_queue": 200, "fastapi_sync": 100}
"""Whose most streams are looked for, and where to begin."""
# Neither is a divisor of 30: streams that start in step with each other's tokens would send all of them at one instant.
STARTS_A_SECOND = 29
LADDER_STARTS_A_SECOND = 19
QUIET_CPU = 0.15
QUIET_PATIENCE_S = 6.0
LEVEL_PATIENCE_S = 8.0  # after so long a level has failed


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: rounds of the interleaved comparisons, and how finely the most streams are looked for.

    `repeat_s` may be spent on measuring disturbed cells again; after `limit_s` no further level is tried.
    """

    rounds: int
    has_fine_steps: bool
    prompts: int
    repeat_s: float
    limit_s: float
    load_streams: int = 100
    gentle_streams: int = 60


DEFAULT = Size(rounds=3, has_fine_steps=True, prompts=15, repeat_s=90, limit_s=830)
QUICK = Size(rounds=1, has_fine_steps=False, prompts=5, repeat_s=20, limit_s=330)


def gentle(size: Size) -> Cell:
    """Streams that start nearly 15 a second and last two seconds; the window is their start."""
    return Cell(size.gentle_streams, 30, ramp_s=4.1, settle_s=-4.1, window_s=4.1, tokens=60)


def load(size: Size) -> Cell:
    return Cell(size.load_streams, 30, ramp_s=size.load_streams / STARTS_A_SECOND, settle_s=1, window_s=4)


def level(count: int) -> Cell:
    """So many streams at 30 tokens a second; the last to start has as long to go as the first, after the window."""
    ramp_s = count / LADDER_STARTS_A_SECOND
    return Cell(count, 30, ramp_s=ramp_s, settle_s=2, window_s=4, patience_s=ramp_s + LEVEL_PATIENCE_S)


FAN_OUT = Cell(1, 100, ramp_s=0, settle_s=1, window_s=4, followers=99)
STALLED = Cell(5, 20, ramp_s=1, settle_s=1, window_s=6, stalled=25, padding=4000)
UNSTALLED = Cell(30, 20, ramp_s=1, settle_s=1, window_s=6, padding=4000)


class Runner:
    """Carries out cells within a limit of time."""

    def __init__(self, limit_s: float, repeat_s: float, say: Callable[[str], None]) -> None:
        self._deadline = time.monotonic() + limit_s
        self._repeat_s = repeat_s
        self._say = say

    @property
    def left_s(self) -> float:
        return self._deadline - time.monotonic()

    def measure(self, door: Door, cell: Cell, what: str) -> dict[str, Any]:
        """Carry out a cell, and again while it was disturbed and there is time; the least disturbed outcome counts."""
        best = self._measure_once(door, cell, what)
        for _ in range(MOST_REPEATS):
            if not best.disturbance or self._repeat_s <= 0:
                break
            started = time.monotonic()
            best = min(best, self._measure_once(door, cell, what), key=lambda outcome: outcome.use.other)
            self._repeat_s -= time.monotonic() - started
        return {**best.as_json(), "disturbance": best.disturbance, "is_correct": best.is_correct}

    def _measure_once(self, door: Door, cell: Cell, what: str) -> Outcome:
        self._wait_for_quiet()
        outcome = door.measure(cell)
        self._say(f"{what:<12} {door.title:<28} {_line(outcome)}")
        return outcome

    def _wait_for_quiet(self) -> None:
        """Give others a moment to finish what they do."""
        until = time.monotonic() + (QUIET_PATIENCE_S if self._repeat_s > 0 else 0.0)
        while time.monotonic() < until:
            before = busy_s()
            time.sleep(0.5)
            if (busy_s() - before) / 0.5 < QUIET_CPU:
                return

    def interleaved(self, doors: list[Door], cell: Cell, what: str, rounds: int) -> dict[str, list[dict[str, Any]]]:
        """The same cell through every door, round after round, so that a slow minute of the machine hits all."""
        found: dict[str, list[dict[str, Any]]] = {door.name: [] for door in doors}
        for number in range(rounds):
            if number and self.left_s < 0:
                break
            for door in doors:
                found[door.name].append(self.measure(door, cell, what))
        return found

    def ladder(self, door: Door, first: int, *, is_fine: bool) -> list[dict[str, Any]]:
        """Look for the most streams whose p99 lag stays below the limit: by hundreds, then by fifties."""
        rungs: dict[int, dict[str, Any]] = {}
        failed: set[int] = set()

        def passes(count: int) -> bool:
            if count in failed:
                return False
            if count not in rungs:
                try:
                    outcome = self.measure(door, level(count), f"{count} streams")
                except (NotStartedError, subprocess.TimeoutExpired) as error:
                    self._say(f"{count} streams  {door.title}: too much ({type(error).__name__})")
                    failed.add(count)
                    return False
                is_fast = outcome["lag"] is not None and outcome["lag"]["p99"] < LAG_LIMIT_MS
                rungs[count] = {**outcome, "passed": outcome["is_correct"] and is_fast}
            return bool(rungs[count]["passed"])

        for count in _levels(first, passes, is_fine=is_fine):
            if rungs and self.left_s < 0:
                break
            passes(count)
        return [rungs[count] for count in sorted(rungs)]


def _levels(first: int, passes: Callable[[int], bool], *, is_fine: bool) -> Iterator[int]:
    """The levels to try, given what those before them showed."""
    count = first
    yield count
    step = LADDER_STEP if passes(count) else -LADDER_STEP
    is_up = step > 0
    while LADDER_STEP <= count + step <= MOST_LEVEL:
        count += step
        yield count
        if passes(count) != is_up:
            break
    best = count if passes(count) else count - LADDER_STEP
    if is_fine and best < MOST_LEVEL:
        yield max(best, 0) + FINE_STEP


def paint(bed: LoomBed, size: Size, core: int | None) -> dict[str, Any]:
    """Time to paint in a browser, one stream at a time."""
    url = f"http://127.0.0.1:{bed.port}/sessions/{bed.sessions[0]['public_id']}/"
    with bed.started():
        done = subprocess.run(
            [
                sys.executable, "-m", "bench.stream.browser", "--url", url, "--cookie", bed.cookie, "--prompt", "30 30",
                "--prompts", str(size.prompts), *on_core(core),
            ],
            cwd=TOP, env=plain_environment(), capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
    if done.returncode:
        raise NotStartedError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _line(outcome: Outcome) -> str:
    lag, ttft = outcome.lag, outcome.ttft
    parts = [
        f"n={outcome.stream_count}",
        f"ttft {ttft.p50:.1f}/{ttft.p99:.1f} ms" if ttft else "no token",
        f"lag {lag.p50:.1f}/{lag.p99:.1f} ms" if lag else "",
        f"cpu {outcome.use.server:.2f}" + (f" {outcome.cpu_us_per_token:.0f} us" if outcome.cpu_us_per_token else ""),
        "correct" if outcome.is_correct else f"WRONG: {outcome.defects[0]}",
        f"({outcome.disturbance})" if outcome.disturbance else "",
    ]
    return "  ".join(part for part in parts if part)


def run(
    doors: dict[str, Door],
    bed: LoomBed,
    size: Size,
    core: int | None,
    say: Callable[[str], None],
    found: dict[str, Any],
) -> None:
    """Everything, into `found`: the comparisons first; the search for the most streams takes the time that is left."""
    runner = Runner(size.limit_s, size.repeat_s, say)
    page = doors["loom"]
    assert isinstance(page, LoomDoor)
    every = list(doors.values())
    found["ttft"] = runner.interleaved(every, gentle(size), "first token", size.rounds)
    found["load"] = runner.interleaved(every, load(size), "load", size.rounds)
    found["fan_out"] = runner.measure(page, FAN_OUT, "fan-out")
    found["stalled"] = runner.measure(page, STALLED, "stalled")
    found["unstalled"] = runner.measure(page, UNSTALLED, "none stalled")
    found["paint"] = paint(bed, size, core)
    found["ladder"] = {}
    for name, first in LADDERS.items():
        found["ladder"][name] = runner.ladder(doors[name], first, is_fine=size.has_fine_steps)
