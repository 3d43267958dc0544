"""The tools that two runs called, in which order and with which inputs, one beside the other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from apps.core.text.differences import common
from apps.sessions.viewing.steps import Step, Steps
from loom_events.recorded import RecordedEvent

Verdict = Literal["same", "input", "first", "second"]

MOST_CALLS = 200  # of a run; what it called after them is not compared
LONGEST_INPUT = 4_000  # characters of an input that are shown


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that was called. `input` is JSON that people can read where it was JSON, else what was sent."""

    name: str
    input: str
    status: str

    @property
    def shown_input(self) -> str:
        return self.input if len(self.input) <= LONGEST_INPUT else f"{self.input[:LONGEST_INPUT]}…"


@dataclass(frozen=True, slots=True)
class Pair:
    """A call of the first run beside that of the second; one of them is None where only the other run called it."""

    first: Call | None
    second: Call | None

    @property
    def call(self) -> Call | None:
        """That of the run which has one, of the first where both have."""
        return self.first or self.second

    @property
    def name(self) -> str:
        return self.call.name if self.call else ""

    @property
    def verdict(self) -> Verdict:
        if self.first is None or self.second is None:
            return "first" if self.second is None else "second"
        return "same" if self.first.input == self.second.input else "input"


@dataclass(frozen=True, slots=True)
class Sequences:
    """The calls of two runs, aligned; `is_cut` where one called more tools than are compared."""

    pairs: list[Pair]
    is_cut: bool

    @property
    def is_same(self) -> bool:
        return all(pair.verdict == "same" for pair in self.pairs)


def calls_of(events: Iterable[RecordedEvent]) -> list[Call]:
    """The tools that a run called, in order, those of its sub-agents too."""
    steps, called = Steps(), dict[int, Step]()
    for event in events:
        if (step := steps.take(event)) is not None and step.kind == "tool":
            called[step.number] = step
    steps.close()
    return [Call(step.name, _readable(step.input), step.status) for step in called.values()]


def _readable(text: str) -> str:
    """JSON in one form, whatever the order and the blanks that it was sent with."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False, sort_keys=True)
    except (ValueError, RecursionError):
        return text


def aligned(first: Sequence[Call], second: Sequence[Call]) -> Sequences:
    """The calls of both, those of the same tool beside each other where their order allows it."""
    is_cut = max(len(first), len(second)) > MOST_CALLS
    first, second = first[:MOST_CALLS], second[:MOST_CALLS]
    # First by tool and input, so that a call that both made alike is not taken for another one with another input.
    same = common([(call.name, call.input) for call in first], [(call.name, call.input) for call in second]) or []
    pairs: list[Pair] = []
    x = y = 0
    for run in same:
        pairs += _by_name(first[x : run.first], second[y : run.second])
        x, y = run.first + run.count, run.second + run.count
        pairs += map(Pair, first[run.first : x], second[run.second : y])
    return Sequences([*pairs, *_by_name(first[x:], second[y:])], is_cut)


def _by_name(first: Sequence[Call], second: Sequence[Call]) -> list[Pair]:
    """Calls of which none is the same as one of the other run: by their tools alone."""
    pairs: list[Pair] = []
    x = y = 0
    for run in common([call.name for call in first], [call.name for call in second]) or []:
        pairs += [Pair(call, None) for call in first[x : run.first]]
        pairs += [Pair(None, call) for call in second[y : run.second]]
        x, y = run.first + run.count, run.second + run.count
        pairs += map(Pair, first[run.first : x], second[run.second : y])
    return [*pairs, *(Pair(call, None) for call in first[x:]), *(Pair(None, call) for call in second[y:])]
