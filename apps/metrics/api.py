"""Latency over JSON."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router, Schema, Status
from ninja.params import functions

from apps.accounts.access import may_read_async
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import MissingError, found
from apps.core.notices.waiting import listening_to
from apps.core.requests.request_slot import end_turn
from apps.metrics.selectors import cold_start_of, measurement_of
from apps.metrics.starts.panel import latency_panel
from apps.sessions.models import Invocation
from apps.sessions.outcomes import api_status
from apps.sessions.selectors import invocations_visible_to, sessions_visible_to

router = Router(tags=["metrics"])

# As the first version of the API did: the search for a start gives up its first round about then.
WAIT_S = 60.0
# Notices may be lost.
LOOK_AGAIN_S = 5.0
PENDING_STATES = frozenset({"running", "waiting"})


class LatencyOut(Schema):
    """A run's latency under the keys of the first version of the API, and what came after them. Milliseconds.

    `marker_rank` tells how much `source` can be trusted: 1 is the strongest line, 4 merely the first one. `state` is
    `provisional` while a stronger one may still arrive. `log_stream` is where it was found. `low_ms` and `high_ms`
    bound the startup latency by causality, more narrowly once five runs of its environment are known.
    """

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
    marker_rank: int | None
    log_stream: str
    tries: int
    max_tries: int
    log_group: str
    error: str
    error_code: str


def latency_out(invocation: Invocation) -> dict[str, Any]:
    """The one place that maps our words to those of the first version of the API."""
    measurement = measurement_of(invocation)
    panel = latency_panel(invocation)
    is_cold = measurement.is_cold if measurement else None
    status, reason = api_status(invocation)
    return {
        "session_id": invocation.session.runtime_session_id,
        "qualifier": invocation.session.qualifier,
        "invocation": invocation.number,
        "status": status,
        "reason": reason,
        "client_invoke_time_iso": invocation.invoked_at,
        "agent_start_time_iso": measurement.agent_started_at if measurement else None,
        "cold_start_latency_ms": cold_start_of(invocation),
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
        "marker_rank": panel.marker_rank,
        "log_stream": panel.log_stream,
        "tries": panel.tries,
        "max_tries": panel.max_tries,
        "log_group": panel.log_group,
        "error": panel.error_message or _explain(panel.state),
        "error_code": measurement.error_code if measurement else "",
    }


def _explain(state: str) -> str:
    if state == "not_found":
        return "No start line was found in the log group; the agent may not log one."
    if state == "clock_skew":
        return "The start line lies outside what is possible: the agent's clock and this one differ."
    return ""


def _find(user: Any, agent_id: int, session_id: str, number: int | None) -> Invocation:
    agent = found(agents_visible_to(user).filter(pk=agent_id).first(), "agent", agent_id)
    invocations = invocations_visible_to(user).select_related("session__agent", "measurement")
    invocations = invocations.filter(session__agent=agent, session__runtime_session_id=session_id)
    wanted = invocations if number is None else invocations.filter(number=number)
    invocation = wanted.order_by("-number").first()
    if invocation is None:
        sessions = sessions_visible_to(user).filter(agent=agent, runtime_session_id=session_id)
        found(sessions.first(), "session", session_id, within=f"of agent {agent_id}")
        raise MissingError.of("invocation", "yet" if number is None else number, within=f"in session {session_id}")
    return invocation


@router.get(
    "/agents/{int:agent_id}/sessions/{session_id}/latency",
    auth=may_read_async,
    response={200: LatencyOut, 202: LatencyOut},
    summary="Read the latency of a session's newest invocation",
)
async def get_latency(
    request: HttpRequest,
    agent_id: int,
    session_id: str,
    invocation: int | None = functions.Query(None, ge=1, description="Another one than the newest."),
    wait: bool = functions.Query(
        False, description="Wait up to 60 s for what is not known yet; ask again after a 202."
    ),
) -> Any:
    """200 with what is stored; 202 while the run goes on or CloudWatch has not told its start yet.

    It never polls AWS itself.
    """
    user = request.auth  # type: ignore[attr-defined]

    def read() -> tuple[str, dict[str, Any]]:
        found = _find(user, agent_id, session_id, invocation)
        return found.session.topic, latency_out(found)

    topic, body = await sync_to_async(read)()
    if wait and body["state"] in PENDING_STATES:
        deadline = time.monotonic() + WAIT_S
        async with listening_to(topic) as hear:
            # Once more under the ear: what was told in between would not be told again.
            _, body = await sync_to_async(read)()
            while body["state"] in PENDING_STATES and (left_s := deadline - time.monotonic()) > 0:
                await end_turn()
                await hear(min(left_s, LOOK_AGAIN_S))
                _, body = await sync_to_async(read)()
    return Status(202 if body["state"] in PENDING_STATES else 200, body)
