"""What the look found: the same for a page, the API and the command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

State = Literal["ok", "failed", "unknown"]
"""`unknown` is what could not be decided: AWS answered something else, or there was nothing to decide it by."""

Grantee = Literal["", "loom", "agent"]
"""Whose role lacks what a statement grants: the one that Loom uses, or the agent's execution role."""


@dataclass(frozen=True, slots=True)
class LogCheck:
    """One possible cause. `key` is a stable word for programs, `statement` the policy that mends a refusal."""

    key: str
    name: str
    state: State
    reason: str
    advice: str = ""
    grantee: Grantee = ""
    statement: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class LogReport:
    """All checks, in the order in which they depend on each other. Looked at were the lines from `start_at` on."""

    origin: Literal["emulator", "aws"]
    region: str
    log_group: str
    qualifier: str
    start_at: datetime
    end_at: datetime
    checks: Sequence[LogCheck]
    session_id: str = ""
    invocation: int | None = None

    @property
    def is_ok(self) -> bool:
        """Whether nothing keeps lines from being found, as far as that could be decided."""
        return all(check.state != "failed" for check in self.checks)
