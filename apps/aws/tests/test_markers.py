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


IDS = "[rid:0a1b2c3d-0000] [sid:f07e0b11-3090-d01d-78b7-ad8eaf4a93fd] "


@pytest.mark.parametrize(
    "prefix",
    [
        IDS,
        "[req-1] ",
        "[request_id=0a1b] [session.id=x y] ",
        "[-] [None] ",
        "INFO:main:",
        "INFO:app.main:",
        "INFO:__main__:",
        f"INFO:main:{IDS}",
        "INFO: ",
        "INFO - ",
        "INFO     ",
        "[INFO] ",
        "[info     ] ".upper(),
        "2026-11-20 12:00:00,123 - main - INFO - ",
        f"2026-11-20 12:00:00,123 - main - INFO - {IDS}",
        "2026-11-20 12:00:00,123 INFO ",
        "2026-11-20 12:00:00,123 [INFO] ",
        "2026-11-20T12:00:00.123Z INFO ",
        "2026-11-20T12:00:00.123Z INFO app::main: ",
        "2026-11-20 12:00:00.123 | INFO     | main:invoke:7 - ",
        "2026-11-20 12:00:00.123 | INFO | app.main:<module>:7 - ",
        "12:00:00 INFO ",
        "[12:00:00] INFO ",
        "[2026-11-20 12:00:00] [req-7] [INFO] ",
        "[INFO]\t2026-11-20T12:00:00.123Z\t0a1b2c3d-0000-4000-8000-000000000000\t",
        "INFO | main | ",
        "\x1b[32mINFO\x1b[0m:     ",
        "\x1b[2m2026-11-20T12:00:00.123Z\x1b[0m \x1b[32mINFO\x1b[0m ",
    ],
)
def test_a_start_line_may_stand_behind_what_a_formatter_puts_before_it(prefix: str) -> None:
    expected = Marker(1, utc("2026-02-11T19:44:38.558763"), "Agent invoked")
    assert parse_marker(f"{prefix}{INVOKED}, Request ID: abc", AT) == expected
    assert parse_marker(json.dumps({"message": f"{prefix}{INVOKED}"}), AT) == expected


@pytest.mark.parametrize(
    "prefix",
    [
        "Prompt: ",
        "prompt: ",
        "User said: ",
        "User - ",
        "user | ",
        "> ",
        '"',
        "- ",
        "[user] ",
        "[user: alice] ",
        "[rid:1] user: ",
        "[rid:1] said ",
        "INFO said ",
        "INFO said: ",
        "INFO:main:user said ",
        "INFO:main:prompt: ",
        "INFO:main: prompt=",
        "INFO prompt=",
        "2026-11-20 12:00:00,123 - main - INFO - prompt ",
        "2026-11-20 12:00:00,123 - main - INFO - prompt: ",
        "2026-11-20 12:00:00,123 said: ",
        "2026-11-20 said ",
        "level=info msg=",
        "Agent invoked - ",
    ],
)
def test_what_might_be_a_sentence_is_no_prefix(prefix: str) -> None:
    for marker in (f"{INVOKED}, Request ID: abc", STREAMING, "Invocation completed successfully (0.119s)"):
        assert parse_marker(f"{prefix}{marker}", AT) is None
        assert parse_marker(json.dumps({"message": f"{prefix}{marker}"}), AT) is None


SDK_TEXT = "2025-09-05 10:00:00,123 - bedrock_agentcore.app - INFO - "
OF_PYTHON = {"asctime": "2026-11-20 23:25:57,587", "levelname": "INFO", "name": "bedrock_agentcore.app"}
OF_OTEL = {"scope": {"name": "bedrock_agentcore.app"}, "timeUnixNano": 1_763_681_157_587_000_000, "severityNumber": 9}


@pytest.mark.parametrize(
    ("message", "rank", "started_at"),
    [
        (f"{SDK_TEXT}{IDS}{STREAMING}", 2, "2026-11-20T23:26:00"),
        (f"{SDK_TEXT}{IDS}Invocation completed successfully (1.000s)", 3, "2026-11-20T23:25:59"),
        (f"{IDS}{STREAMING}", 2, "2026-11-20T23:26:00"),
        (f"{SDK_TEXT}Invocation failed (1.000s)\nTraceback (most recent call last):\n  x", 3, "2026-11-20T23:25:59"),
        ("INFO:bedrock_agentcore.app:Invocation completed successfully (1.000s)", 3, "2026-11-20T23:25:59"),
        (sdk("Invocation returned HTTP 404 (0.100s)"), 3, "2026-11-20T23:25:57.487"),
        (sdk("HTTP 404 (0.100s): no such plan"), 3, "2026-11-20T23:25:57.487"),
        (sdk("HTTP 503 (0.100s): a detail\nof two lines"), 3, "2026-11-20T23:25:57.487"),
        (sdk("Invalid JSON in request (0.100s): Expecting value"), 3, "2026-11-20T23:25:57.487"),
        (sdk("Invalid encoding in request (0.100s): invalid start byte"), 3, "2026-11-20T23:25:57.487"),
        (sdk("Debug action completed (0.100s)"), 3, "2026-11-20T23:25:57.487"),
        (f"{SDK_TEXT}HTTP 404 (1.000s): no such plan", 3, "2026-11-20T23:25:59"),
        (json.dumps({**OF_PYTHON, "message": STREAMING}), 2, "2026-11-20T23:25:57.587"),
        (json.dumps({**OF_OTEL, "body": STREAMING}), 2, "2025-11-20T23:25:57.587"),
        (json.dumps({**OF_OTEL, "body": {"stringValue": STREAMING}}), 2, "2025-11-20T23:25:57.587"),
        (json.dumps({"event": STREAMING, "logger": "bedrock_agentcore.app"}), 2, "2026-11-20T23:26:00"),
        (json.dumps({"msg": STREAMING, "time": 1_763_681_157_587}), 2, "2025-11-20T23:25:57.587"),
        (json.dumps({"msg": STREAMING, "ts": 1_763_681_157.587}), 2, "2025-11-20T23:25:57.587"),
        (
            json.dumps(
                {
                    "level": 30, "time": 1_763_681_157_587, "reqId": "req-1", "msg": "incoming request",
                    "req": {"method": "POST", "url": "/invocations", "remoteAddress": "127.0.0.1"},
                }
            ),
            2,
            "2025-11-20T23:25:57.587",
        ),
    ],
)  # fmt: skip
def test_every_line_of_the_sdk_that_tells_when_the_request_came(message: str, rank: int, started_at: str) -> None:
    """Of each of its versions, also where the application chose another formatter."""
    marker = parse_marker(message, AT)
    assert marker is not None
    assert (marker.rank, marker.started_at) == (rank, utc(started_at))


@pytest.mark.parametrize(
    "message",
    [
        "HTTP 404 (0.100s): no such plan",
        "Invalid JSON in request (0.100s): x",
        sdk("HTTP 404 (0.100s): no such plan", logger="my_agent"),
        sdk("Async task completed: nightly (0.100s)"),
        sdk("Async task completed: nightly (ID: 7, Duration: 0.10s)"),
        "INFO:my_agent:Invocation completed successfully (1.000s)",
        "2026-11-20 12:00:00,123 - my_agent - INFO - Invocation completed successfully (1.000s)",
        "Invocation failed (1.000s)\nand more",
        json.dumps({**OF_PYTHON, "name": "my_agent", "message": STREAMING}),
        json.dumps({"msg": "incoming request", "time": 1_763_681_157_587, "req": {"method": "GET", "url": "/ping"}}),
        json.dumps({"msg": "incoming request", "time": "soon", "req": {"method": "POST", "url": "/invocations"}}),
        json.dumps({"msg": "request completed", "time": 1_763_681_157_587, "responseTime": 7.5}),
    ],
)
def test_other_lines_with_a_duration_are_no_start(message: str) -> None:
    assert parse_marker(message, AT) is None


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
