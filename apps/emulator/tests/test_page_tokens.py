"""A nextToken goes on with its own list, in its own direction, for a day."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from apps.emulator.clock import Clock
from apps.emulator.page_tokens import LIFETIME_S, PageTokenError, PageTokens
from apps.emulator.tests.running_emulator import RunningEmulator, new_session_id
from apps.emulator.tests.test_control_plane import create

LISTS: dict[str, dict[str, Any]] = {
    "list_agent_runtimes": {"maxResults": 1},
    "list_agent_runtime_versions": {"agentRuntimeId": "sentiment_scorer-Aw8DkP4vGn", "maxResults": 1},
    "list_agent_runtime_endpoints": {"agentRuntimeId": "travel_concierge-Xk29QmT7aB", "maxResults": 1},
    "describe_log_groups": {"limit": 1},
    "describe_log_streams": {"limit": 1},
    "filter_log_events": {"limit": 1},
    "get_log_events": {"logStreamName": "one", "limit": 1, "startFromHead": True},
}
Call = Callable[..., dict[str, Any]]


@pytest.fixture
def calls(emulator: RunningEmulator) -> dict[str, Call]:
    """Every list operation, ready to be called for its first page of one."""
    logs, group = emulator.client("logs"), f"/pages/{new_session_id()}"
    now_ms = int(time.time() * 1000) - 60_000
    logs.create_log_group(logGroupName=group)
    logs.create_log_group(logGroupName=f"{group}/more")
    for stream in ("one", "two"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": now_ms + number, "message": f"{stream} {number}"} for number in range(3)]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    ready: dict[str, Call] = {}
    for operation, members in LISTS.items():
        client = logs if "log" in operation else emulator.client("bedrock-agentcore-control")
        fixed = dict(members)
        if "log" in operation:
            fixed["logGroupNamePrefix" if operation == "describe_log_groups" else "logGroupName"] = group
        ready[operation] = partial(getattr(client, operation), **fixed)
    return ready


def token_of(answer: dict[str, Any]) -> str:
    return str(answer.get("nextToken") or answer["nextForwardToken"])


def refused(call: Call, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_token_of_another_list_is_refused(calls: dict[str, Call]) -> None:
    tokens = {operation: token_of(call()) for operation, call in calls.items()}

    for operation, call in calls.items():
        call(nextToken=tokens[operation])
        for other, token in tokens.items():
            if other != operation:
                code, message = refused(call, nextToken=token)
                expected = "InvalidParameterException" if "log" in operation else "ValidationException"
                assert (code, "nextToken" in message) == (expected, True), f"{operation} took a token of {other}"


def changed(token: str) -> list[str]:
    """A token with a character less, more, another one, in other letters, and what could be made of it."""
    head, body = token[:2] if token[1] == "/" else "", token.partition("/")[2] or token
    middle = len(body) // 2
    other = "A" if body[middle] != "A" else "B"
    forged = base64.urlsafe_b64encode(b"3").decode()
    bodies = [body[:-4], body + "AAAA", body[:middle] + other + body[middle + 1 :], body.swapcase(), forged, "0" * 56]
    return [head + each for each in bodies]


def test_a_changed_token_is_refused(calls: dict[str, Call]) -> None:
    for operation, call in calls.items():
        for token in changed(token_of(call())):
            code, message = refused(call, nextToken=token)
            assert code in ("InvalidParameterException", "ValidationException"), operation
            assert "nextToken" in message


def test_a_token_of_the_same_list_of_something_else_is_refused(
    emulator: RunningEmulator, calls: dict[str, Call]
) -> None:
    runtime_id = create(emulator, "made_for_tokens")
    others: dict[str, dict[str, Any]] = {
        "list_agent_runtime_versions": {"agentRuntimeId": runtime_id},
        "list_agent_runtime_endpoints": {"agentRuntimeId": runtime_id},
        "describe_log_groups": {"logGroupNamePrefix": "/pages"},
        "describe_log_streams": {"descending": True},
        "filter_log_events": {"filterPattern": "one"},
        "get_log_events": {"logStreamName": "two"},
    }
    for operation, members in others.items():
        token = token_of(calls[operation]())
        assert "nextToken" in refused(calls[operation], nextToken=token, **members)[1], operation


@given(token=st.text(max_size=80))
def test_no_made_up_token_is_read(token: str) -> None:
    with pytest.raises(PageTokenError):
        PageTokens(Clock()).read(token, ["list"])


def test_a_token_is_good_for_a_day() -> None:
    clock = Clock()
    tokens = PageTokens(clock)
    token = tokens.make(["list"], 5)

    clock.advance(LIFETIME_S - 60)
    assert tokens.read(token, ["list"]) == 5
    clock.advance(120)
    with pytest.raises(PageTokenError):
        tokens.read(token, ["list"])


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("then", [{}, {"startFromHead": True}, {"startFromHead": False}])
def test_the_token_decides_the_direction(calls: dict[str, Call], newest_first: bool, then: dict[str, Any]) -> None:
    """ "If you provide both nextToken and startFromHead, the direction of the nextToken is used." """
    call = calls["filter_log_events"]
    page = call(limit=4, startFromHead=not newest_first)
    found = [event["message"] for event in page["events"]]
    rest = call(limit=4, nextToken=page["nextToken"], **then)
    found += [event["message"] for event in rest["events"]]

    in_order = [f"{stream} {number}" for number in range(3) for stream in ("one", "two")]
    assert found == (in_order[::-1] if newest_first else in_order)
    assert "nextToken" not in rest


@pytest.mark.parametrize("from_head", [True, False])
def test_a_stream_goes_on_as_its_token_says(calls: dict[str, Call], from_head: bool) -> None:
    call = calls["get_log_events"]
    first = call(startFromHead=True)

    after = call(nextToken=first["nextForwardToken"], startFromHead=from_head)
    back = call(nextToken=after["nextBackwardToken"], startFromHead=from_head)
    before = call(nextToken=back["nextBackwardToken"], startFromHead=from_head)

    found = [[event["message"] for event in page["events"]] for page in (first, after, back, before)]
    assert found == [["one 0"], ["one 1"], ["one 0"], []]
    assert before["nextBackwardToken"] == back["nextBackwardToken"]
