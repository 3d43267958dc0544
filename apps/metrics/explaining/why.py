"""Why a run was slow, from its timeline and the runs before it."""

from __future__ import annotations

from datetime import datetime

from apps.metrics.explaining.reasons import Neighbour, Reason, RunFacts, reason_of
from apps.metrics.explaining.timeline import Timeline
from apps.metrics.selectors import measurement_of
from apps.sessions.models import Invocation, Session

LOOKED_AT = 20
SESSIONS_LOOKED_AT = 40
COLD = {"created": True, "pooled": True, "reused": False}


def why_slow(timeline: Timeline) -> tuple[Reason | None, tuple[datetime, datetime] | None]:
    """The sentence of a run, and between which instants the runs were asked for that it compares with."""
    run = timeline.invocation
    if run.is_unfinished:
        return None, None
    before = _runs_before(run)
    reason = reason_of(_facts(timeline, [_neighbour(one) for one in before]))
    return reason, (before[-1].requested_at, run.requested_at) if before else None


def _facts(timeline: Timeline, neighbours: list[Neighbour]) -> RunFacts:
    run, panel = timeline.invocation, timeline.panel
    return RunFacts(
        is_finished=not run.is_unfinished,
        wall_ms=timeline.wall_ms,
        sent_ms=timeline.sent_ms,
        ttft_ms=panel.ttft_ms,
        gaps=timeline.gaps,
        spans=timeline.spans,
        stalls=timeline.stalls,
        attempt_count=run.attempt_count,
        is_cold=COLD.get(panel.start_kind),
        startup_ms=panel.startup_ms,
        low_ms=panel.low_ms,
        high_ms=panel.high_ms,
        marker_rank=panel.marker_rank,
        is_provisional=panel.state != "measured",
        neighbours=neighbours,
    )


def _runs_before(run: Invocation) -> list[Invocation]:
    """The completed runs of the agent's endpoint before this one, the newest first; of Measure start only for one of
    its own. Found by the sessions that were busy last: an agent may have had millions of runs.
    """
    session = run.session
    sessions = Session.objects.filter(
        agent=session.agent_id, qualifier=session.qualifier, purpose=session.purpose, created_at__lte=run.requested_at,
        deleted_at=None,
    )  # fmt: skip
    ids = list(sessions.order_by("-last_invoked_at").values_list("pk", flat=True)[:SESSIONS_LOOKED_AT])
    runs = Invocation.objects.filter(session__in={*ids, session.pk}, pk__lt=run.pk, status=Invocation.Status.COMPLETED)
    known = ("requested_at", "invoked_at", "first_token_at", "completed_at", "waited_ms", "measurement__start_kind")
    return list(runs.select_related("measurement").only(*known).order_by("-pk")[:LOOKED_AT])


def _neighbour(run: Invocation) -> Neighbour:
    measurement = measurement_of(run)
    is_cold = COLD.get(measurement.start_kind) if measurement else None
    return Neighbour(run.pk, is_cold, run.time_to_first_token_ms, run.total_latency_ms)
