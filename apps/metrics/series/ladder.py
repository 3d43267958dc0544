"""The order of a latency bench: two targets, up a ladder of how many runs are out at once. Pure.

Each rung is warmed up, then measured in pairs, one run of either target, of which chance says which goes first: what
changes with time meets both alike, and where the targets do not differ no arrangement of a pair is likelier than the
other. A rung begins when nothing of the one before is out any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from apps.metrics.series.planning import Step, due


@dataclass(frozen=True, slots=True)
class Ladder:
    """What a bench asks for: how many runs are out at each rung, and of how many pairs and runs before them."""

    rungs: tuple[int, ...]
    pairs: int
    warm_up: int
    is_warm: bool
    seed: int = 0

    def warm_up_at(self, rung: int) -> int:
        """Runs of each target before a rung is measured. Where sessions are kept, each that is needed has had one."""
        return max(self.warm_up, self.rungs[rung]) if self.is_warm else self.warm_up

    @property
    def run_count(self) -> int:
        return 2 * sum(self.warm_up_at(rung) + self.pairs for rung in range(len(self.rungs)))


@dataclass(frozen=True, slots=True)
class Part:
    """The runs that warm a rung up, or those by which it is measured; a step's `repeat` counts the pairs from 0."""

    rung: int
    at_once: int
    is_warm_up: bool
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """What a run of a bench is for."""

    rung: int
    pair: int
    is_warm_up: bool


def parts_of(ladder: Ladder) -> list[Part]:
    """All runs of a bench in their order; the same ladder gives the same order on every machine and Python."""
    parts: list[Part] = []
    place = 1
    for rung, at_once in enumerate(ladder.rungs):
        for is_warm_up in (True, False):
            count = ladder.warm_up_at(rung) if is_warm_up else ladder.pairs
            steps = []
            for pair in range(count):
                first = 0 if is_warm_up else _coin(ladder.seed, rung, pair)
                for target in (first, 1 - first):
                    steps.append(Step(place, target, 0, pair))
                    place += 1
            parts.append(Part(rung, at_once, is_warm_up, tuple(steps)))
    return parts


def places_of(parts: Sequence[Part]) -> dict[int, Place]:
    """What each run is for, by its place in the order."""
    return {step.place: Place(part.rung, step.repeat, part.is_warm_up) for part in parts for step in part.steps}


def next_steps(parts: Sequence[Part], begun: Mapping[int, bool], decided: Collection[int]) -> list[Step] | None:
    """What begins now, where `begun` says of each place whether it is over; None where nothing is left to begin.

    Of rungs that are `decided` nothing more begins, and what is out of them ends before the next.
    """
    for part in parts:
        mine = {step.place: begun[step.place] for step in part.steps if step.place in begun}
        is_out = not all(mine.values())
        if part.rung not in decided and len(mine) < len(part.steps):
            return due(part.steps, mine, at_once=part.at_once)
        if is_out:
            return []
    return None


def _coin(seed: int, rung: int, pair: int) -> int:
    return hashlib.sha256(f"{seed} {rung} {pair}".encode()).digest()[0] & 1
