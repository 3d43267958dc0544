from __future__ import annotations

import json
import re
import time
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from apps.emulator.tests.running_emulator import RunningEmulator, new_session_id, running_emulator

TUTOR_GROUP = "/aws/bedrock-agentcore/runtimes/code_tutor-9sVbN3yRfK-DEFAULT"
STREAM_NAME = re.compile(r"\d{4}/\d\d/\d\d/\[runtime-logs(?:-(?P<sid>.+))?\](?P<env>[0-9a-f-]{36})")


@pytest.fixture
def filled_group(emulator: RunningEmulator) -> str:
    """A group with 25 numbered events in two streams, made over the API."""
    logs, name = emulator.client("logs"), f"/test/{new_session_id()}"
    now_ms = int(time.time() * 1000) - 60_000
    logs.create_log_group(logGroupName=name)
    for stream in ("even", "odd"):
        logs.create_log_stream(logGroupName=name, logStreamName=stream)
        first = 0 if stream == "even" else 1
        events = [{"timestamp": now_ms + number, "message": f"event {number}"} for number in range(first, 25, 2)]
        logs.put_log_events(logGroupName=name, logStreamName=stream, logEvents=events)
    return name


def test_an_sdk_agent_leaves_the_lines_of_the_sdk(emulator: RunningEmulator) -> None:
    """S0-061: start lines carry the instant at which the handler was entered."""
    session_id = new_session_id()
    emulator.order_fault(kind="start_kind", start_kind="created", runtime_id="code_tutor-9sVbN3yRfK")
    emulator.invoke("code_tutor", runtimeSessionId=session_id)

    events = emulator.client("logs").filter_log_events(
        logGroupName=TUTOR_GROUP, filterPattern=f'{{ $.sessionId = "{session_id}" }}'
    )["events"]

    names = {event["logStreamName"] for event in events}
    (stream,) = names
    shape = STREAM_NAME.fullmatch(stream)
    assert shape is not None
    assert shape["sid"] == session_id
    start, returned = (json.loads(event["message"]) for event in events)
    assert list(returned) == ["timestamp", "level", "message", "logger", "requestId", "sessionId"]
    assert (returned["level"], returned["logger"]) == ("INFO", "bedrock_agentcore.app")
    assert re.fullmatch(r"Returning streaming response \(generator\) \(0\.\d{3}s\)", returned["message"])
    logged = re.fullmatch(r"Agent invoked - Start time: (\S+), Request ID: (\S+)", start["message"])
    assert logged is not None
    assert logged[2] == start["requestId"] == returned["requestId"]
    (record,) = emulator.truth(session_id)
    started_at = datetime.fromisoformat(record["started_at"])
    skew_s = (datetime.fromisoformat(logged[1] + "+00:00") - started_at).total_seconds()
    # Three standard deviations of the default skew.
    assert abs(skew_s) <= 0.0451


def test_a_container_writes_to_a_stream_without_the_session(emulator: RunningEmulator) -> None:
    session_id = new_session_id()
    emulator.order_fault(kind="start_kind", start_kind="created", runtime_id="contract_reviewer-p4HwZ81LcE")
    emulator.invoke("contract_reviewer", runtimeSessionId=session_id)

    group = "/aws/bedrock-agentcore/runtimes/contract_reviewer-p4HwZ81LcE-DEFAULT"
    events = emulator.client("logs").filter_log_events(logGroupName=group, filterPattern=f'"{session_id}"')["events"]

    (event,) = events
    shape = STREAM_NAME.fullmatch(event["logStreamName"])
    assert shape is not None
    assert shape["sid"] is None


def test_telemetry_goes_to_the_shared_stream(emulator: RunningEmulator) -> None:
    session_id = new_session_id()
    emulator.invoke("inventory_analyst", "screws", runtimeSessionId=session_id)

    group = "/aws/bedrock-agentcore/runtimes/inventory_analyst-Lm6TgC0dWx-DEFAULT"
    page = emulator.client("logs").filter_log_events(
        logGroupName=group,
        logStreamNames=["otel-rt-logs"],
        filterPattern=f'{{ $.attributes["session.id"] = "{session_id}" }}',
    )

    (record,) = (json.loads(event["message"]) for event in page["events"])
    assert record["body"]["input"] == {"messages": [{"role": "user", "content": "screws"}]}
    assert record["resource"]["attributes"]["cloud.resource_id"].endswith("/runtime-endpoint/DEFAULT:DEFAULT")


def test_an_agent_without_sdk_says_nothing_about_its_start(emulator: RunningEmulator) -> None:
    session_id = new_session_id()
    emulator.invoke("sentiment_scorer", runtimeSessionId=session_id)

    lines = emulator.messages("/aws/bedrock-agentcore/runtimes/sentiment_scorer-Aw8DkP4vGn-DEFAULT")

    assert set(lines) == {"listening on 0.0.0.0:8080", "model cache hit ratio 0.94"}


def test_pages_hold_every_event_once_in_order(emulator: RunningEmulator, filled_group: str) -> None:
    """S0-106."""
    paginator = emulator.client("logs").get_paginator("filter_log_events")

    pages = list(paginator.paginate(logGroupName=filled_group, PaginationConfig={"PageSize": 7}))

    assert [len(page["events"]) for page in pages] == [7, 7, 7, 4]
    events = [event for page in pages for event in page["events"]]
    assert [event["message"] for event in events] == [f"event {number}" for number in range(25)]
    assert [event["logStreamName"] for event in events[:2]] == ["even", "odd"]
    assert len({event["eventId"] for event in events}) == 25
    assert all(page["searchedLogStreams"] == [] for page in pages)


def test_an_empty_page_may_have_a_successor(emulator: RunningEmulator, filled_group: str) -> None:
    logs = emulator.client("logs")
    emulator.order_fault(kind="empty_pages", count=2)

    first = logs.filter_log_events(logGroupName=filled_group, limit=3)
    second = logs.filter_log_events(logGroupName=filled_group, limit=3, nextToken=first["nextToken"])
    third = logs.filter_log_events(logGroupName=filled_group, limit=3, nextToken=second["nextToken"])

    assert (first["events"], second["events"]) == ([], [])
    assert [event["message"] for event in third["events"]] == ["event 0", "event 1", "event 2"]


def test_a_long_search_without_hits_answers_empty_pages(emulator: RunningEmulator) -> None:
    logs, name = emulator.client("logs"), f"/test/{new_session_id()}"
    now_ms = int(time.time() * 1000) - 60_000
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="long")
    events = [{"timestamp": now_ms + number, "message": f"event {number}"} for number in range(4500)]
    logs.put_log_events(logGroupName=name, logStreamName="long", logEvents=events)

    paginator = logs.get_paginator("filter_log_events")
    pages = list(paginator.paginate(logGroupName=name, filterPattern='"event 4321"'))

    assert [[event["message"] for event in page["events"]] for page in pages] == [[], [], ["event 4321"]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"logStreamNamePrefix": "ev", "limit": 2}, [0, 2]),
        ({"logStreamNames": ["odd"], "limit": 2}, [1, 3]),
        ({"startFromHead": False, "limit": 3}, [24, 23, 22]),
        ({"filterPattern": "?17 ?3"}, [3, 13, 17, 23]),
        ({"filterPattern": "1 -11 -21", "limit": 3}, [1, 10, 12]),
    ],
)
def test_what_a_search_selects(
    emulator: RunningEmulator, filled_group: str, arguments: dict[str, Any], expected: list[int]
) -> None:
    page = emulator.client("logs").filter_log_events(logGroupName=filled_group, **arguments)

    assert [event["message"] for event in page["events"]] == [f"event {number}" for number in expected]


def test_times_bound_a_search_on_both_sides(emulator: RunningEmulator, filled_group: str) -> None:
    logs = emulator.client("logs")
    stamps = [event["timestamp"] for event in logs.filter_log_events(logGroupName=filled_group)["events"]]
    bounds = {"startTime": stamps[4], "endTime": stamps[8]}

    filtered = logs.filter_log_events(logGroupName=filled_group, **bounds)["events"]
    streamed = logs.get_log_events(logGroupName=filled_group, logStreamName="even", **bounds)["events"]

    assert [event["message"] for event in filtered] == [f"event {number}" for number in range(4, 9)]
    # The end of GetLogEvents is exclusive.
    assert [event["message"] for event in streamed] == ["event 4", "event 6"]


def test_a_stream_is_read_to_its_end_and_back(emulator: RunningEmulator, filled_group: str) -> None:
    logs = emulator.client("logs")

    def read(**arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = logs.get_log_events(
            logGroupName=filled_group, logStreamName="odd", limit=5, **arguments
        )
        return answer

    def numbers(answer: dict[str, Any]) -> list[int]:
        return [int(event["message"].split()[1]) for event in answer["events"]]

    tail = read()
    first = read(startFromHead=True)
    second = read(nextToken=first["nextForwardToken"])
    third = read(nextToken=second["nextForwardToken"])
    beyond = read(nextToken=third["nextForwardToken"])
    back = read(nextToken=beyond["nextBackwardToken"])

    assert numbers(tail) == [15, 17, 19, 21, 23]
    assert [numbers(answer) for answer in (first, second, third, beyond)] == [
        [1, 3, 5, 7, 9],
        [11, 13, 15, 17, 19],
        [21, 23],
        [],
    ]
    assert beyond["nextForwardToken"] == third["nextForwardToken"]
    assert numbers(back) == [15, 17, 19, 21, 23]


def test_streams_and_groups_are_described_page_by_page(emulator: RunningEmulator, filled_group: str) -> None:
    logs = emulator.client("logs")

    groups = logs.describe_log_groups(logGroupNamePrefix=filled_group)["logGroups"]
    first = logs.describe_log_streams(logGroupName=filled_group, limit=1)
    second = logs.describe_log_streams(logGroupName=filled_group, limit=1, nextToken=first["nextToken"])
    latest = logs.describe_log_streams(logGroupName=filled_group, orderBy="LastEventTime", descending=True)

    assert [(group["logGroupName"], group["logGroupArn"]) for group in groups] == [
        (filled_group, f"arn:aws:logs:us-east-1:123456789012:log-group:{filled_group}")
    ]
    assert [stream["logStreamName"] for stream in first["logStreams"] + second["logStreams"]] == ["even", "odd"]
    assert "nextToken" not in second
    assert [stream["logStreamName"] for stream in latest["logStreams"]] == ["even", "odd"]
    assert latest["logStreams"][0]["lastEventTimestamp"] - latest["logStreams"][0]["firstEventTimestamp"] == 24


@pytest.mark.parametrize(
    ("operation", "arguments", "code", "message"),
    [
        ("filter_log_events", {"logGroupName": "/none"}, "ResourceNotFoundException", "log group does not exist"),
        ("filter_log_events", {"logStreamNames": ["none"]}, "ResourceNotFoundException", "log stream does not exist"),
        ("filter_log_events", {"filterPattern": "a-b"}, "InvalidParameterException", "Invalid character"),
        ("filter_log_events", {"nextToken": "made-up"}, "InvalidParameterException", "nextToken is invalid"),
        (
            "filter_log_events",
            {"logStreamNames": ["odd"], "logStreamNamePrefix": "o"},
            "InvalidParameterException",
            "Only one of",
        ),
        ("get_log_events", {"logStreamName": "odd", "nextToken": "x/1"}, "InvalidParameterException", "nextToken"),
        (
            "describe_log_streams",
            {"orderBy": "LastEventTime", "logStreamNamePrefix": "o"},
            "InvalidParameterException",
            "LastEventTime",
        ),
        ("start_query", {"startTime": 0, "endTime": 1, "queryString": "x"}, "UnknownOperationException", ""),
    ],
)
def test_what_is_refused(
    emulator: RunningEmulator, filled_group: str, operation: str, arguments: dict[str, Any], code: str, message: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(emulator.client("logs"), operation)(**{"logGroupName": filled_group, **arguments})

    response = caught.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, 400)
    assert message in response["Error"]["Message"]


def test_a_line_is_found_only_after_its_delay() -> None:
    with running_emulator("--seed", "2", "--time-scale", "0.02", "--log-delay-scale", "1000") as emulator:
        session_id = new_session_id()
        emulator.invoke("travel_concierge", runtimeSessionId=session_id)
        group = "/aws/bedrock-agentcore/runtimes/travel_concierge-Xk29QmT7aB-DEFAULT"

        streams = emulator.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
        lines = emulator.messages(group)

    assert [session_id in stream["logStreamName"] for stream in streams] == [True]
    assert lines == []


def test_newest_first_reaches_back_to_2024_only(emulator: RunningEmulator, filled_group: str) -> None:
    """ "Setting startFromHead to false is supported only when startTime is on or after Jan 1, 2024 00:00:00 UTC." """
    logs, first_ms = emulator.client("logs"), 1_704_067_200_000

    for start_ms in (0, 1, first_ms - 1):
        with pytest.raises(ClientError) as caught:
            logs.filter_log_events(logGroupName=filled_group, startFromHead=False, startTime=start_ms)
        assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
        for head in ({}, {"startFromHead": True}):
            assert len(logs.filter_log_events(logGroupName=filled_group, startTime=start_ms, **head)["events"]) == 25
    newest = logs.filter_log_events(logGroupName=filled_group, startFromHead=False, startTime=first_ms)["events"]
    assert newest[0]["message"] == "event 24"


def test_a_pattern_of_names_is_case_sensitive_and_answers_three_members(
    emulator: RunningEmulator, filled_group: str
) -> None:
    logs = emulator.client("logs")
    name = filled_group + "/DataLogs"
    logs.create_log_group(logGroupName=name)

    def found(**members: Any) -> list[dict[str, Any]]:
        pages = logs.get_paginator("describe_log_groups").paginate(**members)
        groups = [group for page in pages for group in page["logGroups"]]
        return [group for group in groups if group["logGroupName"].startswith(filled_group)]

    by_pattern = found(logGroupNamePattern="DataLogs")

    assert [list(group) for group in by_pattern] == [["logGroupName", "creationTime", "arn"]]
    assert by_pattern[0]["logGroupName"] == name
    assert found(logGroupNamePattern="datalogs") == found(logGroupNamePattern="Data/Logs") == []
    assert [group["logGroupName"] for group in found(logGroupNamePattern="")] == [filled_group, name]
    assert set(found(logGroupNamePrefix=name)[0]) >= {"logGroupArn", "storedBytes", "logGroupClass"}


def test_groups_are_found_by_identifier_and_class(emulator: RunningEmulator, filled_group: str) -> None:
    logs = emulator.client("logs")
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{filled_group}"

    def names(**members: Any) -> list[str]:
        groups = logs.describe_log_groups(**members)["logGroups"]
        return [group["logGroupName"] for group in groups]

    assert names(logGroupIdentifiers=[filled_group, "/none"]) == names(logGroupIdentifiers=[arn]) == [filled_group]
    assert names(logGroupNamePrefix=filled_group, logGroupClass="STANDARD") == [filled_group]
    assert names(logGroupNamePrefix=filled_group, logGroupClass="INFREQUENT_ACCESS") == []
    with pytest.raises(ClientError, match="no other filter"):
        names(logGroupIdentifiers=[arn], logGroupNamePrefix="/")
    assert len(logs.filter_log_events(logGroupIdentifier=arn)["events"]) == 25
    with pytest.raises(ClientError, match="regular expression pattern"):
        logs.filter_log_events(logGroupIdentifier=f"{arn}:*")


@pytest.mark.parametrize("operation", ["filter_log_events", "get_log_events"])
def test_a_page_holds_one_megabyte(emulator: RunningEmulator, operation: str) -> None:
    logs, group = emulator.client("logs"), f"/test/{new_session_id()}"
    now_ms = int(time.time() * 1000) - 60_000
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="long")
    for first in range(0, 150, 50):
        events = [{"timestamp": now_ms + n, "message": f"{n:04}" + "ü" * 5000} for n in range(first, first + 50)]
        logs.put_log_events(logGroupName=group, logStreamName="long", logEvents=events)
    asked: dict[str, Any] = {"logGroupName": group}
    if operation == "get_log_events":
        asked |= {"logStreamName": "long", "startFromHead": True}

    pages, token = [], None
    while True:
        page = getattr(logs, operation)(**asked, **({} if token is None else {"nextToken": token}))
        if not page["events"]:
            break
        pages.append(page["events"])
        token = page.get("nextToken") or page.get("nextForwardToken")
        if token is None:
            break

    assert [len(page) for page in pages] == [104, 46]  # 10,030 bytes each of 1,048,576
    assert [event["message"][:4] for page in pages for event in page] == [f"{number:04}" for number in range(150)]
    if operation == "get_log_events":
        newest = logs.get_log_events(logGroupName=group, logStreamName="long")
        older = logs.get_log_events(logGroupName=group, logStreamName="long", nextToken=newest["nextBackwardToken"])
        assert [event["message"][:4] for event in newest["events"]] == [f"{number:04}" for number in range(46, 150)]
        assert [event["message"][:4] for event in older["events"]] == [f"{number:04}" for number in range(46)]


@pytest.mark.parametrize(
    ("messages", "step_ms", "message"),
    [
        (["x" * 1_048_550, "y"], 1, "Upload too large"),
        (["one", "two"], 24 * 3600 * 1000 + 1, "cannot span more than 24 hours"),
        (["one", "two"], -1, "chronological order"),
    ],
)
def test_a_batch_that_the_service_refuses(
    emulator: RunningEmulator, filled_group: str, messages: list[str], step_ms: int, message: str
) -> None:
    first_ms = int(time.time() * 1000) - 3 * 24 * 3600 * 1000
    events = [{"timestamp": first_ms + n * step_ms, "message": text} for n, text in enumerate(messages)]

    with pytest.raises(ClientError, match=message) as caught:
        emulator.client("logs").put_log_events(logGroupName=filled_group, logStreamName="odd", logEvents=events)

    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


@pytest.mark.parametrize("name", ["aws/mine", "aws/"])
def test_a_name_that_is_aws_own_is_refused(emulator: RunningEmulator, name: str) -> None:
    """ "Log group names can't start with the string aws/"."""
    with pytest.raises(ClientError, match="reserved"):
        emulator.client("logs").create_log_group(logGroupName=name)


def test_names_are_told_apart_by_case_and_taken_once(emulator: RunningEmulator, filled_group: str) -> None:
    logs = emulator.client("logs")
    logs.create_log_group(logGroupName=filled_group + "/A")
    logs.create_log_group(logGroupName=filled_group + "/a")
    logs.create_log_stream(logGroupName=filled_group, logStreamName="ODD")

    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=filled_group + "/a")
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=filled_group, logStreamName="odd")
