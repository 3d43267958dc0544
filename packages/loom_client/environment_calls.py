"""What AgentCore keeps for sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from loom_client.models import _Answer
from loom_client.wire import Wire


@dataclass(frozen=True, slots=True)
class Environment(_Answer):
    """A session's environment: warm, idle or ended. `end` is the last end that was asked for, with its `proof`."""

    session_id: str
    session_public_id: str
    title: str
    agent_id: int
    agent_name: str
    qualifier: str
    version: str
    owner: str
    state: str
    reason: str
    expires_at: str | None
    idle_ends_at: str | None
    lifetime_ends_at: str | None
    runs: int
    cost_usd: float | None
    idle_usd: float
    runs_of_unknown_cost: int
    end: Mapping[str, Any] | None
    url: str


@dataclass(frozen=True, slots=True)
class ColdStarts(_Answer):
    """Cold starts and what goes with slow ones: `factors` with their `levels`, each against all others."""

    n: int
    p50: Mapping[str, float] | None
    source: str
    left_out: int
    comparisons: int
    factors: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class KeepWarm(_Answer):
    """What pings and another idle timeout would make of an agent's own runs; costs are of a month, at most."""

    runs: int
    sessions: int
    is_enough: bool
    seen: Mapping[str, float] | None
    present: Mapping[str, Any]
    asked: Mapping[str, Any]
    avoided: float
    penalty_ms: float | None
    saved_s: float | None
    saved_low_s: float | None
    saved_high_s: float | None
    more_usd: float
    best_idle_timeout_ms: int | None
    idle_timeouts: list[dict[str, Any]]


class EnvironmentCalls(Wire):
    """One method for each thing that the API tells of environments; `Client.end` ends one."""

    def environments(self, text: str = "", **query: Any) -> list[Environment]:
        """Those that are warm or idle, the last used first; `query` in the words of the API: state, agent, owner, sort,
        limit, offset.
        """
        asked = {"q": text, **{name: value for name, value in query.items() if value is not None}}
        return [Environment.read(item) for item in self._json("GET", f"/environments?{urlencode(asked)}")]

    def cold_starts(self, **query: Any) -> ColdStarts:
        """What goes with slow cold starts; `query` in the words of the API: agent, days, metric, measure_start."""
        asked = {name: value for name, value in query.items() if value is not None}
        return ColdStarts.read(self._json("GET", f"/cold-starts?{urlencode(asked)}"))

    def keep_warm(self, agent_id: int, **query: Any) -> KeepWarm:
        """Replay an agent's runs; `query` in the words of the API: days, ping_minutes, from_hour, to_hour, keep_hours,
        idle_minutes.
        """
        asked = {name: value for name, value in query.items() if value is not None}
        return KeepWarm.read(self._json("GET", f"/agents/{agent_id}/keep-warm?{urlencode(asked)}"))
