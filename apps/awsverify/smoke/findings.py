"""What a smoke run collects: steps that must work, and answers to what was open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from apps.awsverify.smoke.log_seen import LogSeen
from apps.awsverify.smoke.probes import MetricDimensions, SessionIdAnswer
from apps.awsverify.smoke.turns import Turn
from loom_client import Agent

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that Loom does with an agent, and whether it worked."""

    name: str
    state: Literal["ok", "failed", "skipped"]
    message: str
    advice: str = ""

    def __str__(self) -> str:
        return f"  {self.state:<8} {self.name:<18} {self.message}" + (
            f"\n{'':30}→ {self.advice}" if self.advice else ""
        )


@dataclass(slots=True)
class SmokeRun:
    """Everything that was seen. Text of prompts and answers is nowhere in it, account ids are.

    `runtime_session_id` is empty until Loom has begun the session.
    """

    started_at: datetime
    runtime_session_id: str = ""
    agent: Agent | None = None
    turns: list[Turn] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    log: LogSeen | None = None
    session_id_answers: list[SessionIdAnswer] = field(default_factory=list)
    metrics: MetricDimensions | None = None
    invocation_count: int = 0

    @property
    def is_ok(self) -> bool:
        return all(step.state != "failed" for step in self.steps)

    def turn(self, name: str) -> Turn | None:
        return next((turn for turn in self.turns if turn.name == name), None)


@dataclass(frozen=True, slots=True)
class OpenPoint:
    """A question that AWS's documents leave open and what this run saw; without an `answer` there is a `reason`."""

    question: str
    answer: str | None
    reason: str = ""
