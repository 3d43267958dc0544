"""Every read of measurements and figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from apps.metrics.measuring import startup_latency_ms
from apps.metrics.models import Measurement
from apps.metrics.services import MAX_TRIES
from apps.metrics.statistics import Summary, summarise
from apps.sessions.models import Invocation, Session, elapsed_ms

PANELS_SHOWN = 20
# Ranks that are exact enough for a statistic; rank 4 is only the first line of a stream.
EXACT_RANK = 3


@dataclass(frozen=True, slots=True)
class LatencyPanel:
    """What is known of one run's latency now; milliseconds, None where unknown."""

    invocation: Invocation
    state: str
    ttft_ms: float | None
    total_ms: float | None
    startup_ms: float | None
    low_ms: float | None
    high_ms: float | None
    tries: int
    max_tries: int
    marker: str
    marker_rank: int | None
    start_kind: str
    start_kind_reason: str
    log_group: str
    log_stream: str
    error_message: str
    next_at: datetime | None
    is_emulated: bool


def measurement_of(invocation: Invocation) -> Measurement | None:
    """The measurement of a run, or None while it is running."""
    return getattr(invocation, "measurement", None)


def panel_state(measurement: Measurement | None, startup_ms: float | None) -> str:
    """One word for where the search for a start stands."""
    if measurement is None:
        return "running"
    if measurement.agent_started_at is not None and startup_ms is None:
        return "clock_skew"
    if measurement.is_provisional:
        return "provisional"
    if measurement.state == Measurement.State.WAITING and measurement.tries >= MAX_TRIES:
        return "failed" if measurement.error_code else "not_found"
    if measurement.state == Measurement.State.NOT_FOUND and not measurement.tries:
        return "none"
    return measurement.state


def startup_of(invocation: Invocation) -> float | None:
    """The startup latency of a run in milliseconds, or None where none is known or the clocks contradict it."""
    measurement = measurement_of(invocation)
    if measurement is None:
        return None
    return startup_latency_ms(
        invocation.invoked_at, measurement.agent_started_at, measurement.low_ms, measurement.high_ms
    )


def latency_panel(invocation: Invocation) -> LatencyPanel:
    """Everything that the latency panel says of a run (with session, agent and measurement loaded)."""
    measurement = measurement_of(invocation)
    startup_ms = startup_of(invocation)
    return LatencyPanel(
        invocation=invocation,
        state="running" if invocation.is_running else panel_state(measurement, startup_ms),
        ttft_ms=invocation.time_to_first_token_ms,
        total_ms=invocation.total_latency_ms,
        startup_ms=startup_ms,
        low_ms=measurement.low_ms if measurement else None,
        high_ms=measurement.high_ms if measurement else None,
        tries=measurement.tries if measurement else 0,
        max_tries=MAX_TRIES,
        marker=measurement.marker if measurement else "",
        marker_rank=measurement.marker_rank if measurement else None,
        start_kind=measurement.start_kind if measurement else "",
        start_kind_reason=measurement.start_kind_reason if measurement else "",
        log_group=measurement.log_group if measurement else "",
        log_stream=measurement.log_stream if measurement else "",
        error_message=measurement.error_message if measurement else "",
        next_at=measurement.next_at if measurement else None,
        is_emulated=invocation.session.agent.origin == "emulator",
    )


def latency_panels(session: Session) -> list[LatencyPanel]:
    """The panels of a session's runs, the newest first."""
    newest = session.invocations.select_related("session__agent", "measurement").order_by("-number")[:PANELS_SHOWN]
    return [latency_panel(invocation) for invocation in newest]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of some invocations made by Loom; cold and warm never together."""

    invocation_count: int
    running_count: int
    failed_count: int
    stopped_count: int
    ttft_cold: Summary
    ttft_warm: Summary
    ttft_unknown_count: int
    startup_cold: Summary
    startup_warm: Summary
    cold_count: int
    cold_not_measured_count: int

    @property
    def error_rate(self) -> float | None:
        """(failed + interrupted) / (finished − stopped), or None where nothing counts."""
        counted = self.invocation_count - self.running_count - self.stopped_count
        return self.failed_count / counted if counted else None


def invocations_in_figures(since: datetime | None = None, agent_id: int | None = None) -> QuerySet[Invocation]:
    """The invocations of this mode (no figure mixes emulator and AWS), of one agent or all, since an instant."""
    invocations = Invocation.objects.filter(session__agent__origin=settings.LOOM_AWS)
    if since is not None:
        invocations = invocations.filter(requested_at__gte=since)
    if agent_id is not None:
        invocations = invocations.filter(session__agent_id=agent_id)
    return invocations


def figures(invocations: QuerySet[Invocation]) -> Figures:
    """Sum up invocations in one query; percentiles are computed here and not in SQL."""
    rows = invocations.values_list(
        "status", "invoked_at", "first_token_at", "measurement__start_kind", "measurement__agent_started_at",
        "measurement__marker_rank", "measurement__low_ms", "measurement__high_ms",
    )  # fmt: skip
    statuses: list[str] = []
    ttft: dict[str, list[float]] = {"cold": [], "warm": [], "unknown": []}
    startup: dict[str, list[float]] = {"cold": [], "warm": [], "unknown": []}
    cold_count = 0
    for status, invoked_at, first_token_at, kind, started_at, rank, low_ms, high_ms in rows.iterator(chunk_size=2000):
        statuses.append(status)
        temperature = {"created": "cold", "pooled": "cold", "reused": "warm"}.get(kind or "", "unknown")
        cold_count += temperature == "cold"
        ttft_ms = elapsed_ms(invoked_at, first_token_at)
        if ttft_ms is not None:
            ttft[temperature].append(ttft_ms)
        startup_ms = startup_latency_ms(invoked_at, started_at, low_ms or 0, high_ms)
        if startup_ms is not None and rank is not None and rank <= EXACT_RANK:
            startup[temperature].append(startup_ms)
    return Figures(
        invocation_count=len(statuses),
        running_count=_count(statuses, Invocation.RUNNING),
        failed_count=_count(statuses, (Invocation.Status.FAILED, Invocation.Status.INTERRUPTED)),
        stopped_count=_count(statuses, (Invocation.Status.STOPPED,)),
        ttft_cold=summarise(ttft["cold"]),
        ttft_warm=summarise(ttft["warm"]),
        ttft_unknown_count=len(ttft["unknown"]),
        startup_cold=summarise(startup["cold"]),
        startup_warm=summarise(startup["warm"]),
        cold_count=cold_count,
        cold_not_measured_count=cold_count - len(startup["cold"]),
    )


def _count(statuses: Iterable[str], wanted: Iterable[str]) -> int:
    kinds = set(wanted)
    return sum(status in kinds for status in statuses)


def recent_invocations(invocations: QuerySet[Invocation], limit: int = 20) -> list[LatencyPanel]:
    """The newest invocations with what is known of their latency; prompts and answers stay in the database."""
    rows = (
        invocations.select_related("session__agent", "measurement")
        .defer("response_text", "payload", "session__agent__raw_metadata")
        .order_by("-requested_at")[:limit]
    )
    return [latency_panel(invocation) for invocation in rows]


def day_before(now: datetime) -> datetime:
    """The start of the default range."""
    return now - timedelta(hours=24)
