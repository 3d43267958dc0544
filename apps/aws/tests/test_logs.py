from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from apps.aws.errors import AccessDeniedError, NotFoundError, ThrottledError
from apps.aws.logs.reading import LogEvent, LogGroupNotFoundError, LogPage, LogStream, RuntimeLogs
from apps.aws.tests.conftest import Emulated, Serve
from apps.aws.tests.loopback import Exchange, Loopback

GROUP = "/aws/bedrock-agentcore/runtimes/my_agent-AbCdEf1234-DEFAULT"
STREAM = "2026/11/20/[runtime-logs]d46c08d5-f8a1-4bb0-9b8f-c2d9519a7a95"
NOON = datetime(2026, 11, 20, 12, 0, 0, 123_000, tzinfo=UTC)
NOON_MS = 1_795_176_000_123

EARLIEST_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z

LogsOf = Callable[[Loopback], RuntimeLogs]


@pytest.fixture
def logs_of(emulated: Emulated) -> LogsOf:
    return lambda server: RuntimeLogs(emulated(server))


def answers(*values: dict[str, Any]) -> Callable[[Exchange], None]:
    """A script that gives these answers in turn."""
    return lambda exchange: exchange.reply_json(values[exchange.number - 1])


def asked(server: Loopback) -> list[tuple[str, dict[str, Any]]]:
    """Each operation that was called, with its parameters."""
    return [
        (request.headers["x-amz-target"].rpartition(".")[2], json.loads(request.body)) for request in server.requests
    ]


def raw(milliseconds: int, message: str) -> dict[str, Any]:
    return {
        "logStreamName": STREAM,
        "timestamp": NOON_MS + milliseconds,
        "ingestionTime": NOON_MS + milliseconds + 500,
        "message": message,
        "eventId": f"event-{milliseconds}",
    }


def event(milliseconds: int, message: str, event_id: str | None = None) -> LogEvent:
    at = NOON + timedelta(milliseconds=milliseconds)
    identifier = f"event-{milliseconds}" if event_id is None else event_id
    return LogEvent(STREAM, at, at + timedelta(milliseconds=500), message, identifier)


def test_a_page_of_events_in_time_order(serve: Serve, logs_of: LogsOf) -> None:
    """One FilterLogEvents gives one page, with the token of the next."""
    server = serve(answers({"events": [raw(7, "b"), raw(0, "a")], "nextToken": "more"}))
    page = logs_of(server).filter_page(region="us-east-1", log_group=GROUP, start=NOON)

    assert page == LogPage([event(0, "a"), event(7, "b")], "more")
    assert asked(server) == [("FilterLogEvents", {"logGroupName": GROUP, "startTime": NOON_MS, "limit": 10_000})]
    assert "/us-east-1/logs/" in server.requests[0].headers["authorization"]


def test_the_newest_events_first_page_by_page_each_in_time_order(serve: Serve, logs_of: LogsOf) -> None:
    server = serve(answers({"events": [raw(7, "b"), raw(0, "a")], "nextToken": "older"}))
    page = logs_of(server).filter_page(region="us-east-1", log_group=GROUP, start=NOON, newest_first=True)

    assert [found.message for found in page.events] == ["a", "b"]
    assert asked(server)[0][1]["startFromHead"] is False


def test_pages_are_read_one_by_one_up_to_a_limit_and_from_a_token_on(serve: Serve, logs_of: LogsOf) -> None:
    server = serve(answers({"events": [raw(0, "a")], "nextToken": "second"}, {"nextToken": "third"}, {}))
    logs = logs_of(server)
    first = logs.pages(region="us-east-1", log_group=GROUP, start=NOON, max_pages=2, pattern="a")

    assert next(first) == LogPage([event(0, "a")], "second")
    assert len(server.requests) == 1  # the second is fetched when it is wanted
    assert list(first) == [LogPage([], "third")]
    rest = logs.pages(region="us-east-1", log_group=GROUP, start=NOON, max_pages=2, next_token="third", pattern="a")
    assert list(rest) == [LogPage([], None)]
    assert [call.get("nextToken") for _, call in asked(server)] == [None, "second", "third"]
    assert {call["filterPattern"] for _, call in asked(server)} == {"a"}


def numbered(milliseconds: int, ordinal: int, message: str, stream: str = STREAM) -> dict[str, Any]:
    """An event as CloudWatch gives it, with its id of 56 digits."""
    identifier = f"{NOON_MS + milliseconds:020d}{ordinal:036d}"
    return {**raw(milliseconds, message), "logStreamName": stream, "eventId": identifier}


TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "main.py", line 7',
    "    fares['night']",
    "KeyError: 'night'",
]


@pytest.mark.parametrize(
    ("is_numbered", "is_reversed", "newest_first"),
    [
        (True, True, True),
        (True, False, True),
        (True, True, False),
        (True, False, False),
        (False, True, True),
        (False, False, False),
    ],
)
def test_lines_of_one_millisecond_keep_the_order_they_were_written_in(
    serve: Serve, logs_of: LogsOf, *, is_numbered: bool, is_reversed: bool, newest_first: bool
) -> None:
    """By their ids, whatever order the answer has; without ids by the order that was asked for."""
    lines = [numbered(0, number, text) if is_numbered else raw(0, text) for number, text in enumerate(TRACEBACK)]
    server = serve(answers({"events": lines[::-1] if is_reversed else lines}))
    page = logs_of(server).filter_page(region="us-east-1", log_group=GROUP, start=NOON, newest_first=newest_first)

    assert [found.message for found in page.events] == TRACEBACK


def test_streams_that_write_in_the_same_millisecond_are_not_mixed(serve: Serve, logs_of: LogsOf) -> None:
    other = STREAM.replace("d46c", "aaaa")
    lines = [numbered(0, 2 * number + offset, f"{stream[-4:]} {number}", stream)
             for number in range(3) for offset, stream in enumerate([STREAM, other])]  # fmt: skip
    server = serve(answers({"events": [numbered(1, 9, "later"), *lines[::-1]]}))
    page = logs_of(server).filter_page(region="us-east-1", log_group=GROUP, start=NOON, newest_first=True)

    expected = [f"{stream[-4:]} {number}" for stream in sorted([STREAM, other]) for number in range(3)]
    assert [found.message for found in page.events] == [*expected, "later"]


@pytest.mark.parametrize("start", [datetime.min.replace(tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC), NOON])
def test_no_reading_begins_before_what_aws_accepts(serve: Serve, logs_of: LogsOf, start: datetime) -> None:
    """A start before 2024 is refused where the newest events come first."""
    server = serve(answers({}, {"events": [], "nextForwardToken": None}))
    logs = logs_of(server)
    logs.filter_page(region="us-east-1", log_group=GROUP, start=start, newest_first=True)
    list(logs.read_stream(region="us-east-1", log_group=GROUP, stream=STREAM, start=start))

    assert [parameters["startTime"] for _, parameters in asked(server)] == [max(EARLIEST_MS, ms(start))] * 2


def ms(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def test_a_range_before_what_aws_accepts_holds_nothing(serve: Serve, logs_of: LogsOf) -> None:
    server = serve(answers())
    page = logs_of(server).filter_page(
        region="us-east-1", log_group=GROUP, start=NOON - timedelta(days=9999), end=NOON - timedelta(days=3000)
    )

    assert page == LogPage([], None)
    assert server.requests == []


def test_an_empty_page_may_have_a_next_one(serve: Serve, logs_of: LogsOf) -> None:
    server = serve(answers({"events": [], "nextToken": "more"}, {}))
    logs = logs_of(server)

    assert logs.filter_page(region="us-east-1", log_group=GROUP, start=NOON) == LogPage([], "more")
    assert logs.filter_page(region="us-east-1", log_group=GROUP, start=NOON, next_token="more") == LogPage([], None)
    assert asked(server)[1][1]["nextToken"] == "more"


def test_every_condition_reaches_cloudwatch(serve: Serve, logs_of: LogsOf) -> None:
    server = serve(answers({}, {}))
    logs = logs_of(server)
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    logs.filter_page(
        region="eu-west-1",
        log_group=GROUP,
        start=elsewhere,
        end=NOON + timedelta(seconds=1),
        streams=[STREAM],
        pattern='"x"',
        limit=5,
    )
    logs.filter_page(region="eu-west-1", log_group=GROUP, start=datetime.min.replace(tzinfo=UTC), stream_prefix="2026/")

    assert [parameters for _, parameters in asked(server)] == [
        {
            "logGroupName": GROUP,
            "startTime": NOON_MS,
            "endTime": NOON_MS + 1_000,
            "logStreamNames": [STREAM],
            "filterPattern": '"x"',
            "limit": 5,
        },
        {"logGroupName": GROUP, "startTime": EARLIEST_MS, "logStreamNamePrefix": "2026/", "limit": 10_000},
    ]


def test_conditions_that_cannot_be_meant_are_refused(serve: Serve, logs_of: LogsOf) -> None:
    server = serve(answers())
    logs = logs_of(server)

    with pytest.raises(ValueError, match="not both"):
        logs.filter_page(region="us-east-1", log_group=GROUP, start=NOON, streams=[STREAM], stream_prefix="2026/")
    with pytest.raises(ValueError, match="time zone"):
        logs.filter_page(region="us-east-1", log_group=GROUP, start=NOON.replace(tzinfo=None))
    assert server.requests == []


def test_streams_are_listed_without_the_one_for_validation(serve: Serve, logs_of: LogsOf) -> None:
    validation = "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"
    first = {
        "logStreamName": STREAM,
        "creationTime": NOON_MS,
        "firstEventTimestamp": NOON_MS + 1,
        "lastEventTimestamp": NOON_MS + 2,
    }
    empty = {"logStreamName": "otel-rt-logs", "creationTime": NOON_MS}
    server = serve(
        answers(
            {"logStreams": [{"logStreamName": validation, "creationTime": 0}, first], "nextToken": "more"},
            {"logStreams": [empty]},
        )
    )
    streams = logs_of(server).streams(region="us-east-1", log_group=GROUP, prefix="2026/")

    millisecond = timedelta(milliseconds=1)
    assert streams == [
        LogStream(STREAM, NOON, NOON + millisecond, NOON + 2 * millisecond),
        LogStream("otel-rt-logs", NOON, None, None),
    ]
    assert asked(server) == [
        ("DescribeLogStreams", {"logGroupName": GROUP, "logStreamNamePrefix": "2026/"}),
        ("DescribeLogStreams", {"logGroupName": GROUP, "logStreamNamePrefix": "2026/", "nextToken": "more"}),
    ]


def test_no_more_streams_are_fetched_than_wanted(serve: Serve, logs_of: LogsOf) -> None:
    listed = [{"logStreamName": name, "creationTime": NOON_MS} for name in ("a", "b")]
    server = serve(answers({"logStreams": listed, "nextToken": "more"}))

    streams = logs_of(server).streams(region="us-east-1", log_group=GROUP, limit=1)
    assert [stream.name for stream in streams] == ["a"]


def test_a_stream_is_read_until_its_token_repeats(serve: Serve, logs_of: LogsOf) -> None:
    """An empty page in between is not the end."""
    server = serve(
        answers(
            {"events": [raw(0, "a")], "nextForwardToken": "f/1"},
            {"events": [], "nextForwardToken": "f/2"},
            {"events": [raw(5, "b")], "nextForwardToken": "f/3"},
            {"events": [], "nextForwardToken": "f/3"},
        )
    )
    end = NOON + timedelta(seconds=1)
    events = logs_of(server).read_stream(region="us-east-1", log_group=GROUP, stream=STREAM, start=NOON, end=end)

    assert next(events) == event(0, "a", "")
    assert len(server.requests) == 1
    assert list(events) == [event(5, "b", "")]
    parameters = {
        "logGroupName": GROUP,
        "logStreamName": STREAM,
        "startFromHead": True,
        "startTime": NOON_MS,
        "endTime": NOON_MS + 1_000,
    }
    tokens = [{}, {"nextToken": "f/1"}, {"nextToken": "f/2"}, {"nextToken": "f/3"}]
    assert asked(server) == [("GetLogEvents", {**parameters, **token}) for token in tokens]


def failing(status: int, code: str, message: str) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.reply_json({"__type": code, "message": message}, status)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (failing(400, "ResourceNotFoundException", "The specified log group does not exist."), LogGroupNotFoundError),
        (failing(400, "ResourceNotFoundException", "The specified log stream does not exist."), NotFoundError),
        (failing(400, "AccessDeniedException", "User is not authorized."), AccessDeniedError),
        (failing(400, "ThrottlingException", "Rate exceeded"), ThrottledError),
    ],
)
def test_what_cloudwatch_refuses(
    script: Callable[[Exchange], None], expected: type[Exception], serve: Serve, logs_of: LogsOf
) -> None:
    """A missing group only means that nothing was logged yet."""
    with pytest.raises(expected) as caught:
        logs_of(serve(script)).filter_page(region="us-east-1", log_group=GROUP, start=NOON)
    assert type(caught.value) is expected


def test_a_missing_group_has_its_own_advice(serve: Serve, logs_of: LogsOf) -> None:
    server = serve(failing(400, "ResourceNotFoundException", "The specified log group does not exist."))

    with pytest.raises(LogGroupNotFoundError) as caught:
        logs_of(server).streams(region="us-east-1", log_group=GROUP)
    assert "execution role" in caught.value.advice
    assert (caught.value.code, caught.value.http_status) == ("ResourceNotFoundException", 400)
