"""The measurements, their cells, and the rule by which a disturbed cell is measured again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.stream.beds import LoomBed
from bench.stream.doors import Cell, Door
from bench.stream.machine import busy_s
from bench.stream.outcome import Outcome
from bench.stream.servers import TOP, NotStartedError, on_core, plain_environment

MOST_REPEATS = 2
LAG_LIMIT_MS = 100.0
LADDER_STEP, FINE_STEP, MOST_LEVEL = 100, 50, 1000
# Neither is a divisor of 30: streams that start in step with each other's tokens would send all of them at one instant.
STARTS_A_SECOND = 29
LADDER_STARTS_A_SECOND = 19
STARTS_ALONE_A_SECOND = 5
QUIET_CPU = 0.15
QUIET_PATIENCE_S = 6.0
LEVEL_PATIENCE_S = 8.0  # after so long a level has failed


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: rounds of the interleaved comparisons, and how finely the most streams are looked for.

    `repeat_s` may be spent on measuring disturbed cells again; after `limit_s` no further level is tried. `crowds` are
    numbers of streams whose cost is a target of its own, of which the tree before carries `before_crowds`. The search
    for the most streams begins at `first_levels`.
    """

    rounds: int
    has_fine_steps: bool
    prompts: int
    repeat_s: float
    limit_s: float
    load_streams: int = 100
    gentle_streams: int = 60
    crowds: tuple[int, ...] = (300, 500)
    before_crowds: tuple[int, ...] = (300,)
    first_levels: tuple[int, ...] = (300, 200, 100)
    commands: int = 5
    runs: int = 40

    @property
    def most_streams(self) -> int:
        """Whatever the tree here may be asked for."""
        return MOST_LEVEL if self.limit_s else max(*self.crowds, *self.first_levels, *_KEPT_STREAMS, self.load_streams)

    @property
    def most_before(self) -> int:
        """Whatever the tree before may be asked for."""
        return max(self.load_streams, self.gentle_streams, self.runs, *self.before_crowds, *_KEPT_STREAMS)


_KEPT_STREAMS = (30,)  # of the cells that have one size
DEFAULT = Size(rounds=3, has_fine_steps=True, prompts=15, repeat_s=90, limit_s=1700)
QUICK = Size(rounds=1, has_fine_steps=True, prompts=5, repeat_s=0, limit_s=500, before_crowds=(), commands=3)
SMALL = Size(
    rounds=1, has_fine_steps=False, prompts=1, repeat_s=0, limit_s=0, load_streams=4, gentle_streams=4, crowds=(5, 6),
    before_crowds=(5,), first_levels=(5, 5, 5), commands=1, runs=5,
)  # fmt: skip


def gentle(size: Size) -> Cell:
    """Streams that start nearly 15 a second and last two seconds; the window is their start."""
    return Cell(size.gentle_streams, 30, ramp_s=4.1, settle_s=-4.1, window_s=4.1, tokens=60)


def load(size: Size, times: int = 1) -> Cell:
    """The usual number of streams, or as many for each of several processes."""
    count = size.load_streams * times
    return Cell(count, 30, ramp_s=count / STARTS_A_SECOND, settle_s=1, window_s=4)


def level(count: int) -> Cell:
    """So many streams at 30 tokens a second; the last to start has as long to go as the first, after the window."""
    ramp_s = count / LADDER_STARTS_A_SECOND
    return Cell(count, 30, ramp_s=ramp_s, settle_s=2, window_s=4, patience_s=ramp_s + LEVEL_PATIENCE_S)


def alone(size: Size) -> Cell:
    """Answers of one token, five a second, so that one is over before the next begins: what begin and end cost."""
    seconds = size.runs / STARTS_ALONE_A_SECOND
    return Cell(size.runs, 30, ramp_s=seconds, settle_s=-seconds, window_s=seconds, tokens=1)


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

    def level(self, door: Door, count: int) -> dict[str, Any] | None:
        """So many streams, and whether their p99 lag `passed`; None where the cell itself broke down."""
        try:
            outcome = self.measure(door, level(count), f"{count} streams")
        except (NotStartedError, subprocess.TimeoutExpired) as error:
            self._say(f"{count} streams  {door.title}: too much ({type(error).__name__})")
            return None
        is_fast = outcome["lag"] is not None and outcome["lag"]["p99"] < LAG_LIMIT_MS
        return {**outcome, "passed": outcome["is_correct"] and is_fast}

    def ladder(
        self, door: Door, first: int, known: dict[int, dict[str, Any] | None], *, is_fine: bool
    ) -> list[dict[str, Any]]:
        """Look for the most streams whose p99 lag stays below the limit: by hundreds, then by fifties.

        Levels that are `known` are not measured again.
        """
        rungs = dict(known)

        def passes(count: int) -> bool:
            if count not in rungs:
                rungs[count] = self.level(door, count)
            found = rungs[count]
            return found is not None and bool(found["passed"])

        for count in _levels(first, passes, is_fine=is_fine):
            if rungs and self.left_s < 0:
                break
            passes(count)
        return [found for _, found in sorted(rungs.items()) if found is not None]


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
