"""What the latency panel says of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from apps.aws.logs.streams import classify
from apps.metrics.models import Measurement
from apps.metrics.selectors import measurement_of, panel_state, startup_of
from apps.metrics.starts.clock import Interval, Sighting, narrowed
from apps.metrics.startup import BEST_RANK, MAX_TRIES, TRY_EVERY, WEAK_RANK
from apps.sessions.models import Invocation, Session

PANELS_SHOWN = 20
# The runs of an environment that tell how its clock goes; more would not tell more.
RUNS_OF_ENVIRONMENT = 100
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class LatencyPanel:
    """What is known of one run's latency now; milliseconds, None where unknown."""

    invocation: int
    state: str
    invoked_at: datetime | None
    agent_started_at: datetime | None
    ttft_ms: float | None
    total_ms: float | None
    startup_ms: float | None
    first_byte_ms: float | None
    low_ms: float | None
    high_ms: float | None
    ahead_low_ms: float | None
    ahead_high_ms: float | None
    interval_run_count: int
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
    log_event_count: int
    is_looking: bool
    is_unsent: bool
    http_status: int | None
    cost_usd: Decimal | None
    cost_source: str

    @property
    def early_ms(self) -> float | None:
        """By how much the agent started before it was asked, by its own clock; None where it did not."""
        if self.invoked_at is None or self.agent_started_at is None or self.agent_started_at > self.invoked_at:
            return None
        return (self.invoked_at - self.agent_started_at) / MILLISECOND

    @property
    def late_ms(self) -> float | None:
        """By how much the agent started after its first byte was here, by its own clock; None where it did not."""
        if self.invoked_at is None or self.agent_started_at is None or self.first_byte_ms is None:
            return None
        late_ms = (self.agent_started_at - self.invoked_at) / MILLISECOND - self.first_byte_ms
        return late_ms if late_ms > 0 else None

    @property
    def may_be_checked(self) -> bool:
        """Whether looking in the logs once more could tell anything new: always, but where the best line is known."""
        if self.state in {"measured", "provisional", "clock_skew"}:
            return self.marker_rank != BEST_RANK or self.state == "clock_skew"
        return self.state in {"waiting", "not_found", "failed"} and bool(self.tries)

    @property
    def ahead_ms(self) -> float | None:
        """How far the environment's clock is ahead of ours, in the middle of its bounds; negative if behind."""
        if self.ahead_low_ms is None or self.ahead_high_ms is None:
            return None
        return (self.ahead_low_ms + self.ahead_high_ms) / 2

    @property
    def ahead_within_ms(self) -> float | None:
        """By how much that may be wrong, either way."""
        if self.ahead_low_ms is None or self.ahead_high_ms is None:
            return None
        return (self.ahead_high_ms - self.ahead_low_ms) / 2


def latency_panel(invocation: Invocation) -> LatencyPanel:
    """Everything that the latency panel says of a run (with session, agent and measurement loaded)."""
    return _panel(invocation, _intervals([invocation]).get(invocation.pk))


def latency_panels(session: Session) -> list[LatencyPanel]:
    """The panels of a session's runs, the newest first."""
    newest = session.invocations.select_related("session__agent", "measurement").order_by("-number")[:PANELS_SHOWN]
    runs = list(newest)
    intervals = _intervals(runs)
    return [_panel(invocation, intervals.get(invocation.pk)) for invocation in runs]


def _panel(invocation: Invocation, interval: Interval | None) -> LatencyPanel:
    measurement = measurement_of(invocation)
    startup_ms = startup_of(invocation)
    is_over = measurement is None or measurement.state in {Measurement.State.NOT_FOUND, Measurement.State.FAILED}
    next_at = None if measurement is None or is_over else measurement.next_at
    high_ms = measurement.high_ms if measurement else None
    return LatencyPanel(
        invocation=invocation.number,
        state=panel_state(invocation, startup_ms),
        invoked_at=invocation.invoked_at,
        agent_started_at=measurement.agent_started_at if measurement else None,
        ttft_ms=invocation.time_to_first_token_ms,
        total_ms=invocation.total_latency_ms,
        startup_ms=startup_ms,
        first_byte_ms=high_ms,
        low_ms=interval.low_ms if interval else measurement.low_ms if measurement else None,
        high_ms=interval.high_ms if interval else high_ms,
        ahead_low_ms=interval.ahead_low_ms if interval else None,
        ahead_high_ms=interval.ahead_high_ms if interval else None,
        interval_run_count=interval.run_count if interval else 1 if measurement else 0,
        tries=measurement.tries if measurement else 0,
        max_tries=MAX_TRIES,
        marker=measurement.marker if measurement else "",
        marker_rank=measurement.marker_rank if measurement else None,
        start_kind=measurement.start_kind if measurement else "",
        start_kind_reason=measurement.start_kind_reason if measurement else "",
        log_group=measurement.log_group if measurement else "",
        log_stream=measurement.log_stream if measurement else "",
        error_message=measurement.error_message if measurement else "",
        next_at=next_at,
        is_emulated=invocation.session.agent.origin == "emulator",
        log_event_count=measurement.log_event_count if measurement else 0,
        is_looking=next_at is not None and next_at <= timezone.now() + TRY_EVERY,
        is_unsent=invocation.is_unsent or (invocation.invoked_at is None and not invocation.is_unfinished),
        http_status=invocation.http_status,
        cost_usd=invocation.cost_usd,
        cost_source=invocation.cost_source or "",
    )


def _intervals(invocations: Sequence[Invocation]) -> dict[int, Interval]:
    """What the other runs of its environment tell of the start of each run, by its key; of the others nothing.

    An environment is a log stream that holds no other, and serves one session alone; one query for all.
    """
    wanted = [(run, sighting) for run in invocations if (sighting := _sighting(run))]
    environments = _environments([run for run, _ in wanted])
    found = {
        run.pk: narrowed(sighting, environments.get((run.measurement.log_group, run.measurement.log_stream), []))
        for run, sighting in wanted
    }
    return {key: interval for key, interval in found.items() if interval is not None}


def sightings_of(invocation: Invocation) -> list[Sighting]:
    """What the runs of a run's environment tell of its clock, that one among them; nothing where it tells nothing."""
    if _sighting(invocation) is None:
        return []
    place = invocation.measurement.log_group, invocation.measurement.log_stream
    return _environments([invocation]).get(place, [])


def _environments(runs: Sequence[Invocation]) -> dict[tuple[str, str], list[Sighting]]:
    """The sightings of the environments that measured runs were in, by log group and stream."""
    places = {(run.measurement.log_group, run.measurement.log_stream) for run in runs}
    if not places:
        return {}
    # By their sessions: no index leads to a log stream.
    rows = Measurement.objects.filter(
        invocation__session__in={run.session_id for run in runs},
        log_group__in={group for group, _ in places},
        log_stream__in={stream for _, stream in places},
    )
    environments: dict[tuple[str, str], list[Sighting]] = {}
    for row in rows.select_related("invocation").order_by("-invocation_id")[: RUNS_OF_ENVIRONMENT * len(places)]:
        if sighting := _sighting_of(row, row.invocation):
            environments.setdefault((row.log_group, row.log_stream), []).append(sighting)
    return environments


def _sighting(invocation: Invocation) -> Sighting | None:
    measurement = measurement_of(invocation)
    return None if measurement is None else _sighting_of(measurement, invocation)


def _sighting_of(measurement: Measurement, invocation: Invocation) -> Sighting | None:
    """What a run tells of its environment's clock; nothing without a line that says when the code was entered."""
    started_at, sent_at, high_ms = measurement.agent_started_at, invocation.invoked_at, measurement.high_ms
    rank = measurement.marker_rank
    if started_at is None or sent_at is None or high_ms is None or rank in (None, WEAK_RANK):
        return None
    if classify(measurement.log_stream).environment_id is None:
        return None
    assert rank is not None
    return Sighting(sent_at, sent_at + timedelta(milliseconds=high_ms), started_at, rank)
