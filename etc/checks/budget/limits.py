"""Numbers and their limits: what is over, what is unlimited, what nobody measures any more."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

RAISE = "A higher number in etc/budget.toml needs a line in docs/performance.md that says why."


@dataclass
class Measured:
    """Numbers by section and name, and what is wrong whatever the limits are."""

    numbers: dict[str, dict[str, int]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, other: Measured) -> None:
        """Take over what another measurement found."""
        for section, numbers in other.numbers.items():
            self.numbers.setdefault(section, {}).update(numbers)
        self.problems += other.problems


@dataclass(frozen=True)
class Budget:
    """The limits by section and name, and the modules that nothing may import at its start.

    `forbidden_to` names more of them for one start.
    """

    limits: dict[str, dict[str, int]]
    forbidden: tuple[str, ...]
    forbidden_to: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read_budget(path: Path) -> Budget:
    """Read the file of limits."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    forbidden = {name: tuple(modules) for name, modules in tables.pop("forbidden").items()}
    return Budget(limits=tables, forbidden=forbidden.pop("modules"), forbidden_to=forbidden)


def problems(measured: Measured, budget: Budget) -> list[str]:
    """Everything that breaks the budget, one line each."""
    found = list(measured.problems)
    for section, name in _pairs(measured.numbers):
        number, limit = measured.numbers[section][name], budget.limits.get(section, {}).get(name)
        if limit is None:
            found.append(f"{section}: {name} is {number} and has no limit: put it into etc/budget.toml")
        elif number > limit:
            found.append(f"{section}: {name} is {number}, {limit} is the limit")
    for section, name in _pairs(budget.limits):
        if name not in measured.numbers.get(section, {}):
            found.append(f"{section}: {name} has a limit and is not measured: take it out of etc/budget.toml")
    return found


def table(measured: Measured, budget: Budget) -> Iterator[str]:
    """A line for each number."""
    yield f"{'':<12}{'':<58}{'number':>10}{'limit':>10}"
    for section, name in _pairs(measured.numbers):
        number, limit = measured.numbers[section][name], budget.limits.get(section, {}).get(name)
        mark = "" if limit is not None and number <= limit else "  over"
        yield f"{section:<12}{name:<58}{number:>10,}{'none' if limit is None else f'{limit:,}':>10}{mark}"


def _pairs(tree: dict[str, dict[str, int]]) -> Iterator[tuple[str, str]]:
    return ((section, name) for section in tree for name in sorted(tree[section]))
