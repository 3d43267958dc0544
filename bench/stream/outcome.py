"""What a cell gave: the figures of its window, and whether they may be used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.stream.machine import Reading, Use, use_between
from bench.stream.plan import LoadPlan
from bench.stream.received import Answer, StreamLog, read_answer

MOST_TOOL_CORE = 0.7
MOST_OTHER_CPU = 0.15
MOST_DEFECTS_TOLD = 5


@dataclass(frozen=True, slots=True)
class Spread:
    """Order statistics in milliseconds; `n` values."""

    n: int
    p50: float
    p99: float
    most: float


def spread(values_us: Sequence[int]) -> Spread | None:
    """Nearest-rank percentiles of microseconds."""
    if not values_us:
        return None
    ordered = sorted(values_us)

    def at(share: float) -> float:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] / 1000

    return Spread(len(ordered), at(0.5), at(0.99), ordered[-1] / 1000)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One cell, measured."""

    stream_count: int
    token_count: int
    ttft: Spread | None
    lag: Spread | None
    end: Spread | None
    tokens_in_window: int
    cpu_us_per_token: float | None
    use: Use
    rss_empty_kb: int
    rss_connected_kb: int
    rss_window_kb: int
    rss_end_kb: int
    defect_count: int
    defects: list[str]

    @property
    def is_correct(self) -> bool:
        """Whether every token came once and in order, in every stream, and each end was told."""
        return self.defect_count == 0

    @property
    def disturbance(self) -> str:
        """Why the figures may not be used, or nothing."""
        if self.use.other > MOST_OTHER_CPU:
            return f"others used {self.use.other:.2f} of a core"
        for name, value in (("source", self.use.source), ("client", self.use.client)):
            if value > MOST_TOOL_CORE:
                return f"the {name} used {value:.2f} of its core"
        return ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Outcome:
        spreads = {name: Spread(**values[name]) if values[name] else None for name in ("ttft", "lag", "end")}
        return cls(**{**values, **spreads, "use": Use(**values["use"])})


def summarise(plan: LoadPlan, logs: list[StreamLog], readings: dict[str, Reading]) -> Outcome:
    """Read what was received and work out the cell's figures; lag and processor time are those of the window."""
    answers = [read_answer(log, plan.door, plan.token_count) for log in logs]
    first, second = readings["window"], readings["window_end"]
    start_us, end_us = int(first.at_s * 1e6), int(second.at_s * 1e6)
    in_window = [token for answer in answers for token in answer.tokens if start_us <= token.received_us < end_us]
    use = use_between(first, second)
    whole = [answer for answer in answers if not answer.defect]
    return Outcome(
        stream_count=len(plan.streams),
        token_count=plan.token_count,
        ttft=spread([answer.ttft_us for answer in answers if answer.tokens]),
        lag=spread([token.lag_us for token in in_window]),
        end=spread([answer.end_us for answer in whole]),
        tokens_in_window=len(in_window),
        cpu_us_per_token=use.server * use.seconds * 1e6 / len(in_window) if in_window else None,
        use=use,
        rss_empty_kb=readings["empty"].server_rss_kb,
        rss_connected_kb=readings["connected"].server_rss_kb,
        rss_window_kb=second.server_rss_kb,
        rss_end_kb=readings["end"].server_rss_kb,
        defect_count=sum(bool(answer.defect) for answer in answers),
        defects=_some_defects(answers),
    )


def _some_defects(answers: list[Answer]) -> list[str]:
    return [f"stream {number}: {answer.defect}" for number, answer in enumerate(answers) if answer.defect][
        :MOST_DEFECTS_TOLD
    ]
