"""Log lines as a person reads them, from the emulator's CloudWatch."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from datetime import timezone as tz
from typing import Any

import pytest
from django.utils import timezone

from apps.agentcore.aws.connection import current_connection
from apps.agentcore.exceptions import AgentRuntimeError
from apps.agentcore.logs.reading import LOGS_ADVICE, MAX_LINES, LogGroupMissingError, LogPage, read_logs
from apps.agents.models import Agent
from apps.aws.clients import client
from apps.aws.logs.streams import VALIDATION_STREAM
from apps.core.exceptions import InvalidInputError

MakeAgent = Callable[..., Agent]
_numbers = itertools.count(1)


class Group:
    """The log group of an agent, written to as its containers do; lines are seconds before now."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.name = f"/aws/bedrock-agentcore/runtimes/{agent.runtime.runtime_id}-DEFAULT"
        # CloudWatch keeps milliseconds.
        self.now = timezone.now().replace(microsecond=0)
        self._logs: Any = client(current_connection(), "logs", agent.runtime.region)
        self._logs.create_log_group(logGroupName=self.name)
        self._streams: set[str] = set()

    def stream(self, session_id: str = "") -> str:
        bound = f"-{session_id}" if session_id else ""
        return f"{self.now:%Y/%m/%d}/[runtime-logs{bound}]{uuid.uuid4()}"

    def at(self, seconds_ago: float) -> datetime:
        return self.now - timedelta(seconds=seconds_ago)

    def write(self, stream: str, *lines: tuple[float, str]) -> str:
        if stream not in self._streams:
            self._logs.create_log_stream(logGroupName=self.name, logStreamName=stream)
            self._streams.add(stream)
        events = [{"timestamp": int(self.at(ago).timestamp() * 1000), "message": text} for ago, text in lines]
        self._logs.put_log_events(logGroupName=self.name, logStreamName=stream, logEvents=events)
        return stream

    def read(self, **choice: Any) -> LogPage:
        return read_logs(agent=self.agent, **choice)


def sdk_line(message: str, session_id: str, level: str = "INFO") -> str:
    return json.dumps({"level": level, "message": message, "logger": "bedrock_agentcore.app", "sessionId": session_id})


def messages(page: LogPage) -> list[str]:
    return [line.message for line in page.events]


@pytest.fixture
def group(emulator: Any, make_agent: MakeAgent) -> Iterator[Group]:
    number = next(_numbers)
    yield Group(make_agent(runtime_id=f"logs_{number}-LgRd{number:06d}", arn=arn(f"logs_{number}-LgRd{number:06d}")))


def arn(runtime_id: str) -> str:
    return f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{runtime_id}"


def test_the_newest_lines_come_in_time_order_with_stream_session_and_level(group: Group) -> None:
    """S0-104, S0-106: several streams in one list, without the one AWS makes to test deliveries."""
    session = str(uuid.uuid4())
    direct = group.write(group.stream(session), (30, "booting"), (10, "ERROR: no answer"))
    container = group.write(group.stream(), (20, sdk_line("Invoked", "x" * 40, "WARN")), (15, "bare"))
    group.write(VALIDATION_STREAM, (5, "Permissions are set correctly"))
    page = group.read()

    assert (page.log_group, page.log_stream, page.has_more) == (group.name, direct, False)
    assert [(line.at, line.stream, line.session_id, line.level) for line in page.events] == [
        (group.at(30), direct, session, ""),
        (group.at(20), container, "x" * 40, "WARNING"),
        (group.at(15), container, "x" * 40, ""),
        (group.at(10), direct, session, "ERROR"),
    ]


def test_a_limit_keeps_the_newest_and_says_that_there_are_more(group: Group) -> None:
    group.write(group.stream(), *((60 - number, f"line {number}") for number in range(30)))

    page = group.read(limit=3)
    assert (messages(page), page.has_more) == (["line 27", "line 28", "line 29"], True)
    assert group.read(limit=30).has_more is False


def test_a_range_includes_both_its_ends(group: Group) -> None:
    group.write(group.stream(), (40, "before"), (30, "first"), (20, "last"), (10, "after"))

    page = group.read(start_at=group.at(30), end_at=group.at(20))
    assert messages(page) == ["first", "last"]


def test_without_a_range_the_search_goes_back_to_a_day_before_the_last_run(group: Group) -> None:
    four_days = 4 * 86_400
    group.write(group.stream(), (four_days + 3_600, "of the last run"))
    assert messages(group.read()) == []

    group.agent.last_invoked_at = group.at(four_days)
    assert messages(group.read()) == ["of the last run"]


def test_a_search_is_plain_text_whatever_its_case(group: Group) -> None:
    """What CloudWatch would read as a pattern is text here."""
    group.write(group.stream(), (30, 'GET "/x" -a'), (20, '{ $.level = "ERROR" }'), (10, "half"))

    assert messages(group.read(search='get "/X" -A')) == ['GET "/x" -a']
    assert messages(group.read(search="{ $.LEVEL")) == ['{ $.level = "ERROR" }']
    assert messages(group.read(search="al")) == ["half"]
    assert messages(group.read(search="nowhere")) == []


def test_a_session_has_the_lines_of_its_streams_and_of_nobody_else(group: Group) -> None:
    """Direct code names its session in the stream, a container only in the SDK's lines."""
    mine, other = str(uuid.uuid4()), str(uuid.uuid4())
    group.write(group.stream(mine), (50, "bare, of mine"))
    group.write(group.stream(), (40, "booting"), (35, sdk_line("Invoked", mine)), (30, "Traceback"))
    group.write(group.stream(), (25, "not mine"), (20, sdk_line("Invoked", other)))
    group.write("otel-rt-logs", (15, json.dumps({"attributes": {"session.id": mine}})), (14, "shared"))
    page = group.read(runtime_session_id=mine)

    assert messages(page) == [
        "bare, of mine",
        "booting",
        sdk_line("Invoked", mine),
        "Traceback",
        json.dumps({"attributes": {"session.id": mine}}),
    ]
    assert {line.session_id for line in page.events} == {mine}
    assert messages(group.read(runtime_session_id=mine, search="trace", limit=1)) == ["Traceback"]
    assert group.read(runtime_session_id=str(uuid.uuid4())) == LogPage(group.name, "", [], False)


def test_a_quoted_session_id_makes_no_line_its_own(group: Group) -> None:
    mine = str(uuid.uuid4())
    group.write(group.stream(), (20, f"someone said {mine}"))

    assert messages(group.read(runtime_session_id=mine)) == []


def test_pages_without_a_line_do_not_end_the_reading(group: Group, order_fault: Callable[..., None]) -> None:
    group.write(group.stream(), (20, "here"))
    order_fault(kind="empty_pages", count=3)

    assert messages(group.read()) == ["here"]


def test_an_endpoint_that_never_ran_has_no_log_group(emulator: Any, make_agent: MakeAgent) -> None:
    with pytest.raises(LogGroupMissingError) as raised:
        read_logs(agent=make_agent(runtime_id="quiet-LgRd999999", arn=arn("quiet-LgRd999999")))

    assert raised.value.http_status == 404
    assert raised.value.advice.startswith("AWS creates the log group with the first invocation.")


def test_what_aws_refuses_comes_with_advice(group: Group, order_fault: Callable[..., None]) -> None:
    order_fault(kind="error", operation="FilterLogEvents", code="AccessDeniedException", message="not for you")
    with pytest.raises(AgentRuntimeError) as raised:
        group.read()

    assert (str(raised.value), raised.value.code, raised.value.advice) == (
        "not for you", "AccessDeniedException", LOGS_ADVICE
    )  # fmt: skip


@pytest.mark.parametrize(
    "choice",
    [
        {"qualifier": "../x"},
        {"runtime_session_id": "short"},
        {"limit": 0},
        {"limit": MAX_LINES + 1},
        {"start_at": datetime(2026, 11, 20)},  # noqa: DTZ001 -- that is the mistake
        {"start_at": timezone.now(), "end_at": timezone.now() - timedelta(hours=1)},
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_aws_is_asked(
    make_agent: MakeAgent, settings: Any, free_url: str, choice: dict[str, Any]
) -> None:
    settings.EMULATOR_URL = free_url
    with pytest.raises(InvalidInputError):
        read_logs(agent=make_agent(), **choice)


TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/app/main.py", line 7, in invoke',
    '    price = fares["night"]',
    "KeyError: 'night'",
]


def test_a_traceback_of_one_millisecond_reads_forwards(group: Group) -> None:
    session = str(uuid.uuid4())
    group.write(group.stream(session), (30, "before"), *((20, text) for text in TRACEBACK), (10, "after"))

    for choice in ({}, {"runtime_session_id": session}):
        assert messages(group.read(**choice)) == ["before", *TRACEBACK, "after"]
        assert messages(group.read(search="e", **choice)) == ["before", *TRACEBACK, "after"]
    assert messages(group.read(limit=3)) == [*TRACEBACK[2:], "after"]


def test_lines_of_one_millisecond_stay_in_order_over_pages_and_streams(group: Group) -> None:
    """A page of the emulator searches 2,000 events: the same millisecond lies on two of them."""
    session = str(uuid.uuid4())
    first, second = group.stream(session), group.stream(session)
    for stream in (first, second):
        group.write(stream, *((20, f"{stream[-4:]} {number:04d}") for number in range(1_500)))
    page = group.read(runtime_session_id=session, limit=MAX_LINES, search=" ")

    assert len(page.events) == MAX_LINES
    newest = sorted([first, second])[1]
    assert messages(page) == [f"{newest[-4:]} {number:04d}" for number in range(500, 1_500)]


def test_colours_are_no_part_of_a_line_that_is_read_or_searched(group: Group) -> None:
    red = "\x1b[31m\x1b[1merror    \x1b[0m"
    group.write(
        group.stream(),
        (30, f"2026-11-20 12:00:00 [{red}] fare lookup \x1b]0;title\x07failed"),
        (20, json.dumps({"level": "\x1b[33mwarn\x1b[39m", "msg": "\x1b[1mlow\x1b[0m"})),
        (10, "bell\x07 and\ttab\r\nnext"),
    )

    assert [(line.message, line.level) for line in group.read().events] == [
        ("2026-11-20 12:00:00 [error    ] fare lookup failed", "ERROR"),
        ('{"level": "warn", "msg": "low"}', "WARNING"),
        ("bell and\ttab\nnext", ""),
    ]
    assert len(group.read(search="[error    ] fare").events) == 1


@pytest.mark.parametrize("year", [1, 1970, 2023, 9999])
@pytest.mark.parametrize("hours", [-14, 0, 14])
def test_any_instant_may_be_asked_for(group: Group, year: int, hours: int) -> None:
    """AWS takes no start before 2024; the ends of time are no error either."""
    group.write(group.stream(), (20, "here"))
    zone = tz(timedelta(hours=hours))
    at = datetime(year, 1, 1, tzinfo=zone) if year < 2100 else datetime(year, 12, 31, 23, 59, tzinfo=zone)

    assert messages(group.read(start_at=at)) == (["here"] if year < 2100 else [])
    assert messages(group.read(end_at=at)) == (["here"] if year > 2100 else [])
    assert group.read(start_at=at, end_at=at, runtime_session_id=str(uuid.uuid4())).events == []


def test_a_literal_log_stream_is_the_only_one_that_is_read(group: Group) -> None:
    """S0-067: as vended logs have it; a stream that is not there is said to be missing."""
    session, literal = str(uuid.uuid4()), "BedrockAgentCoreRuntime_ApplicationLogs"
    group.write(group.stream(session), (30, "of the environment"))
    group.write(literal, (20, json.dumps({"session_id": session, "x": 1})), (10, json.dumps({"session_id": "y" * 40})))
    assert len(group.read().events) == 3
    group.agent.runtime.log_stream = literal

    assert {line.stream for line in group.read().events} == {literal}
    assert messages(group.read(runtime_session_id=session)) == [json.dumps({"session_id": session, "x": 1})]
    group.agent.runtime.log_stream = "nowhere"
    with pytest.raises(AgentRuntimeError, match="log stream"):
        group.read()
