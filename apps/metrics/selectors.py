"""Every read of measurements and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from apps.metrics.measuring import MAX_TRIES, startup_latency_ms
from apps.metrics.models import Measurement
from apps.metrics.statistics import Summary, summarise
from apps.sessions.models import Invocation, Session, elapsed_ms

PANELS_SHOWN = 20
TEMPERATURE = {
    Measurement.StartKind.CREATED.value: "cold",
    Measurement.StartKind.POOLED.value: "cold",
    Measurement.StartKind.REUSED.value: "warm",
}
# Ranks 2 and 3 are two lines of the same logger with the same clock; rank 4 says too little for a figure.
SOURCE_OF_RANK = {1: "start line", 2: "SDK line", 3: "SDK line"}


@dataclass(frozen=True, slots=True)
class LatencyPanel:
    """What is known of one run's latency now; milliseconds, None where unknown."""

    invocation: int
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


def search_state(
    *, state: str, tries: int, error_code: str, agent_started_at: datetime | None, startup_ms: float | None
) -> str:
    """One word for where the search for a start stands.

    waiting, provisional, measured, clock_skew, not_found (also while it is looked for again later), failed, or none
    where no agent was asked.
    """
    if agent_started_at is not None:
        if startup_ms is None:
            return "clock_skew"
        return "provisional" if state == Measurement.State.WAITING else state
    if state == Measurement.State.WAITING and tries >= MAX_TRIES:
        return "failed" if error_code else "not_found"
    return "none" if state == Measurement.State.NOT_FOUND and not tries else state


def panel_state(invocation: Invocation, startup_ms: float | None) -> str:
    """The state of a run's panel: `running`, or that of the search for its start."""
    if invocation.is_running:
        return "running"
    measurement = measurement_of(invocation)
    if measurement is None:
        # The sweep makes a missing one.
        return "waiting"
    return search_state(
        state=measurement.state,
        tries=measurement.tries,
        error_code=measurement.error_code,
        agent_started_at=measurement.agent_started_at,
        startup_ms=startup_ms,
    )


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
        invocation=invocation.number,
        state=panel_state(invocation, startup_ms),
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
class StartupFigures:
    """Startup latencies of one source; `other_count` runs were measured by the other source and are not in it."""

    summary: Summary
    source: str
    other_count: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of some invocations made by Loom; cold and warm never together.

    `cold_states` counts the cold runs by what is known of their start: a state of `search_state`, or weak for those of
    which only the first log line is known. Those in state measured are the ones in the startup figures.
    """

    invocation_count: int
    running_count: int
    failed_count: int
    stopped_count: int
    ttft_cold: Summary
    ttft_warm: Summary
    ttft_unknown_count: int
    startup_cold: StartupFigures
    startup_warm: StartupFigures
    cold_states: Mapping[str, int]

    @property
    def finished_count(self) -> int:
        """Finished − stopped: what the error rate is a share of."""
        return self.invocation_count - self.running_count - self.stopped_count

    @property
    def error_rate(self) -> float | None:
        """(failed + interrupted) / (finished − stopped), or None where nothing counts."""
        return self.failed_count / self.finished_count if self.finished_count else None


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
        "status", "invoked_at", "first_token_at", "measurement__start_kind", "measurement__state",
        "measurement__tries", "measurement__error_code", "measurement__agent_started_at",
        "measurement__marker_rank", "measurement__low_ms", "measurement__high_ms",
    )  # fmt: skip
    statuses: Counter[str] = Counter()
    cold_states: Counter[str] = Counter()
    ttft: dict[str, list[float]] = {"cold": [], "warm": [], "unknown": []}
    startup: dict[str, dict[str, list[float]]] = {"cold": {}, "warm": {}, "unknown": {}}
    for status, sent_at, first_token_at, kind, state, tries, code, started_at, rank, low_ms, high_ms in rows.iterator(
        chunk_size=2000
    ):
        statuses[status] += 1
        temperature = TEMPERATURE.get(kind or "", "unknown")
        ttft_ms = elapsed_ms(sent_at, first_token_at)
        if ttft_ms is not None:
            ttft[temperature].append(ttft_ms)
        if not state:
            continue
        startup_ms = startup_latency_ms(sent_at, started_at, low_ms, high_ms)
        known = search_state(
            state=state, tries=tries, error_code=code, agent_started_at=started_at, startup_ms=startup_ms
        )
        if known == Measurement.State.MEASURED and startup_ms is not None and rank in SOURCE_OF_RANK:
            startup[temperature].setdefault(SOURCE_OF_RANK[rank], []).append(startup_ms)
        elif known == Measurement.State.MEASURED:
            known = "weak"
        cold_states[known] += temperature == "cold"
    return Figures(
        invocation_count=statuses.total(),
        running_count=_count(statuses, Invocation.RUNNING),
        failed_count=_count(statuses, (Invocation.Status.FAILED, Invocation.Status.INTERRUPTED)),
        stopped_count=_count(statuses, (Invocation.Status.STOPPED,)),
        ttft_cold=summarise(ttft["cold"]),
        ttft_warm=summarise(ttft["warm"]),
        ttft_unknown_count=len(ttft["unknown"]),
        startup_cold=_of_one_source(startup["cold"]),
        startup_warm=_of_one_source(startup["warm"]),
        cold_states=+cold_states,
    )


def _of_one_source(values: Mapping[str, list[float]]) -> StartupFigures:
    """Sum up the source that most runs have: an application and the SDK do not log the same instant."""
    if not values:
        return StartupFigures(summarise([]), "", 0)
    source = max(values, key=lambda name: len(values[name]))
    other_count = sum(len(others) for name, others in values.items() if name != source)
    return StartupFigures(summarise(values[source]), source, other_count)


def _count(statuses: Counter[str], wanted: Iterable[Invocation.Status]) -> int:
    return sum(statuses[status.value] for status in wanted)


@dataclass(frozen=True, slots=True)
class RecentInvocation:
    """A row of the list of recent invocations."""

    run: Invocation
    startup_ms: float | None


def recent_invocations(invocations: QuerySet[Invocation], limit: int = 20) -> list[RecentInvocation]:
    """The newest invocations with their startup latency, where one is known; the answers stay in the database."""
    rows = (
        invocations.select_related("session__agent", "measurement")
        .defer("response_text", "payload", "session__agent__raw_metadata")
        .order_by("-requested_at")[:limit]
    )
    return [RecentInvocation(row, startup_of(row)) for row in rows]


def day_before(now: datetime) -> datetime:
    """The start of the default range."""
    return now - timedelta(hours=24)
