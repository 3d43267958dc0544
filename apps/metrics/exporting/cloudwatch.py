"""Loom's own metrics in CloudWatch, for who watches everything there: `CLOUDWATCH_METRICS` names the namespace.

Once a minute a task of the worker sends what ended in the minutes before. The end of what was sent is written down
before it is sent: a kill in between leaves a gap of a minute, and nothing is ever counted twice. What AWS refuses is
tried again with the next minute.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django_q.tasks import async_task

from apps.agentcore.aws.connection import current_connection
from apps.aws.errors import AwsError
from apps.aws.put_metrics import Datum, Unit, counted, put_metrics
from apps.core.models import Process
from apps.core.running.processes import SILENT_AFTER
from apps.core.running.telemetry import SECONDS
from apps.metrics.models import Measurement, MetricExport
from apps.metrics.starts.tasks import is_queued
from apps.sessions.models import Invocation

logger = logging.getLogger(__name__)

TASK_NAME = "send metrics"
MINUTE = timedelta(minutes=1)
# The end of a run is written some seconds after it, where a database was away.
SETTLED_AFTER = timedelta(seconds=15)
# Whether an environment was reused is known once its lines were read.
CONTINUITY_AFTER = timedelta(minutes=10)
FARTHEST_BACK = timedelta(hours=24)
# What somebody asked for to measure or to compare says nothing of how the agents are used.
UNCOUNTED = (
    Invocation.Source.DEMO,
    Invocation.Source.MEASURE,
    Invocation.Source.PROMPT_SET,
    Invocation.Source.SIDE_BY_SIDE,
    Invocation.Source.BENCH,
)
AGENT = "Agent"
Values = dict[tuple[datetime, str], list[float]]


def enqueue_due_export() -> None:
    """The ticker's part: hand the minutes that are over to the cluster, where somebody wants them."""
    now = timezone.now()
    if settings.CLOUDWATCH_METRICS and _is_due(now) and not is_queued(TASK_NAME, now):
        async_task(export, q_options={"task_name": TASK_NAME, "save": False, "ack_failure": True})


def export(now: datetime | None = None) -> int:
    """Send the minutes that are over and were not sent yet; return how many values that were. Never raises AwsError."""
    end = _minute((now or timezone.now()) - SETTLED_AFTER)
    row, _ = MetricExport.objects.get_or_create(pk=1, defaults={"sent_until": end - MINUTE})
    begin, sockets = max(row.sent_until, end - FARTHEST_BACK), _socket_counts()
    mine = MetricExport.objects.filter(pk=1, sent_until=row.sent_until)
    if begin >= end or not mine.update(sent_until=end, socket_counts=sockets):
        return 0  # another worker has just sent it
    data = [*_of_runs(begin, end), *_of_continuity(begin, end), *_of_sockets(end - MINUTE, row.socket_counts, sockets)]
    try:
        put_metrics(current_connection(), settings.CLOUDWATCH_METRICS, data)
    except AwsError as error:
        logger.warning("metrics not sent code=%s request_id=%s", error.code, error.request_id)
        MetricExport.objects.filter(pk=1, sent_until=end).update(sent_until=begin, socket_counts=row.socket_counts)
        return 0
    return sum(sum(datum.values.values()) for datum in data)


def _is_due(now: datetime) -> bool:
    row = MetricExport.objects.filter(pk=1).first()
    return row is None or row.sent_until < _minute(now - SETTLED_AFTER)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _of_runs(begin: datetime, end: datetime) -> Iterator[Datum]:
    counts: Values = defaultdict(list)
    errors: Values = defaultdict(list)
    durations: Values = defaultdict(list)
    chunks: Values = defaultdict(list)
    ended = (
        Invocation.objects.filter(status__in=Invocation.FINISHED, completed_at__gte=begin, completed_at__lt=end)
        .exclude(source__in=UNCOUNTED)
        .order_by()
        .values_list("session__agent__name", "status", "invoked_at", "completed_at", "chunk_count")
    )
    for name, status, invoked_at, completed_at, chunk_count in ended.iterator():
        assert completed_at is not None, "it is over"
        for agent in ("", name):
            key = _minute(completed_at), agent
            counts[key].append(1.0)
            errors[key].append(float(status == Invocation.Status.FAILED))
            if invoked_at is not None:
                durations[key].append(round((completed_at - invoked_at) / timedelta(milliseconds=1)))
                chunks[key].append(float(chunk_count))
    yield from _data("AgentInvocationCount", "Count", counts)
    yield from _data("AgentInvocationErrors", "Count", errors)
    yield from _data("AgentInvocationDuration", "Milliseconds", durations)
    yield from _data("StreamingChunkCount", "Count", chunks)


def _of_continuity(begin: datetime, end: datetime) -> Iterable[Datum]:
    """Of the runs that went on with a session: 100 where its environment was still there, 0 where it was a new one.

    Those of which that is not known enter neither. The minutes are `CONTINUITY_AFTER` before the others.
    """
    found: Values = defaultdict(list)
    begin, end = begin - CONTINUITY_AFTER, end - CONTINUITY_AFTER
    kinds = Measurement.StartKind
    went_on = (
        Measurement.objects.filter(
            invocation__status__in=Invocation.FINISHED,
            invocation__completed_at__gte=begin,
            invocation__completed_at__lt=end,
            invocation__number__gt=1,
        )
        .exclude(start_kind=kinds.UNKNOWN)
        .exclude(invocation__source__in=UNCOUNTED)
        .order_by()
        .values_list("invocation__session__agent__name", "invocation__completed_at", "start_kind")
    )
    for name, completed_at, kind in went_on.iterator():
        assert completed_at is not None, "it is over"
        for agent in ("", name):
            found[_minute(completed_at), agent].append(100.0 if kind == kinds.REUSED else 0.0)
    return _data("SessionContinuityRate", "Percent", found)


def _of_sockets(at: datetime, before: dict[str, list[int]], now: dict[str, list[int]]) -> Iterator[Datum]:
    """How long pages waited for their socket, each as the upper bound of its bucket."""
    bounds = [*(1000 * bound for bound in SECONDS), 1000 * SECONDS[-1]]
    opened: dict[float, int] = defaultdict(int)
    for process, counts in now.items():
        earlier = before.get(process) or [0] * len(counts)
        for bound, count, known in zip(bounds, counts, earlier, strict=True):
            if count > known:
                opened[bound] += count - known
    if opened:
        yield Datum("WebSocketConnectionTime", "Milliseconds", at, dict(opened))


def _socket_counts() -> dict[str, list[int]]:
    living = Process.objects.filter(ended_at=None, beat_at__gte=timezone.now() - SILENT_AFTER)
    return {
        str(process.pk): samples[0][1]
        for process in living
        if (samples := (process.telemetry or {}).get("loom_socket_connection_seconds"))
    }


def _data(metric: str, unit: Unit, found: Values) -> Iterable[Datum]:
    for (at, agent), values in sorted(found.items()):
        yield Datum(metric, unit, at, counted(values), ((AGENT, agent),) if agent else ())
