"""Every change of measurements: made when a run ends, filled by the sweep from CloudWatch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.agents.models import Agent
from apps.core.prepared import Select, slot
from apps.metrics.figures.store_periods import forget_figures
from apps.metrics.models import Measurement
from apps.metrics.starts.start_kind import EarlierRun, Kind, Verdict, decide
from apps.metrics.startup import ALL_TRIES, MISSING_SOUGHT_FOR, TRY_EVERY, is_certain, startup_latency_ms
from apps.sessions.models import Invocation

# The container or the service broke; its environment may be gone.
CRASHED = frozenset({424, 500, 502, 503, 504})
STARTING: tuple[Kind, ...] = ("created", "pooled")


def earlier_runs(invocation: Invocation) -> list[EarlierRun]:
    """Of the earlier runs of the session that reached an environment those that decide, oldest first.

    The last one, and before it the last that is known to have started its environment: a conversation may be long.
    """
    if invocation.number == 1:
        return []
    before = _last_before(session=invocation.session_id, number=invocation.number)
    if not before:
        return []
    [last] = before
    if last["measurement__start_kind"] in STARTING:
        return [_earlier_run(last)]
    starting = _last_start_before(session=invocation.session_id, number=last["number"])
    return [_earlier_run(row) for row in (*starting, last)]


def _reached_before() -> QuerySet[Invocation]:
    """The runs of a session before one that reached an environment, the last one first."""
    return (
        Invocation.objects.filter(
            session_id=slot(Invocation, "session_id", "session"), number__lt=slot(Invocation, "number"),
            is_unsent=False, invoked_at__isnull=False, completed_at__isnull=False,
        )
        .exclude(http_status__in=Invocation.REFUSED)
        .order_by("-number")
    )  # fmt: skip


_EARLIER = ("number", "invoked_at", "completed_at", "version", "status", "http_status", "measurement__start_kind")
_last_before = Select(lambda: _reached_before().values(*_EARLIER)[:1])
_last_start_before = Select(
    lambda: _reached_before().filter(measurement__start_kind__in=STARTING).values(*_EARLIER)[:1]
)


def _earlier_run(row: Mapping[str, Any]) -> EarlierRun:
    return EarlierRun(
        invoked_at=row["invoked_at"],
        completed_at=row["completed_at"],
        version=row["version"],
        has_crashed=row["http_status"] in CRASHED
        or (row["http_status"] is None and row["status"] == Invocation.Status.FAILED),
        kind=row["measurement__start_kind"] or "unknown",
    )


def decide_start_kind(invocation: Invocation, earlier: Sequence[EarlierRun]) -> Verdict:
    """The start kind as far as it is certain without logs, from the session's earlier runs."""
    session, runtime = invocation.session, invocation.session.agent.runtime
    if not invocation.has_reached_agent:
        return Verdict("unknown", "no agent was started: the request was refused")
    assert invocation.invoked_at is not None
    if invocation.http_status is None:
        return Verdict("unknown", "no answer came, so nothing shows that an environment was started")
    if invocation.http_status >= HTTPStatus.BAD_REQUEST:
        return Verdict("unknown", f"HTTP {invocation.http_status} does not show whether an environment was started")
    return decide(
        invoked_at=invocation.invoked_at,
        is_own_id=session.is_own_id,
        ended_at=session.ended_at,
        idle_timeout=timedelta(milliseconds=runtime.idle_timeout_ms),
        max_lifetime=timedelta(milliseconds=runtime.max_lifetime_ms),
        earlier=earlier,
    )


def create_measurement(*, invocation: Invocation) -> None:
    """Store the measurement of a finished run, where it has one. Idempotent: whoever makes it first."""
    measurement = new_measurement(invocation)
    if measurement is not None:
        Measurement.objects.bulk_create([measurement], ignore_conflicts=True)


def new_measurement(invocation: Invocation) -> Measurement | None:
    """The measurement of a finished run on AgentCore, to be stored; it waits for CloudWatch where an agent may have
    started.

    None for an agent of another kind: nothing starts for it.
    """
    session = invocation.session
    if session.agent.kind != Agent.Kind.AGENTCORE:
        return None
    is_searched = invocation.has_reached_agent
    earlier = earlier_runs(invocation) if is_searched else []
    verdict = decide_start_kind(invocation, earlier)
    live_version = invocation.version
    if verdict.kind == "reused":
        keep_version(invocation, earlier[-1].version)
    high_at = invocation.first_chunk_at or invocation.completed_at
    high_ms = None
    if invocation.invoked_at and high_at:
        high_ms = (high_at - invocation.invoked_at) / timedelta(milliseconds=1)
    return Measurement(
        invocation=invocation,
        state=Measurement.State.WAITING if is_searched else Measurement.State.NOT_FOUND,
        start_kind=verdict.kind,
        start_kind_reason=verdict.reason,
        log_group=session.agent.runtime.parsed_arn.log_group(session.qualifier),
        live_version=live_version,
        high_ms=high_ms,
        next_at=timezone.now() if is_searched else None,
        error_message="" if is_searched else "No agent was started, so there is no start to measure.",
    )


def keep_version(invocation: Invocation, version: str) -> None:
    """Let a run have the version that its environment was started with."""
    if version and version != invocation.version:
        Invocation.objects.filter(pk=invocation.pk).update(version=version)
        invocation.version = version


def look_again(*, invocation: Invocation) -> bool:
    """Let the next sweep look for the start of a run at once; return whether there is anything to look for.

    One more try for a run whose search is over, an earlier one for a run that is still looked for; none where the best
    line is known. Not sooner than `TRY_EVERY` after the last try, so that a button pressed often costs CloudWatch no
    more than the search itself.
    """
    measurement = Measurement.objects.filter(invocation=invocation).first()
    if measurement is None or not invocation.has_reached_agent or _is_certain(measurement, invocation):
        return False
    now = timezone.now()
    next_at = max(now, measurement.updated_at + TRY_EVERY) if measurement.tries else now
    row = Measurement.objects.filter(pk=measurement.pk)
    given_up = (Measurement.State.NOT_FOUND, Measurement.State.FAILED)
    with transaction.atomic():
        reopened = row.filter(state__in=given_up).update(
            state=Measurement.State.WAITING, tries=ALL_TRIES - 1, next_at=next_at
        )
        if reopened:
            forget_figures(invocation.requested_at)
        else:
            row.filter(state=Measurement.State.MEASURED, next_at=None).update(tries=ALL_TRIES - 1, next_at=next_at)
            row.filter(next_at__gt=next_at).update(next_at=next_at)
    return True


def _is_certain(measurement: Measurement, invocation: Invocation) -> bool:
    startup_ms = startup_latency_ms(
        invocation.invoked_at, measurement.agent_started_at, measurement.low_ms, measurement.high_ms
    )
    return measurement.state == Measurement.State.MEASURED and is_certain(measurement.marker_rank, startup_ms)


def create_missing_measurements(now: datetime) -> int:
    """Make the measurements that finished runs younger than ten minutes lack; return how many."""
    missing = Invocation.objects.filter(
        status__in=Invocation.FINISHED,
        completed_at__gt=now - MISSING_SOUGHT_FOR,
        measurement=None,
        session__agent__runtime__isnull=False,
    ).select_related("session__agent__runtime")
    for invocation in missing:
        create_measurement(invocation=invocation)
    return len(missing)
