from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.aws.logs.streams import LogEvent, LogStreamName, attribute, classify

SESSION = "f07e0b11-3090-d01d-78b7-ad8eaf4a93fd"
OTHER_SESSION = "0a1b2c3d-3090-d01d-78b7-ad8eaf4a93fd"
ENVIRONMENT = "d46c08d5-f8a1-4bb0-9b8f-c2d9519a7a95"
ENVIRONMENT_STREAM = f"2026/11/20/[runtime-logs]{ENVIRONMENT}"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def line(stream: str, message: str | dict[str, object], second: int = 0) -> LogEvent:
    at = NOON + timedelta(seconds=second)
    written = message if isinstance(message, str) else json.dumps(message)
    return LogEvent(stream=stream, at=at, ingested_at=at, message=written, event_id=f"{stream}-{second}")


def sdk_line(session_id: str) -> dict[str, object]:
    return {"level": "INFO", "message": "x", "logger": "bedrock_agentcore.app", "sessionId": session_id}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            f"2025/12/02/[runtime-logs-{SESSION}]{ENVIRONMENT}",
            LogStreamName("session", SESSION, ENVIRONMENT, date(2025, 12, 2)),
        ),
        (
            f"2026/04/26/[runtime-logs-session-a-{SESSION}]{ENVIRONMENT}",
            LogStreamName("session", f"session-a-{SESSION}", ENVIRONMENT, date(2026, 4, 26)),
        ),
        (ENVIRONMENT_STREAM, LogStreamName("environment", None, ENVIRONMENT, date(2026, 11, 20))),
        (
            f"2026/11/20/[runtime-logs] {ENVIRONMENT}",
            LogStreamName("environment", None, ENVIRONMENT, date(2026, 11, 20)),
        ),
        ("2026/11/20/[runtime-logs]", LogStreamName("environment", None, None, date(2026, 11, 20))),
        ("2026/11/20/runtime-logs", LogStreamName("environment", None, None, date(2026, 11, 20))),
        ("otel-rt-logs", LogStreamName("otel")),
        ("spans", LogStreamName("otel")),
        ("BedrockAgentCoreRuntime_ApplicationLogs", LogStreamName("vended")),
        ("BedrockAgentCoreRuntime_UsageLogs", LogStreamName("vended")),
        ("log_stream_created_by_aws_to_validate_log_delivery_subscriptions", LogStreamName("validation")),
        (f"2026/13/45/[runtime-logs]{ENVIRONMENT}", LogStreamName("other")),
        (f"2026/11/20/[runtime-logs]{ENVIRONMENT}-x", LogStreamName("other")),
        ("my-own-stream", LogStreamName("other")),
        ("", LogStreamName("other")),
    ],
)
def test_the_kinds_of_log_streams(name: str, expected: LogStreamName) -> None:
    """S0-067: the names that AWS really uses."""
    assert classify(name) == expected


@given(st.text() | st.text(max_size=50).map(lambda tail: f"2026/11/20/[runtime-logs-{tail}"))
def test_any_name_has_a_kind(name: str) -> None:
    assert (classify(name).kind == "session") == (classify(name).session_id is not None)


def test_a_stream_named_after_a_session_belongs_to_it() -> None:
    stream = f"2026/11/20/[runtime-logs-{SESSION}]{ENVIRONMENT}"
    late, early = line(stream, "late", 2), line(stream, sdk_line(OTHER_SESSION), 1)

    assert attribute([late, early]) == {SESSION: [early, late]}


@pytest.mark.parametrize(
    "naming",
    [sdk_line(SESSION), {"session_id": SESSION}, {"attributes": {"session.id": SESSION}}, {"sessionId": SESSION}],
)
def test_an_environment_belongs_to_the_session_that_a_line_names(naming: dict[str, object]) -> None:
    boot, named, bare = (
        line(ENVIRONMENT_STREAM, "boot", 0),
        line(ENVIRONMENT_STREAM, naming, 5),
        line(ENVIRONMENT_STREAM, "print", 6),
    )

    assert attribute([boot, named, bare]) == {SESSION: [boot, named, bare]}


def test_the_sdk_knows_the_session_better_than_the_agent() -> None:
    lines = [
        line(ENVIRONMENT_STREAM, {"session_id": "database-session-7"}, 1),
        line(ENVIRONMENT_STREAM, sdk_line(SESSION), 2),
        # An agent that prints the prompt prints whatever somebody wrote into it.
        line(ENVIRONMENT_STREAM, {"sessionId": OTHER_SESSION}, 3),
    ]

    assert attribute(lines) == {SESSION: lines}


def test_an_environment_with_two_sessions_is_attributed_line_by_line() -> None:
    mine, theirs, bare = (
        line(ENVIRONMENT_STREAM, sdk_line(SESSION), 1),
        line(ENVIRONMENT_STREAM, sdk_line(OTHER_SESSION), 2),
        line(ENVIRONMENT_STREAM, "bare", 3),
    )

    assert attribute([mine, theirs, bare]) == {SESSION: [mine], OTHER_SESSION: [theirs]}


@pytest.mark.parametrize(
    "stream", ["otel-rt-logs", "BedrockAgentCoreRuntime_ApplicationLogs", "2026/11/20/[runtime-logs]", "mine"]
)
def test_shared_streams_are_attributed_line_by_line(stream: str) -> None:
    mine, theirs, bare = (
        line(stream, {"session_id": SESSION}, 1),
        line(stream, {"attributes": {"session.id": OTHER_SESSION}}, 2),
        line(stream, "bare", 3),
    )

    assert attribute([mine, theirs, bare]) == {SESSION: [mine], OTHER_SESSION: [theirs]}


@pytest.mark.parametrize("stream", ["otel-rt-logs", "2026/11/20/[runtime-logs]"])
def test_one_name_in_a_shared_stream_does_not_claim_its_other_lines(stream: str) -> None:
    named, bare = line(stream, sdk_line(SESSION), 1), line(stream, "bare", 2)

    assert attribute([named, bare]) == {SESSION: [named]}


def test_one_session_may_have_several_streams() -> None:
    first = line(f"2026/11/20/[runtime-logs-{SESSION}]{ENVIRONMENT}", "b", 2)
    second = line("otel-rt-logs", {"attributes": {"session.id": SESSION}}, 1)

    assert attribute([first, second]) == {SESSION: [second, first]}


@pytest.mark.parametrize(
    "message",
    [
        "bare",
        "{broken",
        "[1]",
        json.dumps({"sessionId": 7}),
        json.dumps({"sessionId": ""}),
        json.dumps({"request": {"sessionId": SESSION}}),
        json.dumps({"message": json.dumps({"sessionId": SESSION})}),
        f"prompt was {json.dumps({'sessionId': SESSION})}",
        '{"a":' * 5_000,
    ],
)
def test_what_names_no_session_is_left_out(message: str) -> None:
    assert attribute([line(ENVIRONMENT_STREAM, message)]) == {}


def test_the_stream_that_validates_deliveries_is_left_out() -> None:
    stream = "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"

    assert attribute([line(stream, sdk_line(SESSION))]) == {}


SDK_TEXT = "2025-09-05 10:00:00,123 - bedrock_agentcore.app - INFO - "


@pytest.mark.parametrize(
    ("message", "owner"),
    [
        (f"{SDK_TEXT}[rid:r-1] [sid:{SESSION}] Processing", SESSION),
        (f"[rid:r-1] [sid:{SESSION}] Processing", SESSION),
        (f"Prompt: [rid:r-1] [sid:{SESSION}] Processing", None),
        (f"[sid:{SESSION}] said somebody", None),
    ],
)
def test_the_text_lines_of_the_sdk_name_their_session(message: str, owner: str | None) -> None:
    """SDK 0.1.3; bare lines of the same environment are that session's too."""
    lines = [line(ENVIRONMENT_STREAM, "booting", 0), line(ENVIRONMENT_STREAM, message, 1)]
    assert attribute(lines) == ({} if owner is None else {owner: lines})


def test_lines_of_one_instant_are_in_the_order_of_their_ids() -> None:
    named = f"2026/11/20/[runtime-logs-{SESSION}]{ENVIRONMENT}"
    lines = [LogEvent(named, NOON, NOON, str(number), f"{number:056d}") for number in range(12)]
    assert attribute(lines[::-1]) == {SESSION: lines}
