"""The cold runs of a time with what may have mattered for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.agentcore.models import Runtime
from apps.agents.models import Agent
from apps.agents.selectors import in_use
from apps.metrics.environments.attribution import ColdStart, Factor, attribute
from apps.metrics.figures.readings import PURPOSES
from apps.metrics.figures.statistics import Summary, summarise
from apps.metrics.figures.tally import SOURCE_OF_RANK
from apps.metrics.models import Measurement
from apps.metrics.startup import startup_latency_ms
from apps.sessions.models import Invocation
from apps.sessions.pages.listing import SHOWN

METRICS = ("startup", "ttft")
DAYS = (7, 30, 90)
MOST_STARTS = 5_000  # the newest of them
COLD = (Measurement.StartKind.CREATED, Measurement.StartKind.POOLED)


@dataclass(frozen=True, slots=True)
class ColdAsked:
    """Which cold runs, and what is looked at of them; with those of Measure start, without them, or those alone."""

    days: int = 30
    metric: str = "startup"
    measure_start: str = SHOWN


@dataclass(frozen=True, slots=True)
class ColdReading:
    """What was found. `source` is the line of the logs that the startup latencies are from; of one source alone, as
    different lines are written at different moments. `other_count` are cold runs that are not in it.
    """

    summary: Summary
    factors: Sequence[Factor]
    source: str
    other_count: int
    is_cut: bool
    comparison_count: int


def read_cold_starts(asked: ColdAsked, now: datetime, agent: Agent | None = None) -> ColdReading:
    """Cold starts of an agent, or of all that this mode runs, and what goes with slow ones."""
    rows = list(_rows(asked, now, agent)[: MOST_STARTS + 1])
    is_cut = len(rows) > MOST_STARTS
    rows = rows[:MOST_STARTS]
    valued = [(row, *_value(row, asked.metric)) for row in rows]
    sources = Counter(source for _row, value, source in valued if value is not None)
    source = sources.most_common(1)[0][0] if sources else ""
    facts = _facts({row["session__agent"] for row in rows})
    starts = [
        _start(row, value, facts)
        for row, value, told_by in valued
        if value is not None and told_by == source and row["session__agent"] in facts
    ]
    factors = attribute(starts, is_one_agent=agent is not None)
    return ColdReading(
        summary=summarise(one.value_ms for one in starts),
        factors=factors,
        source=source,
        other_count=len(rows) - len(starts),
        is_cut=is_cut,
        comparison_count=sum(factor.comparison_count for factor in factors),
    )


def _rows(asked: ColdAsked, now: datetime, agent: Agent | None) -> Any:
    runs = Invocation.objects.filter(
        in_use("session__agent__"),
        requested_at__gt=now - timedelta(days=asked.days),
        session__purpose__in=PURPOSES[asked.measure_start],
        measurement__start_kind__in=COLD,
    )
    if agent is not None:
        runs = runs.filter(session__agent=agent)
    return runs.order_by("-requested_at").values(
        "session__agent", "invoked_at", "first_token_at", "version", "measurement__start_kind", "measurement__state",
        "measurement__agent_started_at", "measurement__marker_rank", "measurement__low_ms", "measurement__high_ms",
    )  # fmt: skip


def _value(row: Mapping[str, Any], metric: str) -> tuple[float | None, str]:
    """The latency of a run, and the line that tells it; None where it is not known."""
    sent_at = row["invoked_at"]
    if metric == "ttft":
        token_at = row["first_token_at"]
        return (None if sent_at is None or token_at is None else (token_at - sent_at) / timedelta(milliseconds=1)), ""
    rank = row["measurement__marker_rank"]
    if row["measurement__state"] != Measurement.State.MEASURED or rank not in SOURCE_OF_RANK:
        return None, ""
    value = startup_latency_ms(
        sent_at, row["measurement__agent_started_at"], row["measurement__low_ms"], row["measurement__high_ms"]
    )
    return value, SOURCE_OF_RANK[rank]


def _facts(agent_ids: set[int]) -> dict[int, tuple[Agent, Runtime]]:
    runtimes = Runtime.objects.filter(agent__in=agent_ids).select_related("agent")
    return {runtime.agent_id: (runtime.agent, runtime) for runtime in runtimes}


def _start(row: Mapping[str, Any], value_ms: float, facts: Mapping[int, tuple[Agent, Runtime]]) -> ColdStart:
    agent, runtime = facts[row["session__agent"]]
    return ColdStart(
        value_ms=value_ms,
        sent_at=row["invoked_at"],
        agent_id=agent.pk,
        agent_name=agent.name,
        artifact=artifact_of(runtime),
        platform=runtime.platform_version,
        region=runtime.region,
        version=row["version"],
        start_kind=row["measurement__start_kind"],
    )


def artifact_of(runtime: Runtime) -> str:
    """What its present version is made from: `container` or `code`; empty where AWS does not say."""
    artifact = runtime.raw_metadata.get("agentRuntimeArtifact") or {}
    kinds = {"containerConfiguration": "container", "codeConfiguration": "code"}
    return next((kind for key, kind in kinds.items() if key in artifact), "")
