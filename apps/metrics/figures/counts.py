"""What some runs count up to: how they ended, how they started, which errors, tokens and cost. Sums only, so that a
month of hours is read as quickly as a day; what needs the values themselves is in a `Tally`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from apps.metrics.figures.tally import FAILED, TEMPERATURE, UNFINISHED

MICRO = 1_000_000  # parts of a dollar that are counted
NO_CODE = ""

# The columns of an invocation that `Counts.add` takes, in its order.
COLUMNS = (
    "status", "measurement__start_kind", "error_code", "input_token_count", "output_token_count", "cost_usd",
    "cost_source",
)  # fmt: skip


@dataclass(slots=True)
class Counts:
    """Sums over some runs. `tokens` are how many runs reported tokens in, these, and the same of tokens out; `costs`
    are, by how they are known, how many runs have one and the sum in millionths of a dollar.
    """

    statuses: dict[str, int] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    tokens: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    costs: dict[str, list[int]] = field(default_factory=dict)

    @property
    def invocation_count(self) -> int:
        return sum(self.statuses.values())

    @property
    def failed_count(self) -> int:
        return self.count(FAILED)

    @property
    def finished_count(self) -> int:
        """Finished − stopped: what the error rate is a share of."""
        return self.invocation_count - self.count(UNFINISHED) - self.count(("stopped",))

    def count(self, statuses: Iterable[str]) -> int:
        return sum(self.statuses.get(status, 0) for status in statuses)

    def add(self, row: tuple[Any, ...]) -> None:
        """Count one run, given as its `COLUMNS`."""
        status, kind, code, tokens_in, tokens_out, cost_usd, source = row
        _more(self.statuses, status)
        _more(self.starts, TEMPERATURE.get(kind or "", "unknown"))
        if status in FAILED:
            _more(self.codes, code or NO_CODE)
        for place, tokens in ((0, tokens_in), (2, tokens_out)):
            if tokens is not None:
                self.tokens[place] += 1
                self.tokens[place + 1] += tokens
        if cost_usd is not None:
            known = self.costs.setdefault(source or "", [0, 0])
            known[0] += 1
            known[1] += round(cost_usd * MICRO)

    def merge(self, other: Counts) -> None:
        """Add what others count up to."""
        for mine, theirs in (
            (self.statuses, other.statuses), (self.starts, other.starts), (self.codes, other.codes),
        ):  # fmt: skip
            for word, count in theirs.items():
                _more(mine, word, count)
        self.tokens = [one + two for one, two in zip(self.tokens, other.tokens, strict=True)]
        for source, (count, micro) in other.costs.items():
            known = self.costs.setdefault(source, [0, 0])
            known[0] += count
            known[1] += micro

    def as_json(self) -> list[Any]:
        """What `from_json` reads."""
        return [self.statuses, self.starts, self.codes, self.tokens, self.costs]

    @classmethod
    def from_json(cls, stored: list[Any]) -> Self:
        statuses, starts, codes, tokens, costs = stored
        known: Mapping[str, list[int]] = costs
        return cls(
            dict(statuses), dict(starts), dict(codes), list(tokens), {key: list(one) for key, one in known.items()}
        )


def _more(counts: dict[str, int], word: str, count: int = 1) -> None:
    counts[word] = counts.get(word, 0) + count
