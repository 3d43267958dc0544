"""How long the first token of a run that is waited for usually takes: told while somebody waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from apps.agents.models import Agent
from apps.metrics.figures.statistics import Percentile, summarise
from apps.metrics.starts.services import earlier_runs
from apps.metrics.starts.start_kind import decide
from apps.sessions.models import Invocation, Session

KINDS = {"cold": ("created", "pooled"), "warm": ("reused",)}
SESSIONS_LOOKED_AT = 200
RUNS_LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Expectation:
    """The median time to first token of `n` runs that started in the same way, with its 95 % interval."""

    temperature: Literal["cold", "warm"]
    ttft: Percentile
    n: int


def expectation_of(run: Invocation, now: datetime) -> Expectation | None:
    """What to expect of a run (with session, agent and runtime loaded) that has said nothing yet.

    None where it is not certain how it starts, and where too few runs tell how long that takes.
    """
    if run.status not in Invocation.RUNNING or run.first_token_at is not None:
        return None
    temperature = _temperature(run, now)
    if temperature is None:
        return None
    ttfts_ms = _ttfts_ms(run, KINDS[temperature])
    median = summarise(ttfts_ms).p50
    return None if median is None else Expectation(temperature, median, len(ttfts_ms))


def _temperature(run: Invocation, now: datetime) -> Literal["cold", "warm"] | None:
    session = run.session
    if session.agent.kind != Agent.Kind.AGENTCORE:
        return None
    runtime = session.agent.runtime
    verdict = decide(
        invoked_at=run.invoked_at or now,
        is_own_id=session.is_own_id,
        ended_at=session.ended_at,
        idle_timeout=timedelta(milliseconds=runtime.idle_timeout_ms),
        max_lifetime=timedelta(milliseconds=runtime.max_lifetime_ms),
        earlier=earlier_runs(run),
    )
    return {"created": "cold", "pooled": "cold", "reused": "warm"}.get(verdict.kind)  # type: ignore[return-value]


def _ttfts_ms(run: Invocation, kinds: tuple[str, ...]) -> list[float]:
    """The times to first token of the newest runs of the agent's endpoint that started in one of these ways."""
    session = run.session
    sessions = Session.objects.filter(agent=session.agent_id, qualifier=session.qualifier, purpose=session.purpose)
    sessions = sessions.filter(deleted_at=None)
    ids = list(sessions.order_by("-last_invoked_at").values_list("pk", flat=True)[:SESSIONS_LOOKED_AT])
    runs = Invocation.objects.filter(
        session__in=ids,
        measurement__start_kind__in=kinds,
        status=Invocation.Status.COMPLETED,
        first_token_at__isnull=False,
    )
    newest = runs.only("invoked_at", "first_token_at").order_by("-pk")[:RUNS_LOOKED_AT]
    return [one.time_to_first_token_ms for one in newest if one.time_to_first_token_ms is not None]
