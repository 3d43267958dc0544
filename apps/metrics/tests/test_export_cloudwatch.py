"""Metrics in CloudWatch: sent by boto3 to the emulator over HTTP, and read there again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.agentcore.aws.connection import current_connection
from apps.aws.clients import client as aws_client
from apps.aws.tests.emulator_process import Emulator
from apps.core.models import Process
from apps.core.running.telemetry import SECONDS
from apps.metrics.exporting import cloudwatch
from apps.metrics.models import Measurement, MetricExport
from apps.metrics.starts.tasks import is_queued
from apps.metrics.tests.runs import make_run
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db


@pytest.fixture
def namespace(emulator: Emulator, settings: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    settings.CLOUDWATCH_METRICS = f"Loom/{request.node.name[:60].replace('[', '-').rstrip(']')}"
    yield settings.CLOUDWATCH_METRICS


NOW = timezone.now()  # one for the whole of a test, which may begin in one minute and end in the next


def minute(minutes_ago: int = 0) -> datetime:
    return NOW.replace(second=0, microsecond=0) - timedelta(minutes=minutes_ago)


def read(namespace: str, metric: str, statistic: str = "Sum", agent: str = "") -> list[float]:
    """The value of each minute of the last day."""
    dimensions = [{"Name": "Agent", "Value": agent}] if agent else []
    stat = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    reader: Any = aws_client(current_connection(), "cloudwatch", current_connection().region)
    found = reader.get_metric_data(
        MetricDataQueries=[{"Id": "q", "MetricStat": {"Metric": stat, "Period": 60, "Stat": statistic}}],
        StartTime=datetime.now(UTC) - timedelta(hours=20), EndTime=datetime.now(UTC) + timedelta(minutes=1),
        ScanBy="TimestampAscending",
    )  # fmt: skip
    return list(found["MetricDataResults"][0]["Values"])


def run_at(session: Session, ended_at: datetime, ms: int = 1_500, **overrides: Any) -> Invocation:
    fields = {"completed_at": ended_at, "invoked_at": ended_at - timedelta(milliseconds=ms), "chunk_count": 12}
    return make_run(session, **{**fields, **overrides})


def test_each_minute_that_is_over_is_sent_once(namespace: str, session: Session) -> None:
    now = minute() + timedelta(seconds=30)
    MetricExport.objects.create(sent_until=minute(3))
    run_at(session, minute(2) + timedelta(seconds=5), 1_000)
    run_at(session, minute(2) + timedelta(seconds=50), 3_000, status="failed")
    run_at(session, minute(1) + timedelta(seconds=1), 500)
    run_at(session, minute() + timedelta(seconds=1))  # its minute is not over
    run_at(session, minute(1), source="prompt_set")

    assert cloudwatch.export(now) > 0
    assert cloudwatch.export(now) == 0

    name = session.agent.name
    assert read(namespace, "AgentInvocationCount") == [2, 1]
    assert read(namespace, "AgentInvocationCount", agent=name) == [2, 1]
    assert read(namespace, "AgentInvocationErrors") == [1, 0]
    assert read(namespace, "AgentInvocationDuration", "Maximum", name) == [3_000, 500]
    assert read(namespace, "StreamingChunkCount") == [24, 12]


def test_what_aws_refuses_is_sent_with_the_next_minute(namespace: str, session: Session, emulator: Emulator) -> None:
    MetricExport.objects.create(sent_until=minute(3))
    run_at(session, minute(2))
    emulator.order(kind="error", operation="PutMetricData", code="AccessDeniedException", count=10)

    assert cloudwatch.export(minute() + timedelta(seconds=20)) == 0
    assert read(namespace, "AgentInvocationCount") == []
    emulator.clear()
    assert cloudwatch.export(minute() + timedelta(seconds=40)) > 0
    assert read(namespace, "AgentInvocationCount") == [1]


def test_continuity_is_of_those_of_which_it_is_known(namespace: str, session: Session) -> None:
    MetricExport.objects.create(sent_until=minute(2))
    kinds = Measurement.StartKind
    for kind in (kinds.CREATED, kinds.REUSED, kinds.REUSED, kinds.REUSED, kinds.CREATED, kinds.UNKNOWN):
        run = run_at(session, minute(12) + timedelta(seconds=5))  # ten minutes later it is known
        Measurement.objects.create(invocation=run, start_kind=kind, log_group="g")

    cloudwatch.export(minute() + timedelta(seconds=30))

    assert read(namespace, "SessionContinuityRate", "Average") == [75]  # the first of the session begins it
    assert read(namespace, "SessionContinuityRate", "SampleCount") == [4]


def test_sockets_are_those_since_the_last_time(namespace: str) -> None:
    now, counts = timezone.now(), [0] * (len(SECONDS) + 1)
    process = Process.objects.create(
        kind="web", host="h", pid=1, started_at=now, beat_at=now,
        telemetry={"loom_socket_connection_seconds": [[[], [2, 1, *counts[2:]], 0.02]]},
    )  # fmt: skip
    MetricExport.objects.create(sent_until=minute(2), socket_counts={str(process.pk): [1, 0, *counts[2:]]})

    cloudwatch.export(minute() + timedelta(seconds=30))

    assert read(namespace, "WebSocketConnectionTime", "Maximum") == [10]
    assert read(namespace, "WebSocketConnectionTime", "SampleCount") == [2]


def test_a_day_is_the_farthest_that_is_made_up_for(namespace: str, session: Session) -> None:
    MetricExport.objects.create(sent_until=minute(60 * 24 * 9))
    run_at(session, minute(60 * 24 * 2))
    run_at(session, minute(60))

    cloudwatch.export(minute() + timedelta(seconds=30))

    assert read(namespace, "AgentInvocationCount") == [1]


def test_nothing_is_sent_unless_somebody_wants_it(session: Session, settings: Any) -> None:
    settings.CLOUDWATCH_METRICS = ""
    cloudwatch.enqueue_due_export()

    assert not MetricExport.objects.exists()
    assert not is_queued(cloudwatch.TASK_NAME, timezone.now())
