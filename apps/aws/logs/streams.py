"""What the name of a CloudWatch log stream tells, and which session a line belongs to.

A runtime writes one stream for each execution environment, named with its session (direct code) or without
(containers); OpenTelemetry and opt-in log deliveries share one stream among all sessions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

VALIDATION_STREAM = "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"

_OTEL_STREAMS = frozenset({"otel-rt-logs", "spans"})
_VENDED_PREFIX = "BedrockAgentCoreRuntime_"
_SDK_LOGGER = "bedrock_agentcore"
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
        lines.sort(key=lambda event: event.at)
    return by_session


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
    """The session that a JSON line names at its top level or in its OpenTelemetry attributes."""
    record = parse_record(message)
    if record is None:
        return None
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


def parse_record(message: str) -> dict[str, Any] | None:
    """A log line that is one JSON object, else None."""
    text = message.strip()
    if not text.startswith("{"):
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
