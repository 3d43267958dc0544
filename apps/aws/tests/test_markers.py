from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.aws.logs.markers import Marker, Start, find_start, parse_marker
from apps.aws.logs.streams import LogEvent

AT = datetime(2026, 11, 20, 23, 26, tzinfo=UTC)
INVOKED = "Agent invoked - Start time: 2026-02-11T19:44:38.558763"
STREAMING = "Returning streaming response (generator) (0.000s)"
STREAM = "2026/11/20/[runtime-logs]d46c08d5-f8a1-4bb0-9b8f-c2d9519a7a95"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sdk(message: str, timestamp: str = "2026-11-20T23:25:57.587Z", logger: str = "bedrock_agentcore.app") -> str:
    return json.dumps({"timestamp": timestamp, "level": "INFO", "message": message, "logger": logger})


def event(message: str, at: datetime, stream: str = STREAM) -> LogEvent:
    return LogEvent(stream=stream, at=at, ingested_at=at, message=message, event_id="")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (json.dumps({"message": f"{INVOKED}, Request ID: abc", "sessionId": "x"}), "2026-02-11T19:44:38.558763"),
        (f"{INVOKED}, Request ID: abc", "2026-02-11T19:44:38.558763"),
        (INVOKED, "2026-02-11T19:44:38.558763"),
        (f"{INVOKED}Z, Request ID: abc\n", "2026-02-11T19:44:38.558763"),
        (f"{INVOKED}+00:00, Request ID: abc", "2026-02-11T19:44:38.558763"),
        (f"{INVOKED}+02:00, Request ID: abc", "2026-02-11T17:44:38.558763"),
        ("Agent invoked - Start time: 2026-02-11T19:44:38, Request ID: abc", "2026-02-11T19:44:38"),
        ("Agent invoked - Start time: 2026-02-11 19:44:38.5", "2026-02-11T19:44:38.500"),
        (sdk(INVOKED, logger="my_agent"), "2026-02-11T19:44:38.558763"),
    ],
)
def test_an_application_tells_its_start_itself(message: str, expected: str) -> None:
    """S0-061: the time in the line counts, UTC unless it says otherwise."""
    assert parse_marker(message, AT) == Marker(1, utc(expected), "Agent invoked")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (sdk(STREAMING), Marker(2, utc("2026-11-20T23:25:57.587"), "Returning streaming response")),
        (
            sdk("Returning streaming response (async generator) (0.012s)"),
            Marker(2, utc("2026-11-20T23:25:57.575"), "Returning streaming response"),
        ),
        (
            sdk("Invocation completed successfully (0.119s)", "2026-11-20T23:25:59.678Z"),
            Marker(3, utc("2026-11-20T23:25:59.559"), "Invocation completed"),
        ),
        (
            sdk("Invocation failed (1.500s)", "2026-11-20T23:25:59.678Z"),
            Marker(3, utc("2026-11-20T23:25:58.178"), "Invocation completed"),
        ),
        (
            "2025-08-01 10:00:00,123 - bedrock_agentcore.app - INFO - [req-1] "
            "Returning streaming response (generator) (0.001s)",
            Marker(2, AT - timedelta(milliseconds=1), "Returning streaming response"),
        ),
        (
            "2025-… - bedrock_agentcore.app - INFO - Invocation completed successfully (2.000s)",
            Marker(3, AT - timedelta(seconds=2), "Invocation completed"),
        ),
        (STREAMING, Marker(2, AT, "Returning streaming response")),
        (sdk(STREAMING, "yesterday"), Marker(2, AT, "Returning streaming response")),
        (sdk(STREAMING, "2026-11-20"), Marker(2, AT, "Returning streaming response")),
        (json.dumps({"message": STREAMING, "timestamp": 7}), Marker(2, AT, "Returning streaming response")),
    ],
)
def test_the_sdk_tells_how_long_ago_it_began(message: str, expected: Marker) -> None:
    """A JSON line's own time is nearer to the agent than CloudWatch's."""
    assert parse_marker(message, AT) == expected


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Booting",
        "Agent invoked - Start time: 2026-02-31T19:44:38.558763, Request ID: abc",
        "Agent invoked - Start time: soon, Request ID: abc",
        "Agent invoked - Start time: 0001-01-01T00:00:00+14:00",
        f"Prompt: {INVOKED}, Request ID: abc",
        f"{INVOKED}, Request ID: abc and more",
        f"{INVOKED}\n{INVOKED}",
        json.dumps(INVOKED),
        json.dumps([INVOKED]),
        json.dumps({"prompt": INVOKED}),
        json.dumps({"message": {"text": INVOKED}}),
        json.dumps({"message": f"User said: {STREAMING}"}),
        json.dumps({"message": json.dumps({"message": STREAMING})}),
        sdk(STREAMING, logger="my_agent"),
        sdk("Invocation completed successfully (0.119s)", logger="my_agent"),
        sdk("Invocation completed successfully (nans)"),
        sdk("Invocation completed successfully (99999999999.0s)"),
        sdk("Invocation completed successfully (9999999.0s)", "0001-01-01T00:00:00Z"),
        sdk("Invocation completed successfully (٠.١s)"),
        '{"message":' * 5_000,
    ],
)
def test_a_line_that_only_quotes_a_marker_is_none(message: str) -> None:
    assert parse_marker(message, AT) is None


@given(st.text() | st.text().map(lambda tail: INVOKED[:28] + tail) | st.text().map(sdk))
def test_no_line_breaks_the_parser(message: str) -> None:
    assert parse_marker(message, AT) is None


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def invoked(seconds: float) -> str:
    return f"Agent invoked - Start time: {at(seconds).isoformat()}, Request ID: r"


def test_the_best_marker_wins_although_others_are_earlier() -> None:
    events = [
        event("boot", at(0.1)),
        event("Invocation completed successfully (2.000s)", at(2.5)),
        event(STREAMING, at(0.7)),
        event(invoked(0.9), at(0.9)),
        event(invoked(0.8), at(1.0)),
    ]

    starts = []
    while events:
        starts.append(find_start(events, invoked_at=NOON, not_after=at(3)))
        events.pop()
    assert starts == [
        Start(1, "Agent invoked", at(0.8), STREAM),
        Start(1, "Agent invoked", at(0.9), STREAM),
        Start(2, "Returning streaming response", at(0.7), STREAM),
        Start(3, "Invocation completed", at(0.5), STREAM),
        Start(4, "First log event", at(0.1), STREAM),
    ]


@pytest.mark.parametrize(
    ("started_at", "is_taken"),
    [(-1.0, True), (-1.001, False), (0.0, True), (6.0, True), (6.001, False), (-1_200.0, False)],
)
def test_only_a_start_in_the_invocations_own_time_counts(started_at: float, *, is_taken: bool) -> None:
    """A pre-warmed environment logs its boot minutes earlier; the session's next invocation logs later."""
    start = find_start([event(invoked(started_at), at(-1_200))], invoked_at=NOON, not_after=at(5))

    assert start == (Start(1, "Agent invoked", at(started_at), STREAM) if is_taken else None)


def test_without_a_marker_the_first_line_since_the_invocation_is_the_start() -> None:
    events = [event("boot", at(-300)), event("a bit early", at(-0.5)), event("second", at(2)), event("first", at(1))]

    assert find_start(events, invoked_at=NOON, not_after=None) == Start(4, "First log event", at(1), STREAM)
    assert find_start(events[:2], invoked_at=NOON, not_after=None) is None
    assert find_start(events, invoked_at=NOON, not_after=at(-0.5)) is None
    assert find_start([], invoked_at=NOON, not_after=None) is None


def test_the_first_line_of_another_part_of_aws_is_no_start() -> None:
    events = [
        event("{}", at(1), "otel-rt-logs"),
        event("{}", at(1), "BedrockAgentCoreRuntime_ApplicationLogs"),
        event("x", at(2)),
    ]

    assert find_start(events, invoked_at=NOON, not_after=None) == Start(4, "First log event", at(2), STREAM)


def test_the_tolerance_can_be_chosen() -> None:
    events = [event(invoked(-4), at(-4))]

    assert find_start(events, invoked_at=NOON, not_after=None, tolerance=timedelta(seconds=5)) == Start(
        1, "Agent invoked", at(-4), STREAM
    )
