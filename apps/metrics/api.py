"""Latency over JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status

from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import MissingError
from apps.metrics.selectors import latency_panel, measurement_of
from apps.sessions.models import Invocation
from apps.sessions.selectors import invocations_visible_to

router = Router(tags=["metrics"])

STATUS = {
    Invocation.Status.PENDING: "pending",
    Invocation.Status.STREAMING: "streaming",
    Invocation.Status.COMPLETED: "complete",
}
PENDING_STATES = frozenset({"running", "waiting"})


class LatencyOut(Schema):
    """A run's latency under the keys of the first version of the API, and what came after them. Milliseconds."""

    session_id: str
    qualifier: str
    invocation: int
    status: str
    reason: str
    client_invoke_time_iso: datetime | None
    agent_start_time_iso: datetime | None
    cold_start_latency_ms: float | None
    client_duration_ms: float | None
    log_events_found: int
    state: str
    is_cold: bool | None
    start_kind: str
    start_kind_reason: str
    startup_latency_ms: float | None
    time_to_first_token_ms: float | None
    low_ms: float | None
    high_ms: float | None
    source: str
    tries: int
    max_tries: int
    log_group: str
    error: str


def latency_out(invocation: Invocation) -> dict[str, Any]:
    """The one place that maps our words to those of the first version of the API."""
    measurement = measurement_of(invocation)
    panel = latency_panel(invocation)
    is_cold = measurement.is_cold if measurement else None
    status = STATUS.get(Invocation.Status(invocation.status), "error")
    return {
        "session_id": invocation.session.runtime_session_id,
        "qualifier": invocation.session.qualifier,
        "invocation": invocation.number,
        "status": status,
        "reason": invocation.status if status == "error" else "",
        "client_invoke_time_iso": invocation.invoked_at,
        "agent_start_time_iso": measurement.agent_started_at if measurement else None,
        "cold_start_latency_ms": panel.startup_ms if is_cold else None,
        "client_duration_ms": invocation.total_latency_ms,
        "log_events_found": measurement.log_event_count if measurement else 0,
        "state": panel.state,
        "is_cold": is_cold,
        "start_kind": panel.start_kind,
        "start_kind_reason": panel.start_kind_reason,
        "startup_latency_ms": panel.startup_ms,
        "time_to_first_token_ms": panel.ttft_ms,
        "low_ms": panel.low_ms,
        "high_ms": panel.high_ms,
        "source": panel.marker,
        "tries": panel.tries,
        "max_tries": panel.max_tries,
        "log_group": panel.log_group,
        "error": panel.error_message or _explain(panel.state),
    }


def _explain(state: str) -> str:
    if state == "not_found":
        return "No start line was found in the log group; the agent may not log one."
    if state == "clock_skew":
        return "The start line lies outside what is possible: the agent's clock and this one differ."
    return ""


@router.get(
    "/agents/{int:agent_id}/sessions/{session_id}/latency",
    response={200: LatencyOut, 202: LatencyOut},
    summary="Read the latency of a session's newest invocation",
)
def get_latency(request: HttpRequest, agent_id: int, session_id: str) -> Any:
    """200 with what is stored; 202 while the run goes on or CloudWatch has not told its start yet.

    It never polls AWS itself.
    """
    agent = get_object_or_404(agents_visible_to(request.user), pk=agent_id)
    invocations = invocations_visible_to(request.user).select_related("session__agent", "measurement")
    invocation = (
        invocations.filter(session__agent=agent, session__runtime_session_id=session_id).order_by("-number").first()
    )
    if invocation is None:
        raise MissingError("There is no such session of this agent, or it has no invocation yet.")
    body = latency_out(invocation)
    return Status(202 if body["state"] in PENDING_STATES else 200, body)
