from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from apps.metrics.models import LogGroupSweep, Measurement
from apps.metrics.starts.log_groups import take_lease
from apps.metrics.starts.sweep import sweep
from apps.metrics.tests.cloudwatch import CloudWatch, start_line, stream_of, to_ms
from apps.metrics.tests.conftest import LogsOf
from apps.metrics.tests.runs import NOON, at, make_due, make_run
from apps.sessions.models import Session

MakeSession = Callable[..., Session]
PATIENCE_S = 30


class Held:
    """Holds the first answer back until it is let go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, operation: str, parameters: dict[str, Any]) -> None:
        if not self.reached.is_set():
            self.reached.set()
            assert self.let_go.wait(PATIENCE_S)


class Sweeping(threading.Thread):
    """A sweep in a thread with a connection of its own, as another worker would do it."""

    def __init__(self, logs: Any) -> None:
        super().__init__()
        self.logs = logs
        self.looked: int | None = None

    def run(self) -> None:
        try:
            self.looked = sweep(now=NOON, logs=self.logs)
        finally:
            connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_read_a_group_once(make_session: MakeSession, logs_of: LogsOf) -> None:
    """Also where the slower one still believes that a group is due which the other has just read."""
    held = Held()
    cloudwatch = CloudWatch(before=held)
    first, second = make_session(), make_session()
    measurements = [make_due(make_run(first)), make_due(make_run(second), next_at=at(-0.001))]
    logs = logs_of(cloudwatch)
    other = Sweeping(logs)
    other.start()
    assert held.reached.wait(PATIENCE_S)

    # The other one is reading the second agent's group.
    assert sweep(now=NOON, logs=logs) == 1
    held.let_go.set()
    other.join(PATIENCE_S)

    assert other.looked == 1
    assert [asked["logGroupName"] for asked in cloudwatch.filters()] == [
        second.agent.runtime.log_group,
        first.agent.runtime.log_group,
    ]
    assert [Measurement.objects.get(pk=row.pk).tries for row in measurements] == [1, 1]


@pytest.mark.django_db
def test_the_lease_of_a_reader_that_died_runs_out(make_session: MakeSession, logs_of: LogsOf) -> None:
    cloudwatch = CloudWatch()
    agent = make_session().agent
    measurement = make_due(make_run(make_session(agent=agent)))
    key = (agent.runtime.account_id, agent.runtime.region, agent.runtime.log_group)
    assert take_lease(key, lambda: NOON) is not None
    logs = logs_of(cloudwatch)

    assert sweep(now=at(29.5), logs=logs) == 0
    assert take_lease(key, lambda: at(29.999)) is None
    assert sweep(now=at(30), logs=logs) == 1
    measurement.refresh_from_db()
    assert (measurement.tries, len(cloudwatch.asked)) == (1, 1)
    assert LogGroupSweep.objects.get().lease_until is None


@pytest.mark.django_db
def test_a_lease_is_given_back_by_its_holder_only() -> None:
    key = ("123456789012", "us-east-1", "/aws/bedrock-agentcore/runtimes/travel-AbCdEf1234-DEFAULT")
    slow = take_lease(key, lambda: NOON)
    assert slow is not None
    quick = take_lease(key, lambda: at(31))
    assert quick is not None

    with slow:
        pass

    assert LogGroupSweep.objects.get().lease_until == at(61)


@pytest.mark.django_db(transaction=True)
def test_who_lost_the_lease_reads_and_stores_no_more(make_session: MakeSession, logs_of: LogsOf) -> None:
    session = make_session()

    def take_over(operation: str, parameters: dict[str, Any]) -> None:
        LogGroupSweep.objects.update(lease_until=at(99))
        connections.close_all()

    cloudwatch = CloudWatch(page_size=1, before=take_over)
    invocation = make_run(session)
    measurement = make_due(invocation)
    stream = stream_of(session.runtime_session_id)
    cloudwatch.write(session.agent.runtime.log_group, stream, at(1), start_line(at(1)))
    cloudwatch.write(session.agent.runtime.log_group, stream, at(2), "INFO: done")

    assert sweep(now=NOON, logs=logs_of(cloudwatch)) == 0
    measurement.refresh_from_db()
    assert (measurement.state, measurement.marker_rank, measurement.tries) == ("waiting", None, 1)
    assert len(cloudwatch.asked) == 1
    assert LogGroupSweep.objects.get().lease_until == at(99)


def write_lines(cloudwatch: CloudWatch, session: Session, count: int) -> None:
    """`count` lines of another session, then the start line of this one."""
    group = session.agent.runtime.log_group
    for number in range(count):
        cloudwatch.write(group, stream_of("somebody-else-0000000000000000001"), at(0.5 + number / 1000), "noise")
    cloudwatch.write(group, stream_of(session.runtime_session_id), at(1.5), start_line(at(1.5)))


def tokens(cloudwatch: CloudWatch) -> list[str | None]:
    return [asked.get("nextToken") for asked in cloudwatch.filters()]


@pytest.mark.django_db
def test_at_most_five_pages_are_read_and_the_next_sweep_reads_on(make_session: MakeSession, logs_of: LogsOf) -> None:
    cloudwatch = CloudWatch(page_size=2)
    session = make_session()
    measurement = make_due(make_run(session))
    write_lines(cloudwatch, session, 12)
    logs = logs_of(cloudwatch)

    sweep(now=NOON, logs=logs)
    assert tokens(cloudwatch) == [None, "2", "4", "6", "8"]
    kept = LogGroupSweep.objects.get()
    assert (kept.next_token, kept.started_from_at) == ("10", at(-5))

    sweep(now=at(10), logs=logs)
    assert tokens(cloudwatch)[5:] == ["10", "12"]
    assert {asked["startTime"] for asked in cloudwatch.filters()} == {to_ms(at(-5))}
    measurement.refresh_from_db()
    assert (measurement.state, measurement.agent_started_at, measurement.tries) == ("measured", at(1.5), 2)
    kept.refresh_from_db()
    assert (kept.next_token, kept.started_from_at) == ("", None)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("started_from_s", "token", "start_s"),
    [(-60.0, "0", -60.0), (-5.0, "0", -5.0), (-4.9, None, -5.0), (-125.0, None, -5.0), (-86_400.0, None, -5.0)],
    ids=["reads on", "same start", "began too late", "too old", "expired"],
)
def test_only_a_reading_that_holds_what_is_wanted_is_continued(
    make_session: MakeSession, logs_of: LogsOf, started_from_s: float, token: str | None, start_s: float
) -> None:
    cloudwatch = CloudWatch()
    session = make_session()
    make_due(make_run(session))
    LogGroupSweep.objects.create(
        account_id=session.agent.runtime.account_id,
        region=session.agent.runtime.region,
        log_group=session.agent.runtime.log_group,
        next_token="0",
        started_from_at=at(started_from_s),
    )
    sweep(now=NOON, logs=logs_of(cloudwatch))

    assert tokens(cloudwatch) == [token]
    assert cloudwatch.filters()[0]["startTime"] == to_ms(at(start_s))


@pytest.mark.django_db
def test_a_cursor_that_cloudwatch_refuses_is_not_sent_again(make_session: MakeSession, logs_of: LogsOf) -> None:
    cloudwatch = CloudWatch(error=("InvalidParameterException", "The specified nextToken is invalid."))
    session = make_session()
    make_due(make_run(session))
    LogGroupSweep.objects.create(
        account_id=session.agent.runtime.account_id,
        region=session.agent.runtime.region,
        log_group=session.agent.runtime.log_group,
        next_token="expired",
        started_from_at=at(-5),
    )
    logs = logs_of(cloudwatch)
    sweep(now=NOON, logs=logs)
    sweep(now=at(10), logs=logs)

    assert tokens(cloudwatch) == ["expired", None]
