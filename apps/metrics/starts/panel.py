"""What the latency panel says of a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from apps.metrics.models import Measurement
from apps.metrics.selectors import measurement_of, panel_state, startup_of
from apps.metrics.startup import MAX_TRIES, TRY_EVERY
from apps.sessions.models import Invocation, Session

PANELS_SHOWN = 20
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
    log_event_count: int
    is_looking: bool
    is_unsent: bool
    http_status: int | None

    @property
    def early_ms(self) -> float | None:
        """By how much the agent started before it was asked, by its own clock; None where it did not."""
        if self.invoked_at is None or self.agent_started_at is None or self.agent_started_at > self.invoked_at:
            return None
        return (self.invoked_at - self.agent_started_at) / MILLISECOND

    @property
    def late_ms(self) -> float | None:
        """By how much the agent started after its first byte was here, by its own clock; None where it did not."""
        if self.invoked_at is None or self.agent_started_at is None or self.high_ms is None:
            return None
        late_ms = (self.agent_started_at - self.invoked_at) / MILLISECOND - self.high_ms
        return late_ms if late_ms > 0 else None

    @property
    def may_be_checked(self) -> bool:
        """Whether looking in the logs once more could tell anything new."""
        return self.state in {"waiting", "not_found", "failed"} and bool(self.tries)


def latency_panel(invocation: Invocation) -> LatencyPanel:
    """Everything that the latency panel says of a run (with session, agent and measurement loaded)."""
    measurement = measurement_of(invocation)
    startup_ms = startup_of(invocation)
    next_at = measurement.next_at if measurement and measurement.state == Measurement.State.WAITING else None
    return LatencyPanel(
        invocation=invocation.number,
        state=panel_state(invocation, startup_ms),
        invoked_at=invocation.invoked_at,
        agent_started_at=measurement.agent_started_at if measurement else None,
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
        next_at=next_at,
        is_emulated=invocation.session.agent.origin == "emulator",
        log_event_count=measurement.log_event_count if measurement else 0,
        is_looking=next_at is not None and next_at <= timezone.now() + TRY_EVERY,
        is_unsent=invocation.is_unsent or (invocation.invoked_at is None and not invocation.is_unfinished),
        http_status=invocation.http_status,
    )


def latency_panels(session: Session) -> list[LatencyPanel]:
    """The panels of a session's runs, the newest first."""
    newest = session.invocations.select_related("session__agent", "measurement").order_by("-number")[:PANELS_SHOWN]
    return [latency_panel(invocation) for invocation in newest]
