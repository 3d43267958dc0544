"""The sweep: one FilterLogEvents per log group for all runs that wait for it.

Called every five seconds by the worker. It sleeps nowhere, keeps its state in rows, counts a try before it calls AWS,
and holds a lease on a log group while it reads it: a kill, a second worker or a task delivered twice costs a try,
never a wrong figure.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from apps.aws.errors import AccessDeniedError, AwsError, CredentialsError
from apps.aws.log_streams import LogEvent, attribute, classify
from apps.aws.logs import RuntimeLogs
from apps.aws.markers import Start
from apps.core.notices import notify
from apps.metrics.measuring import Window, find_start_of_run
from apps.metrics.models import LogGroupSweep, Measurement
from apps.metrics.services import MAX_TRIES, next_try_at
from apps.metrics.start_kind import Verdict, refine
from apps.sessions.models import Invocation

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
SKEW = timedelta(seconds=5)
MAX_PAGES = 5
DUE_AT_ONCE = 500
GROUPS_AT_ONCE = (
    15  # at one call per group and five seconds this stays below CloudWatch's lowest quota, 5 calls a second
)

GroupKey = tuple[str, str, str]


def due_measurements(now: datetime) -> dict[GroupKey, list[Measurement]]:
    """The measurements to look for now, by (account, region, log group), the longest waiting first."""
    rows = (
        Measurement.objects.filter(state=Measurement.State.WAITING, next_at__lte=now)
        .select_related("invocation__session__agent")
        .order_by("next_at")[:DUE_AT_ONCE]
    )
    groups: dict[GroupKey, list[Measurement]] = defaultdict(list)
    for row in rows:
        agent = row.invocation.session.agent
        groups[agent.account_id, agent.region, row.log_group].append(row)
    return dict(list(groups.items())[:GROUPS_AT_ONCE])


def sweep(*, now: datetime, logs: RuntimeLogs) -> int:
    """Look once for every due measurement; return how many were looked for."""
    looked = 0
    for key, measurements in due_measurements(now).items():
        lease = _take_lease(key, now)
        if lease is None:
            continue
        try:
            _sweep_group(lease, measurements, now, logs)
        finally:
            LogGroupSweep.objects.filter(pk=lease.pk).update(lease_until=None)
        looked += len(measurements)
    return looked


def _take_lease(key: GroupKey, now: datetime) -> LogGroupSweep | None:
    account_id, region, log_group = key
    row, _ = LogGroupSweep.objects.get_or_create(account_id=account_id, region=region, log_group=log_group)
    free = LogGroupSweep.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now), pk=row.pk)
    return row if free.update(lease_until=now + LEASE) else None


def _sweep_group(lease: LogGroupSweep, measurements: list[Measurement], now: datetime, logs: RuntimeLogs) -> None:
    for measurement in measurements:
        # Counted before the call: a task that kills its worker must not come back for ever.
        measurement.tries += 1
        measurement.next_at = next_try_at(measurement.tries, now)
        Measurement.objects.filter(pk=measurement.pk).update(
            tries=F("tries") + 1, next_at=measurement.next_at or now + LEASE
        )
    try:
        by_session = attribute(list(_read(lease, measurements, logs)))
    except AwsError as error:
        logger.warning(
            "logs not read code=%s http_status=%s request_id=%s", error.code, error.http_status, error.request_id
        )
        for measurement in measurements:
            _record_failure(measurement, error)
        return
    for measurement in measurements:
        events = by_session.get(measurement.invocation.session.runtime_session_id, [])
        _record(measurement, events, logs)


def _read(lease: LogGroupSweep, measurements: list[Measurement], logs: RuntimeLogs) -> Iterator[LogEvent]:
    """The events of the group from before the oldest due run, at most five pages.

    A longer reading goes on at the next tick.
    """
    wanted = min(m.invocation.invoked_at for m in measurements if m.invocation.invoked_at) - SKEW
    is_continued = bool(lease.next_token and lease.started_from_at and lease.started_from_at <= wanted)
    start = lease.started_from_at if is_continued and lease.started_from_at else wanted
    token = lease.next_token if is_continued else None
    for _ in range(MAX_PAGES):
        page = logs.filter_page(region=lease.region, log_group=lease.log_group, start=start, next_token=token)
        yield from page.events
        token = page.next_token
        if token is None:
            break
    LogGroupSweep.objects.filter(pk=lease.pk).update(next_token=token or "", started_from_at=start if token else None)


def _record(measurement: Measurement, events: list[LogEvent], logs: RuntimeLogs) -> None:
    invocation = measurement.invocation
    start = find_start_of_run(events, _window(invocation))
    measurement.log_event_count = max(measurement.log_event_count, len(events))
    measurement.error_code = measurement.error_message = ""
    if start is not None and (measurement.marker_rank is None or start.rank < measurement.marker_rank):
        verdict = _refined(measurement, start, logs)
        measurement.agent_started_at = start.started_at
        measurement.marker_rank, measurement.marker, measurement.log_stream = start.rank, start.marker, start.stream
        measurement.start_kind, measurement.start_kind_reason = verdict.kind, verdict.reason
    is_certain = measurement.marker_rank == 1
    if is_certain or (measurement.marker_rank is not None and measurement.tries >= MAX_TRIES):
        measurement.state, measurement.next_at = Measurement.State.MEASURED, None
    elif measurement.next_at is None:
        measurement.state = Measurement.State.NOT_FOUND
    _save(measurement)


def _record_failure(measurement: Measurement, error: AwsError) -> None:
    measurement.error_code = error.code
    measurement.error_message = f"{error.message} {error.advice}".strip()
    is_final = isinstance(error, AccessDeniedError | CredentialsError) and measurement.tries >= MAX_TRIES
    if is_final or measurement.next_at is None:
        is_group_missing = error.http_status in {400, 404} and not isinstance(
            error, AccessDeniedError | CredentialsError
        )
        measurement.state = Measurement.State.NOT_FOUND if is_group_missing else Measurement.State.FAILED
        measurement.next_at = None
    _save(measurement)


def _save(measurement: Measurement) -> None:
    with transaction.atomic():
        # Not over a result that another worker stored in the meantime.
        rows = Measurement.objects.filter(pk=measurement.pk, state=Measurement.State.WAITING)
        names = (
            "state", "next_at", "agent_started_at", "marker_rank", "marker", "log_stream", "log_event_count",
            "start_kind", "start_kind_reason", "error_code", "error_message",
        )  # fmt: skip
        if rows.update(**{name: getattr(measurement, name) for name in names}):
            notify(measurement.invocation.session.topic, "measurement")


def _window(invocation: Invocation) -> Window:
    neighbours = Invocation.objects.filter(session_id=invocation.session_id).exclude(invoked_at=None)
    previous = neighbours.filter(number__lt=invocation.number).order_by("-number").first()
    following = neighbours.filter(number__gt=invocation.number).order_by("number").first()
    assert invocation.invoked_at is not None and invocation.completed_at is not None
    return Window(
        invoked_at=invocation.invoked_at,
        first_byte_at=invocation.first_chunk_at,
        completed_at=invocation.completed_at,
        previous_completed_at=previous.completed_at if previous else None,
        next_invoked_at=following.invoked_at if following else None,
    )


def _refined(measurement: Measurement, start: Start, logs: RuntimeLogs) -> Verdict:
    """The start kind in the light of the log stream; a stream without an environment of its own tells nothing."""
    invocation = measurement.invocation
    verdict = Verdict(measurement.start_kind, measurement.start_kind_reason)  # type: ignore[arg-type]
    if classify(start.stream).environment_id is None or invocation.invoked_at is None:
        return verdict
    earlier = Measurement.objects.filter(
        invocation__session_id=invocation.session_id, invocation__number__lt=invocation.number
    ).exclude(log_stream="")
    streams = list(earlier.values_list("log_stream", flat=True))
    began_at = None
    if start.stream not in streams:
        began_at = _stream_began_at(invocation, measurement.log_group, start.stream, logs)
    return refine(
        verdict,
        invoked_at=invocation.invoked_at,
        stream=start.stream,
        stream_began_at=began_at,
        earlier_streams=streams,
    )


def _stream_began_at(invocation: Invocation, log_group: str, stream: str, logs: RuntimeLogs) -> datetime | None:
    try:
        found = logs.streams(region=invocation.session.agent.region, log_group=log_group, prefix=stream, limit=1)
    except AwsError as error:
        logger.info("log stream not described code=%s", error.code)
        return None
    return min((row.created_at for row in found if row.name == stream), default=None)
