"""The timeline of one run, put together from its row, its measurement and its recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from apps.metrics.explaining.agent_spans import AgentSpans, agent_spans_of
from apps.metrics.explaining.gaps import Gap, RunInstants, begin_of, end_of, gaps_of
from apps.metrics.explaining.spans import Rate, Span, Stall, rate_of, spans_of, stalls_of
from apps.metrics.models import AgentTrace
from apps.metrics.starts.panel import LatencyPanel, latency_panel
from apps.metrics.startup import MISSING_SOUGHT_FOR
from apps.sessions.models import Invocation
from apps.sessions.selectors import events_after
from loom_events.recorded import RecordedEvent

MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Start:
    """When the agent began, by its own clock, and between which bounds that must lie; since the run's beginning."""

    at_ms: float
    low_ms: float
    high_ms: float
    marker: str
    marker_rank: int | None
    is_provisional: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run's time, in milliseconds since `began_at`; `sent_ms` is when the prompt was sent, None where it was not."""

    invocation: Invocation
    panel: LatencyPanel
    began_at: datetime
    wall_ms: float
    sent_ms: float | None
    gaps: Sequence[Gap]
    start: Start | None
    spans: Sequence[Span]
    stalls: Sequence[Stall]
    rate: Rate | None
    agent_spans: AgentSpans | None = None

    @property
    def may_change(self) -> bool:
        """Whether more of it may come: the run goes on, its start or its agent's spans are looked for, or will be."""
        run, told = self.invocation, self.agent_spans
        if run.is_unfinished or self.panel.state in {"waiting", "provisional"}:
            return True
        if told is not None:
            return told.is_looked_for
        is_new = run.completed_at is not None and run.completed_at > timezone.now() - MISSING_SOUGHT_FOR
        return is_new and bool(run.trace_id) and run.content_removed_at is None


def timeline_of(invocation: Invocation, now: datetime | None = None) -> Timeline:
    """The timeline of a run (with session, agent, measurement and agent_trace loaded), up to now where it goes on."""
    now = now or timezone.now()
    panel = latency_panel(invocation)
    events = events_after(invocation.pk) if invocation.last_sequence else []
    run = _instants(invocation, panel, events)
    began_at, ended_at = begin_of(run), end_of(run, now)
    sent_ms = None if run.invoked_at is None else (run.invoked_at - began_at) / MILLISECOND
    wall_ms = (ended_at - began_at) / MILLISECOND
    lasted_ms = wall_ms - (sent_ms or 0.0)
    spans = spans_of(events, lasted_ms)
    return Timeline(
        invocation=invocation,
        panel=panel,
        began_at=began_at,
        wall_ms=wall_ms,
        sent_ms=sent_ms,
        gaps=gaps_of(run, now),
        start=_start(panel, sent_ms),
        spans=spans,
        stalls=stalls_of(events, None if invocation.is_unfinished else lasted_ms, spans),
        rate=rate_of(events, invocation.output_token_count),
        agent_spans=_agent_spans(invocation, panel, lasted_ms, spans),
    )


def _agent_spans(
    invocation: Invocation, panel: LatencyPanel, lasted_ms: float, recorded: Sequence[Span]
) -> AgentSpans | None:
    """What the agent told itself; None where nothing is looked for."""
    trace: AgentTrace | None = getattr(invocation, "agent_trace", None)
    sent_at = invocation.invoked_at
    if trace is None or sent_at is None or invocation.content_removed_at is not None:
        return None
    return agent_spans_of(trace, panel, sent_at, lasted_ms, recorded)


def _instants(invocation: Invocation, panel: LatencyPanel, events: Sequence[RecordedEvent]) -> RunInstants:
    sent_at = invocation.invoked_at
    return RunInstants(
        status=invocation.status,
        requested_at=invocation.requested_at,
        claimed_at=invocation.claimed_at,
        invoked_at=sent_at,
        headers_at=invocation.headers_at,
        first_chunk_at=invocation.first_chunk_at,
        first_token_at=invocation.first_token_at,
        completed_at=invocation.completed_at,
        was_queued=invocation.queued_at is not None,
        attempt_count=invocation.attempt_count,
        startup_ms=panel.startup_ms,
        pauses=() if sent_at is None else _pauses(sent_at, events),
    )


def _pauses(sent_at: datetime, events: Sequence[RecordedEvent]) -> list[tuple[datetime, datetime | None]]:
    """When a run waited for a person: from the first question until none was open any more."""
    pauses: list[tuple[datetime, datetime | None]] = []
    asked: set[str] = set()
    since: datetime | None = None
    for event in events:
        if event["kind"] != "approval":
            continue
        at = sent_at + timedelta(milliseconds=event["offset_ms"])
        if event["status"] == "waiting":
            since = since or at
            asked.add(event["approval_id"])
            continue
        asked.discard(event["approval_id"])
        if since is not None and not asked:
            pauses.append((since, at))
            since = None
    return pauses if since is None else [*pauses, (since, None)]


def _start(panel: LatencyPanel, sent_ms: float | None) -> Start | None:
    if panel.startup_ms is None or sent_ms is None or panel.low_ms is None or panel.high_ms is None:
        return None
    return Start(
        at_ms=sent_ms + panel.startup_ms,
        low_ms=sent_ms + panel.low_ms,
        high_ms=sent_ms + panel.high_ms,
        marker=panel.marker,
        marker_rank=panel.marker_rank,
        is_provisional=panel.state == "provisional",
    )
