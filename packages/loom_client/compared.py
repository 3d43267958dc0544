"""Runs side by side and what differs between two of them; targets over many runs and how they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from loom_client.models import _Answer


@dataclass(frozen=True, slots=True)
class ComparedRun(_Answer):
    """A run and what it took; None is what is not known. `position` counts from 1."""

    position: int
    run_id: int
    agent_id: int
    agent_name: str
    qualifier: str
    session_id: str
    number: int
    status: str
    version: str = ""
    start_kind: str = ""
    startup_ms: float | None = None
    time_to_first_token_ms: float | None = None
    total_latency_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    cost_source: str = ""


@dataclass(frozen=True, slots=True)
class Comparison(_Answer):
    """Some runs, and two of them compared, as the API describes it: the pieces of their texts, their calls of tools.

    `text` and `tools` are None where the two are not compared; `obstacle` says why.
    """

    runs: tuple[ComparedRun, ...]
    first: int
    second: int
    obstacle: str = ""
    text: dict[str, Any] | None = None
    tools: dict[str, Any] | None = None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        return super(Comparison, cls).read({**body, "runs": tuple(ComparedRun.read(item) for item in body["runs"])})


@dataclass(frozen=True, slots=True)
class ComparedTarget(_Answer):
    """What the runs of an agent, an endpoint or a version add up to; latencies are in milliseconds.

    `n`, `p50`, `difference` and `effect` are those of the cold or warm starts that `TargetComparison.start` names;
    `cold` and `warm` hold both. A figure that needs more runs is None.
    """

    position: int
    target: str
    agent_id: int
    agent_name: str
    qualifier: str
    version: str
    run_count: int
    n: int
    p50: dict[str, float] | None
    difference: dict[str, Any] | None
    effect: dict[str, Any] | None
    cold: dict[str, Any]
    warm: dict[str, Any]
    error_rate: dict[str, Any] | None = None
    usage: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TargetComparison(_Answer):
    """Targets, of which the others are compared with the first; `needs` says from which n on a quantile is told."""

    metric: str
    start: str
    origin: str
    needs: dict[str, int]
    targets: tuple[ComparedTarget, ...]

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        targets = tuple(ComparedTarget.read(item) for item in body["targets"])
        return super(TargetComparison, cls).read({**body, "targets": targets})
