from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from apps.agents.models import Agent
from apps.core.models import Notice
from apps.metrics.models import LogGroupSweep, Measurement
from apps.metrics.starts.sweep import sweep
from apps.metrics.tests.cloudwatch import CloudWatch, sdk_line, start_line, stream_of, streaming_line, to_ms
from apps.metrics.tests.conftest import LogsOf
from apps.metrics.tests.runs import NOON, at, make_due, make_run
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
MakeAgent = Callable[..., Agent]


def write(cloudwatch: CloudWatch, invocation: Invocation, seconds: float, message: str | None = None) -> None:
    """Let the run's agent write a line (its own start line) at so many seconds after noon."""
    session = invocation.session
    stream = stream_of(session.runtime_session_id)
    cloudwatch.write(session.agent.runtime.log_group, stream, at(seconds), message or start_line(at(seconds)))


def state_of(measurement: Measurement) -> tuple[Any, ...]:
    measurement.refresh_from_db()
    return measurement.state, measurement.marker_rank, measurement.agent_started_at, measurement.tries


def test_a_start_line_is_found_and_ends_the_search(make_session: MakeSession, logs_of: LogsOf) -> None:
    """S0-058, S0-061, S0-063."""
    cloudwatch = CloudWatch()
    invocation = make_run(make_session())
    measurement = make_due(invocation)
    write(cloudwatch, invocation, 0.2, "INFO: model client ready")
    write(cloudwatch, invocation, 1.25)
    logs = logs_of(cloudwatch)

    assert sweep(now=NOON, logs=logs) == 1
    assert state_of(measurement) == ("measured", 1, at(1.25), 1)
    assert (measurement.next_at, measurement.marker, measurement.log_event_count) == (None, "Agent invoked", 2)
    assert measurement.log_stream == stream_of(invocation.session.runtime_session_id)
    assert list(Notice.objects.values_list("topic", "kind")) == [(invocation.session.topic, "measurement")]

    assert sweep(now=at(4000), logs=logs) == 0
    assert len(cloudwatch.filters()) == 1


def test_one_question_for_all_that_wait_for_a_group(make_session: MakeSession, logs_of: LogsOf) -> None:
    cloudwatch = CloudWatch()
    first = make_session()
    invocations = [make_run(first, 10)]
    invocations += [make_run(make_session(agent=first.agent), 20.0 + number) for number in range(30)]
    measurements = [make_due(invocation, next_at=NOON) for invocation in invocations]
    for number, invocation in enumerate(invocations):
        write(cloudwatch, invocation, 11.0 if not number else 21.0 + number - 1)

    assert sweep(now=at(60), logs=logs_of(cloudwatch)) == 31
    assert cloudwatch.filters() == [
        {"logGroupName": first.agent.runtime.log_group, "startTime": to_ms(at(5)), "limit": 10_000},
    ]
    assert [state_of(measurement)[:2] for measurement in measurements] == [("measured", 1)] * 31
    assert [measurement.agent_started_at for measurement in measurements[:3]] == [at(11), at(21), at(22)]


def test_each_group_is_asked_in_its_own_region(
    make_session: MakeSession, make_agent: MakeAgent, logs_of: LogsOf
) -> None:
    regions: list[str] = []
    cloudwatch = CloudWatch()
    for region in ("us-east-1", "eu-west-1"):
        arn = f"arn:aws:bedrock-agentcore:{region}:123456789012:runtime/travel-AbCdEf1234"
        make_due(make_run(make_session(agent=make_agent(region=region, arn=arn))))
    logs = logs_of(cloudwatch)

    assert sweep(now=NOON, logs=logs) == 2
    regions = sorted(LogGroupSweep.objects.values_list("region", flat=True))
    assert regions == ["eu-west-1", "us-east-1"]
    assert len(cloudwatch.filters()) == 2


def test_what_is_not_due_over_or_of_the_other_mode_is_left_alone(
    make_session: MakeSession, make_agent: MakeAgent, logs_of: LogsOf
) -> None:
    """An agent in AWS is not looked for in the emulator, whatever rows share a database."""
    cloudwatch = CloudWatch()
    make_due(make_run(make_session()), next_at=at(0.001))
    make_due(make_run(make_session()), state="measured", next_at=None)
    session = make_session()
    Agent.objects.filter(pk=session.agent.pk).update(origin="aws")
    make_due(make_run(session))

    assert sweep(now=NOON, logs=logs_of(cloudwatch)) == 0
    assert cloudwatch.asked == []


def test_a_weaker_line_is_provisional_until_the_twelfth_try(make_session: MakeSession, logs_of: LogsOf) -> None:
    cloudwatch = CloudWatch()
    invocation = make_run(make_session())
    measurement = make_due(invocation)
    logs = logs_of(cloudwatch)
    write(cloudwatch, invocation, 0.9, "INFO: thinking")

    sweep(now=NOON, logs=logs)
    assert state_of(measurement) == ("waiting", 4, at(0.9), 1)
    write(cloudwatch, invocation, 1.5, streaming_line(at(1.5)))
    sweep(now=at(10), logs=logs)
    assert state_of(measurement) == ("waiting", 2, at(1.5), 2)
    for number in range(2, 11):
        sweep(now=at(10 * number), logs=logs)
    assert state_of(measurement) == ("waiting", 2, at(1.5), 11)
    sweep(now=at(110), logs=logs)
    assert state_of(measurement) == ("measured", 2, at(1.5), 12)
    assert Notice.objects.filter(kind="measurement").count() == 12
    # A start line may still arrive: looked for at the late tries as well.
    assert sweep(now=at(709), logs=logs) == 0
    assert sweep(now=at(720), logs=logs) == 1
    assert state_of(measurement) == ("measured", 2, at(1.5), 13)
    write(cloudwatch, invocation, 1.502)
    assert sweep(now=at(4330), logs=logs) == 1
    assert state_of(measurement) == ("measured", 1, at(1.502), 14)
    assert measurement.next_at is None


@pytest.mark.parametrize(
    ("message", "rank"), [("INFO: thinking", 4), (streaming_line(at(1.5)), 2), (start_line(at(-0.2)), 1)]
)
def test_whatever_is_not_the_best_is_looked_for_at_the_late_tries(
    make_session: MakeSession, logs_of: LogsOf, message: str, rank: int
) -> None:
    """A first line, a line of the SDK, and a start line of a clock that is off."""
    cloudwatch = CloudWatch()
    invocation = make_run(make_session())
    measurement = make_due(invocation)
    logs = logs_of(cloudwatch)
    write(cloudwatch, invocation, 1.5, message)
    for number in range(12):
        sweep(now=at(10 * number), logs=logs)
    assert state_of(measurement)[:2] == ("measured", rank)
    assert measurement.next_at is not None
    assert [sweep(now=at(second), logs=logs) for second in (709, 720, 4310, 4330, 99_999)] == [0, 1, 0, 1, 0]
    assert (*state_of(measurement)[:2], measurement.tries, measurement.next_at) == ("measured", rank, 14, None)


def test_a_start_line_that_comes_later_replaces_what_is_provisional(make_session: MakeSession, logs_of: LogsOf) -> None:
    cloudwatch = CloudWatch()
    invocation = make_run(make_session())
    measurement = make_due(invocation)
    logs = logs_of(cloudwatch)
    write(cloudwatch, invocation, 1.5, streaming_line(at(1.5)))
    sweep(now=NOON, logs=logs)
    write(cloudwatch, invocation, 1.502)
    sweep(now=at(10), logs=logs)

    assert state_of(measurement) == ("measured", 1, at(1.502), 2)


def test_an_impossible_start_is_kept_as_clock_skew_and_looked_for_on(
    make_session: MakeSession, logs_of: LogsOf
) -> None:
    """The line of the run before may look like that; the own one may still arrive."""
    cloudwatch = CloudWatch()
    invocation = make_run(make_session())
    measurement = make_due(invocation)
    logs = logs_of(cloudwatch)
    write(cloudwatch, invocation, -0.2)
    sweep(now=NOON, logs=logs)
    assert state_of(measurement) == ("waiting", 1, at(-0.2), 1)

    write(cloudwatch, invocation, 0.8)
    sweep(now=at(10), logs=logs)
    assert state_of(measurement) == ("measured", 1, at(0.8), 2)


def test_after_twelve_tries_it_is_looked_for_twice_more(make_session: MakeSession, logs_of: LogsOf) -> None:
    """S0-062: 12 tries, then after 10 minutes and an hour before it counts as not found."""
    cloudwatch = CloudWatch()
    measurement = make_due(make_run(make_session()))
    logs = logs_of(cloudwatch)
    for number in range(12):
        assert sweep(now=at(10 * number), logs=logs) == 1
    assert state_of(measurement) == ("waiting", None, None, 12)
    assert sweep(now=at(709), logs=logs) == 0
    assert sweep(now=at(720), logs=logs) == 1
    assert sweep(now=at(4310), logs=logs) == 0
    assert sweep(now=at(4330), logs=logs) == 1
    assert state_of(measurement) == ("not_found", None, None, 14)
    assert measurement.next_at is None
    assert sweep(now=at(9999), logs=logs) == 0
    # The last one of the minute and the late ones look for lines of another clock as well.
    assert len(cloudwatch.filters()) == 14 + 3


def test_that_logs_were_not_read_is_logged_once(
    make_session: MakeSession, logs_of: LogsOf, caplog: pytest.LogCaptureFixture
) -> None:
    """Not with each of the tries: every five seconds the same would be said."""
    cloudwatch = CloudWatch(error=MISSING)
    make_due(make_run(make_session()))
    logs = logs_of(cloudwatch)
    with caplog.at_level("INFO", logger="apps.metrics.starts.sweep"):
        for number in range(5):
            sweep(now=at(10 * number), logs=logs)
        cloudwatch.error = DENIED
        for number in range(5, 8):
            sweep(now=at(10 * number), logs=logs)

    said = [(record.levelname, record.getMessage().split("code=")[1].split()[0]) for record in caplog.records]
    assert said == [("INFO", MISSING[0]), ("WARNING", DENIED[0])]


def test_a_late_try_reads_the_runs_own_time_only(make_session: MakeSession, logs_of: LogsOf) -> None:
    """From there to now a busy group has written more than a sweep can read."""
    cloudwatch = CloudWatch()
    session = make_session()
    late = make_run(session, ended_s=8)
    measurement = make_due(late, tries=12)
    recent = make_due(make_run(make_session(agent=session.agent), 595))
    write(cloudwatch, late, 1.5, streaming_line(at(1.5)))

    assert sweep(now=at(600), logs=logs_of(cloudwatch)) == 2
    assert cloudwatch.filters() == [
        {"logGroupName": session.agent.runtime.log_group, "startTime": to_ms(at(590)), "limit": 10_000},
        {
            "logGroupName": session.agent.runtime.log_group,
            "startTime": to_ms(at(-5)),
            "endTime": to_ms(at(13)),
            "limit": 10_000,
        },
    ]
    assert state_of(measurement) == ("measured", 2, at(1.5), 13)
    assert state_of(recent) == ("waiting", None, None, 1)


@pytest.mark.django_db(transaction=True)
def test_a_try_is_counted_before_the_call(make_session: MakeSession, logs_of: LogsOf) -> None:
    """Whatever CloudWatch's answer does to the worker, the try is spent and the next one is due later."""
    counted: list[tuple[int, bool]] = []

    def count(operation: str, parameters: dict[str, Any]) -> None:
        try:
            row = Measurement.objects.get()
            counted.append((row.tries, row.next_at is not None and row.next_at > NOON))
        finally:
            connections.close_all()

    measurement = make_due(make_run(make_session()))
    logs = logs_of(CloudWatch(before=count))
    sweep(now=NOON, logs=logs)
    Measurement.objects.filter(pk=measurement.pk).update(tries=13, next_at=NOON)
    sweep(now=NOON, logs=logs)

    assert counted == [(1, True), (14, True), (14, True)]


def test_a_search_whose_last_try_never_came_back_is_over(make_session: MakeSession, logs_of: LogsOf) -> None:
    cloudwatch = CloudWatch()
    nothing = make_due(make_run(make_session()), tries=14)
    weak = make_due(make_run(make_session()), tries=14, marker_rank=4, agent_started_at=at(1))

    assert sweep(now=NOON, logs=logs_of(cloudwatch)) == 0
    assert state_of(nothing) == ("not_found", None, None, 14)
    assert state_of(weak) == ("measured", 4, at(1), 14)
    assert cloudwatch.asked == []


DENIED = ("AccessDeniedException", "User is not authorized to perform logs:FilterLogEvents.")
MISSING = ("ResourceNotFoundException", "The specified log group does not exist.")
THROTTLED = ("ThrottlingException", "Rate exceeded")


TEXTS = {
    DENIED: "User is not authorized to perform logs:FilterLogEvents. The credentials in use may not read this log "
    "group. Grant them logs:FilterLogEvents and logs:DescribeLogStreams on it.",
    MISSING: "The specified log group does not exist. AWS creates the log group with the first invocation. If there "
    "was one, the agent's execution role lacks logs:CreateLogGroup, logs:CreateLogStream or logs:PutLogEvents.",
    THROTTLED: "Rate exceeded. AWS is limiting the rate of requests. Wait a moment, or ask for a higher quota.",
}


@pytest.mark.parametrize(
    ("error", "tries", "state"),
    [
        (DENIED, 0, "waiting"),
        (DENIED, 11, "waiting"),
        (DENIED, 13, "failed"),
        (MISSING, 0, "waiting"),
        (MISSING, 13, "failed"),
        (THROTTLED, 13, "failed"),
    ],
)
def test_logs_that_cannot_be_read_are_tried_again_and_then_failed(
    make_session: MakeSession, logs_of: LogsOf, error: tuple[str, str], tries: int, state: str
) -> None:
    cloudwatch = CloudWatch(error=error)
    measurement = make_due(make_run(make_session()), tries=tries)

    assert sweep(now=NOON, logs=logs_of(cloudwatch)) == 1
    assert state_of(measurement) == (state, None, None, tries + 1)
    assert (measurement.error_code, measurement.error_message) == (error[0], TEXTS[error])
    assert (measurement.next_at is None) is (state == "failed")
    assert Notice.objects.filter(kind="measurement").count() == 1


def test_once_the_logs_can_be_read_the_error_is_forgotten(make_session: MakeSession, logs_of: LogsOf) -> None:
    cloudwatch = CloudWatch(error=MISSING)
    invocation = make_run(make_session())
    measurement = make_due(invocation)
    logs = logs_of(cloudwatch)
    sweep(now=NOON, logs=logs)
    cloudwatch.error = None
    write(cloudwatch, invocation, 1.5, "INFO: thinking")
    sweep(now=at(10), logs=logs)

    assert state_of(measurement) == ("waiting", 4, at(1.5), 2)
    assert (measurement.error_code, measurement.error_message) == ("", "")


def test_what_was_found_counts_although_the_last_reading_failed(make_session: MakeSession, logs_of: LogsOf) -> None:
    cloudwatch = CloudWatch(error=MISSING)
    known = {"tries": 11, "marker_rank": 2, "agent_started_at": at(1.5)}
    measurement = make_due(make_run(make_session()), **known)
    sweep(now=NOON, logs=logs_of(cloudwatch))

    assert state_of(measurement) == ("measured", 2, at(1.5), 12)
    assert (measurement.error_code, measurement.next_at is None) == ("", False)


def test_a_neighbours_line_in_a_shared_stream_is_not_taken(make_session: MakeSession, logs_of: LogsOf) -> None:
    """A stream that holds several sessions tells of each only what names it."""
    cloudwatch = CloudWatch()
    session = make_session()
    other = make_session(agent=session.agent)
    measurement, neighbour = make_due(make_run(session)), make_due(make_run(other))
    group, stream = session.agent.runtime.log_group, "2026/11/20/runtime-logs"
    streaming = "Returning streaming response (generator) (0.000s)"
    cloudwatch.write(group, stream, at(1), sdk_line(streaming, at(1), other.runtime_session_id))
    cloudwatch.write(group, stream, at(1.1), start_line(at(1.1)))

    sweep(now=NOON, logs=logs_of(cloudwatch))
    assert state_of(measurement) == ("waiting", None, None, 1)
    assert state_of(neighbour) == ("waiting", 2, at(1), 1)


def test_of_two_turns_200_ms_apart_neither_takes_the_others_start(make_session: MakeSession, logs_of: LogsOf) -> None:
    cloudwatch = CloudWatch()
    session = make_session()
    first = make_due(make_run(session, 0.0, first_byte_s=1.0, ended_s=1.3))
    second = make_due(make_run(session, 1.5, first_byte_s=0.4, ended_s=1.0))
    logs = logs_of(cloudwatch)
    write(cloudwatch, first.invocation, 0.8, streaming_line(at(0.8)))
    sweep(now=NOON, logs=logs)
    assert [state_of(row)[1:3] for row in (first, second)] == [(2, at(0.8)), (None, None)]

    cloudwatch.lines.clear()
    Measurement.objects.update(agent_started_at=None, marker_rank=None)
    write(cloudwatch, first.invocation, 1.7, streaming_line(at(1.7)))
    sweep(now=at(10), logs=logs)
    assert [state_of(row)[1:3] for row in (first, second)] == [(None, None), (2, at(1.7))]
