"""Runs side by side, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
