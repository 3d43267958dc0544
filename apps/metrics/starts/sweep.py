"""The sweep: one FilterLogEvents per log group for all runs that wait for it.

Called every five seconds by the worker. It sleeps nowhere, keeps its state in rows, counts a try before it calls AWS,
and holds a lease on a log group while it reads it: a kill, a second worker or a task delivered twice costs a try,
never a wrong figure.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Min, QuerySet

from apps.agentcore.logs.reading import LOGS_ADVICE
from apps.agentcore.selectors import is_reachable
from apps.agents.selectors import in_use
from apps.aws.errors import AccessDeniedError, AwsError
from apps.aws.logs.markers import Start
from apps.aws.logs.reading import LogGroupNotFoundError, RuntimeLogs
from apps.aws.logs.streams import LogEvent, attribute, classify
from apps.core.notices.notices import notify
from apps.metrics.figures.store_periods import forget_figures
from apps.metrics.models import Measurement
from apps.metrics.starts.log_groups import (
    LEASE,
    NO_ACCOUNTS,
    GroupKey,
    Lease,
    LeaseLostError,
    LogsOf,
    read_between,
    read_since,
    take_lease,
)
from apps.metrics.starts.search import find_skewed_start, find_start_of_run, is_better
from apps.metrics.starts.services import keep_version
from apps.metrics.starts.start_kind import Verdict, refine
from apps.metrics.starts.turns import Turns, turns_of
from apps.metrics.startup import ALL_TRIES, MAX_TRIES, WEAK_RANK, is_certain, next_try_at, startup_latency_ms
from apps.sessions.models import Invocation

logger = logging.getLogger(__name__)

AGENT = "invocation__session__agent"
SKEW = timedelta(seconds=5)
# AWS refuses requests of a clock that is five minutes off, so none is farther from an agent's. Looked through once the
# usual time holds nothing, since a busy group writes much in it.
WIDEST_SKEW = timedelta(minutes=5, seconds=30)
DUE_AT_ONCE = 500
# At one call per group and five seconds this stays below CloudWatch's lowest quota, 5 calls a second.
GROUPS_AT_ONCE = 15
# Late tries share a reading only where their runs lie as near to each other as this.
LATE_SPAN = timedelta(minutes=1)
# One that is measured has a time to look again where a stronger line may still arrive.
SOUGHT = (Measurement.State.WAITING, Measurement.State.MEASURED)


def due_measurements(now: datetime) -> QuerySet[Measurement]:
    """The measurements of this mode to look for now: emulated logs are not looked for in AWS, nor AWS's here.

    Those of an account that is disabled wait until it no longer is.
    """
    return Measurement.objects.filter(
        in_use(f"{AGENT}__"),
        is_reachable(f"{AGENT}__runtime__"),
        state__in=SOUGHT,
        next_at__lte=now,
        invocation__session__agent__runtime__isnull=False,
    )


def due_groups(now: datetime) -> list[GroupKey]:
    """The log groups that something waits for, the longest waiting first, as many as one sweep may read."""
    groups = due_measurements(now).values_list(
        f"{AGENT}__runtime__account_id", f"{AGENT}__runtime__region", "log_group"
    )
    waiting = groups.annotate(waiting_since=Min("next_at")).order_by("waiting_since")[:GROUPS_AT_ONCE]
    return [(account_id, region, log_group) for account_id, region, log_group, _ in waiting]


def sweep(*, now: datetime, logs: RuntimeLogs, logs_of: LogsOf = NO_ACCOUNTS) -> int:
    """Look once for every due measurement; return how many were looked for.

    `logs` reads with Loom's own identity, `logs_of` says what reads for each account that a role leads to. One that
    refuses keeps nobody else waiting: its runs say why, and the next group is read.
    """
    started_s = time.monotonic()

    def clock() -> datetime:
        return now + timedelta(seconds=time.monotonic() - started_s)

    looked = 0
    for key in due_groups(now):
        lease = take_lease(key, clock)
        if lease is None:
            continue
        with lease:
            try:
                looked += _sweep_group(key, lease, logs_of.get(key[0], logs))
            except LeaseLostError:
                logger.warning("lease lost log_group=%s", lease.group.log_group)
    return looked


def _sweep_group(key: GroupKey, lease: Lease, logs: RuntimeLogs) -> int:
    """Look for what is due in a group; read only under the lease, since another sweep may just have looked for it."""
    account_id, region, log_group = key
    due = due_measurements(lease.clock()).filter(
        log_group=log_group,
        invocation__session__agent__runtime__account_id=account_id,
        invocation__session__agent__runtime__region=region,
    )
    rows = list(due.select_related("invocation__session__agent__runtime").order_by("next_at")[:DUE_AT_ONCE])
    for measurement in [row for row in rows if row.tries >= ALL_TRIES]:
        # Its last try never came back.
        measurement.next_at = None
        _conclude(measurement, lease.clock())
    late = [row for row in rows if _is_late(row) and row.tries < ALL_TRIES]
    recent = [row for row in rows if not _is_late(row)]
    late = [row for row in late if abs(_sent_at(row) - _sent_at(late[0])) <= LATE_SPAN]
    if recent:
        _look(recent, lease, logs, is_late=False)
    if late:
        _look(late, lease, logs, is_late=True)
    return len(recent) + len(late)


def _is_late(measurement: Measurement) -> bool:
    """Whether the next try looks in the run's own time only: those that come later, and the last one of the minute for
    a run of which nothing is known.
    """
    return measurement.tries >= MAX_TRIES or (measurement.tries == MAX_TRIES - 1 and _is_lost(measurement))


def _is_lost(measurement: Measurement) -> bool:
    """Whether no line is known that tells when the agent's code was entered."""
    return measurement.marker_rank in (None, WEAK_RANK)


def _look(measurements: list[Measurement], lease: Lease, logs: RuntimeLogs, *, is_late: bool) -> None:
    """One try for some measurements of a group.

    Late ones are looked for in their own time: reading on from there to now would take a busy group's every page.
    """
    _count_try(measurements, lease.clock())
    try:
        if is_late:
            by_session = _read_own_time(measurements, SKEW, lease, logs)
        else:
            start = min(map(_sent_at, measurements)) - SKEW
            by_session = attribute(read_since(lease, start, logs))
    except AwsError as error:
        _note_error(measurements, error, lease)
        return
    turns = turns_of(measurements)
    lost = []
    # In the order of the turns: what a run's log stream means depends on the runs before it.
    for measurement in sorted(measurements, key=lambda row: (row.invocation.session_id, row.invocation.number)):
        events = by_session.get(measurement.invocation.session.runtime_session_id, [])
        measurement.log_event_count = max(measurement.log_event_count, len(events))
        measurement.error_code = measurement.error_message = ""
        start_of_run = find_start_of_run(events, turns.window(measurement))
        if start_of_run is not None:
            _take(measurement, start_of_run, lease, logs)
        if is_late and _is_lost(measurement):
            lost.append(measurement)
        else:
            _conclude(measurement, lease.clock())
    if lost:
        _look_wider(lost, turns, lease, logs)


def _read_own_time(
    measurements: Sequence[Measurement], margin: timedelta, lease: Lease, logs: RuntimeLogs
) -> dict[str, list[LogEvent]]:
    start = min(map(_sent_at, measurements)) - margin
    end = max(map(_ended_at, measurements)) + margin
    return attribute(read_between(lease, start, end, logs))


def _look_wider(lost: list[Measurement], turns: Turns, lease: Lease, logs: RuntimeLogs) -> None:
    """Look for the lines of runs of which nothing was found where only another clock can have put them."""
    try:
        by_session = _read_own_time(lost, WIDEST_SKEW, lease, logs)
    except AwsError as error:
        _note_error(lost, error, lease)
        return
    for measurement in lost:
        session = measurement.invocation.session
        events = by_session.get(session.runtime_session_id, [])
        measurement.log_event_count = max(measurement.log_event_count, len(events))
        # Another's runs in a session from outside may have written what is found there.
        windows, position = turns.near(measurement, WIDEST_SKEW)
        skewed = find_skewed_start(events, windows, position) if session.is_own_id else None
        if skewed is not None:
            _take(measurement, skewed, lease, logs)
        _conclude(measurement, lease.clock())


def _note_error(measurements: Sequence[Measurement], error: AwsError, lease: Lease) -> None:
    """Store what AWS answered. Said in the log once, not with every try."""
    if any(measurement.error_code != error.code[:100] for measurement in measurements):
        level = logging.INFO if isinstance(error, LogGroupNotFoundError) else logging.WARNING
        logger.log(
            level, "logs not read log_group=%s code=%s http_status=%s request_id=%s",
            lease.group.log_group, error.code, error.http_status, error.request_id,
        )  # fmt: skip
    for measurement in measurements:
        measurement.error_code = error.code[:100]
        advice = LOGS_ADVICE if isinstance(error, AccessDeniedError) else error.advice
        measurement.error_message = f"{error.message.rstrip('.')}. {advice}"
        _conclude(measurement, lease.clock())


def _count_try(measurements: Sequence[Measurement], now: datetime) -> None:
    """Count before the call: a task that kills its worker must not come back for ever."""
    with transaction.atomic():
        for measurement in measurements:
            measurement.tries += 1
            measurement.next_at = next_try_at(measurement.tries, now)
            Measurement.objects.filter(pk=measurement.pk).update(
                tries=measurement.tries, next_at=measurement.next_at or now + LEASE
            )


def _take(measurement: Measurement, start: Start, lease: Lease, logs: RuntimeLogs) -> None:
    """Put a start that was found into the row, unless what is known already tells more."""
    known_ms = _startup_ms(measurement, measurement.agent_started_at)
    if not is_better(start.rank, _startup_ms(measurement, start.started_at), measurement.marker_rank, known_ms):
        return
    verdict, version = _refined(measurement, start, lease, logs)
    measurement.agent_started_at = start.started_at
    measurement.marker_rank, measurement.marker, measurement.log_stream = start.rank, start.marker, start.stream
    measurement.start_kind, measurement.start_kind_reason = verdict.kind, verdict.reason
    keep_version(measurement.invocation, version)


def _conclude(measurement: Measurement, now: datetime) -> None:
    """Decide from what is known after a try where the search stands, and store it.

    A start line within what causality allows ends it. Anything weaker is provisional until the twelfth try, measured
    from then on, and looked for at the late tries all the same.
    """
    is_found = is_certain(measurement.marker_rank, _startup_ms(measurement, measurement.agent_started_at))
    if is_found or (measurement.marker_rank is not None and measurement.tries >= MAX_TRIES):
        measurement.state = Measurement.State.MEASURED
        measurement.error_code = measurement.error_message = ""
        if is_found:
            measurement.next_at = None
    elif measurement.next_at is None:
        measurement.state = Measurement.State.FAILED if measurement.error_code else Measurement.State.NOT_FOUND
    names = (
        "state", "next_at", "agent_started_at", "marker_rank", "marker", "log_stream", "log_event_count",
        "start_kind", "start_kind_reason", "error_code", "error_message",
    )  # fmt: skip
    with transaction.atomic():
        # Not over a result that another worker stored in the meantime.
        rows = Measurement.objects.filter(pk=measurement.pk, state__in=SOUGHT, next_at__isnull=False)
        if rows.update(**{name: getattr(measurement, name) for name in names}, updated_at=now):
            forget_figures(measurement.invocation.requested_at)
            notify(measurement.invocation.session.topic, "measurement")


def _startup_ms(measurement: Measurement, started_at: datetime | None) -> float | None:
    return startup_latency_ms(measurement.invocation.invoked_at, started_at, measurement.low_ms, measurement.high_ms)


def _sent_at(measurement: Measurement) -> datetime:
    assert measurement.invocation.invoked_at is not None, "only runs that were sent are looked for"
    return measurement.invocation.invoked_at


def _ended_at(measurement: Measurement) -> datetime:
    assert measurement.invocation.completed_at is not None, "only runs that are over are looked for"
    return measurement.invocation.completed_at


def _refined(measurement: Measurement, start: Start, lease: Lease, logs: RuntimeLogs) -> tuple[Verdict, str]:
    """The start kind in the light of the log stream, and the version of its environment.

    A stream without an environment of its own tells nothing.
    """
    invocation = measurement.invocation
    verdict = Verdict(measurement.start_kind, measurement.start_kind_reason)  # type: ignore[arg-type]
    if classify(start.stream).environment_id is None:
        return verdict, invocation.version
    earlier = _earlier_environments(invocation)
    version_of = {stream: version for stream, version in earlier if stream is not None}
    began_at = None if start.stream in version_of else _stream_began_at(start.stream, lease, logs)
    refined = refine(
        verdict,
        invoked_at=_sent_at(measurement),
        stream=start.stream,
        stream_began_at=began_at,
        earlier_streams=[stream for stream, _ in earlier],
    )
    if refined.kind == "reused":
        return refined, version_of.get(start.stream, invocation.version)
    # A new environment has the version that the endpoint led to, whatever was taken for granted before.
    return refined, measurement.live_version or invocation.version


def _earlier_environments(invocation: Invocation) -> list[tuple[str | None, str]]:
    """Log stream and version of the session's earlier runs that may have reached an environment; no stream where it is
    not known.
    """
    earlier = Invocation.objects.filter(session_id=invocation.session_id, number__lt=invocation.number)
    found = [
        (run.measurement.log_stream if hasattr(run, "measurement") else "", run.version)
        for run in earlier.select_related("measurement").defer("prompt", "payload", "response_text").order_by("number")
        if run.has_reached_agent
    ]
    return [(stream if stream and classify(stream).environment_id else None, version) for stream, version in found]


def _stream_began_at(stream: str, lease: Lease, logs: RuntimeLogs) -> datetime | None:
    lease.extend()
    try:
        found = logs.streams(region=lease.group.region, log_group=lease.group.log_group, prefix=stream, limit=1)
    except AwsError as error:
        logger.info("log stream not described code=%s", error.code)
        return None
    return min((row.created_at for row in found if row.name == stream), default=None)
