"""Every read of measurements and figures."""

from __future__ import annotations

from apps.metrics.models import Measurement
from apps.metrics.startup import WEAK_RANK, search_state, startup_latency_ms
from apps.sessions.models import Invocation


def measurement_of(invocation: Invocation) -> Measurement | None:
    """The measurement of a run, or None while it is running."""
    return getattr(invocation, "measurement", None)


def panel_state(invocation: Invocation, startup_ms: float | None) -> str:
    """The state of a run's panel: `running`, or that of the search for its start."""
    if invocation.is_unfinished:
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


def cold_start_of(invocation: Invocation) -> float | None:
    """The startup latency of a cold run in milliseconds; None where only the first line of its log is known, which
    says that something was alive, not that the agent began.
    """
    measurement = measurement_of(invocation)
    if measurement is None or not measurement.is_cold or measurement.marker_rank == WEAK_RANK:
        return None
    return startup_of(invocation)
