"""What the name of a CloudWatch log stream tells, and which session a line belongs to.

A runtime writes one stream for each execution environment, named with its session (direct code) or without
(containers); OpenTelemetry and opt-in log deliveries share one stream among all sessions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from apps.aws.logs.records import parse_record

VALIDATION_STREAM = "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"

_OTEL_STREAMS = frozenset({"otel-rt-logs", "spans"})
_VENDED_PREFIX = "BedrockAgentCoreRuntime_"
_SDK_LOGGER = "bedrock_agentcore"
_EVENT_ID_DIGITS = 56
# As the SDK's text formats begin a line; a prompt that is logged begins with neither.
_TEXT_SESSION = re.compile(
    r"(?P<sdk>[0-9]{4}-\S{1,40}(?: \S{1,40})? - bedrock_agentcore\S{0,40} - [A-Z]+ - )?"
    r"\[rid:[^\]]{0,200}\] \[sid:(?P<session_id>[^\]\s]{1,256})\] "
)
_DATED_PATTERN = re.compile(
    r"(?P<day>[0-9]{4}/[0-9]{2}/[0-9]{2})/"
    # AWS's documents show the name also with a blank, without the environment and without brackets.
    r"(?:\[runtime-logs(?:-(?P<session_id>[^\]]+))?\](?: ?(?P<environment_id>[0-9a-fA-F-]{36}))?|runtime-logs)"
)


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One line of a log stream. `at` is when the agent wrote it, `ingested_at` when CloudWatch got it (aware, UTC)."""

    stream: str
    at: datetime
    ingested_at: datetime
    message: str
    event_id: str


@dataclass(frozen=True, slots=True)
class LogStreamName:
    """What a log stream's name says: `day` is the UTC day the environment was made."""

    kind: Literal["session", "environment", "otel", "vended", "validation", "other"]
    session_id: str | None = None
    environment_id: str | None = None
    day: date | None = None


def classify(name: str) -> LogStreamName:
    """Read a log stream's name; anything unknown is of the kind `other`."""
    if name == VALIDATION_STREAM:
        return LogStreamName("validation")
    if name in _OTEL_STREAMS:
        return LogStreamName("otel")
    if name.startswith(_VENDED_PREFIX):
        return LogStreamName("vended")
    match = _DATED_PATTERN.fullmatch(name)
    if match is None:
        return LogStreamName("other")
    try:
        day = date(*(int(part) for part in match["day"].split("/")))
    except ValueError:
        return LogStreamName("other")
    session_id = match["session_id"]
    kind: Literal["session", "environment"] = "environment" if session_id is None else "session"
    return LogStreamName(kind, session_id, match["environment_id"], day)


def attribute(events: Sequence[LogEvent]) -> dict[str, list[LogEvent]]:
    """Sort events by the session they belong to: session id → its events in time order.

    A stream named after a session belongs to it. A stream of one environment belongs to the one session that its
    lines name, the SDK's own lines counting most; where they name several, and in streams that sessions share, each
    line belongs to the session that it names. What cannot be attributed is left out.
    """
    by_stream: dict[str, list[LogEvent]] = {}
    for event in events:
        by_stream.setdefault(event.stream, []).append(event)
    by_session: dict[str, list[LogEvent]] = {}
    for stream, lines in by_stream.items():
        for session_id, line in _owners(classify(stream), lines):
            by_session.setdefault(session_id, []).append(line)
    for lines in by_session.values():
        lines[:] = in_order(lines)
    return by_session


def in_order(events: Iterable[LogEvent]) -> list[LogEvent]:
    """The oldest first; lines of one millisecond by stream, and those of one stream as they were written.

    CloudWatch's event ids ascend with that. Events without one keep the order in which they are given.
    """
    return sorted(events, key=_place)


def _place(event: LogEvent) -> tuple[datetime, str, str]:
    is_numbered = len(event.event_id) == _EVENT_ID_DIGITS and event.event_id.isdecimal()
    return event.at, event.stream, event.event_id if is_numbered else ""


def _owners(name: LogStreamName, lines: Sequence[LogEvent]) -> Iterable[tuple[str, LogEvent]]:
    """Each line that can be attributed, with its session."""
    if name.kind == "validation":
        return []
    if name.session_id is not None:
        return [(name.session_id, line) for line in lines]
    named = [(_named_session(line.message), line) for line in lines]
    # Without an environment in its name, a stream may hold several of them.
    if name.environment_id is not None and (owner := _only_session([found for found, _ in named if found])):
        return [(owner, line) for line in lines]
    return [(found.session_id, line) for found, line in named if found]


@dataclass(frozen=True, slots=True)
class _NamedSession:
    session_id: str
    by_sdk: bool


def _only_session(named: Sequence[_NamedSession]) -> str | None:
    """The one session that the SDK's lines name, else the one that any lines name."""
    by_sdk = {found.session_id for found in named if found.by_sdk}
    candidates = by_sdk or {found.session_id for found in named}
    return candidates.pop() if len(candidates) == 1 else None


def _named_session(message: str) -> _NamedSession | None:
    """The session that a JSON line names at its top level or in its OpenTelemetry attributes, or a text of the SDK."""
    record = parse_record(message)
    if record is None:
        text = _TEXT_SESSION.match(message)
        return None if text is None else _NamedSession(text["session_id"], by_sdk=text["sdk"] is not None)
    attributes = record.get("attributes")
    candidates = [record.get("sessionId"), record.get("session_id"), record.get("session.id")]
    if isinstance(attributes, dict):
        candidates.append(attributes.get("session.id"))
    session_id = next((found for found in candidates if isinstance(found, str) and found), None)
    if session_id is None:
        return None
    written_by = record.get("logger")
    by_sdk = isinstance(written_by, str) and written_by.startswith(_SDK_LOGGER) and session_id == candidates[0]
    return _NamedSession(session_id, by_sdk)
