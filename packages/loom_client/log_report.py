"""Why no log lines are found, as the API tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from loom_client.models import _Answer


@dataclass(frozen=True, slots=True)
class LogCheck(_Answer):
    """A possible cause of missing lines; `state` is ok, failed or unknown, `statement` a policy that mends it."""

    key: str
    name: str
    state: str
    reason: str
    advice: str
    grantee: str
    statement: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class LogReport(_Answer):
    """Why no log lines of an endpoint, a session or a run are found."""

    log_group: str
    qualifier: str
    session_id: str
    invocation: int | None
    start_at: str
    end_at: str
    is_ok: bool
    checks: list[LogCheck]

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        return super(LogReport, cls).read({**body, "checks": [LogCheck.read(item) for item in body["checks"]]})
