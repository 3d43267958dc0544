"""Which run comes next, from a plan alone: targets × prompts × repeats, in an order that can be told again.

Pure: who asks brings what has begun and how it ended. Measure start is a plan of one target, one prompt and as many
repeats as it has sessions; side by side is one of one prompt and one repeat, all at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Order(StrEnum):
    """How the runs of a plan follow each other."""

    SEQUENTIAL = "sequential"  # one target after the other
    INTERLEAVED = "interleaved"  # the targets take turns, so that what changes with time meets all alike
    RANDOM = "random"  # by a seed, which is stored


@dataclass(frozen=True, slots=True)
class Step:
    """One run of a plan. `place` counts all of them from 1 in their order, the others count from 0."""

    place: int
    target: int
    prompt: int
    repeat: int


def steps(
    *, targets: int = 1, prompts: int = 1, repeats: int = 1, order: Order = Order.SEQUENTIAL, seed: int = 0
) -> list[Step]:
    """Every run of a plan in its order; the same arguments give the same order on every machine and Python."""
    if order == Order.SEQUENTIAL:
        found = [(t, p, r) for t in range(targets) for p in range(prompts) for r in range(repeats)]
    else:
        found = [(t, p, r) for r in range(repeats) for p in range(prompts) for t in range(targets)]
    if order == Order.RANDOM:
        found.sort(key=lambda step: hashlib.sha256(f"{seed} {step}".encode()).digest())
    return [Step(place, *step) for place, step in enumerate(found, 1)]


def due(planned: Sequence[Step], begun: Mapping[int, bool], *, at_once: int = 1) -> list[Step]:
    """What begins now, where `begun` says of each place that has begun whether it is over: no more than `at_once` runs
    are out at a time.
    """
    room = at_once - sum(not is_over for is_over in begun.values())
    return [step for step in planned if step.place not in begun][: max(room, 0)]


def failed_in_a_row(succeeded: Sequence[bool], limit: int) -> bool:
    """Whether the newest `limit` of those that are over failed, one after the other."""
    return len(succeeded) >= limit and not any(succeeded[-limit:])
