"""When an agent started to work, read from what its runtime logged.

Three lines tell it, the best first:

1. `Agent invoked - Start time: <ISO time>[, Request ID: <id>]`, a convention of some applications;
2. `Returning streaming response (generator) (<seconds>s)`, the AgentCore SDK: start = time of the line − seconds;
3. `Invocation completed successfully (<seconds>s)` or `Invocation failed (…)`, likewise.

They come bare, in the `message` of a JSON line, or behind the prefix of the SDK's first text format. Only a whole
line counts: an agent that logs the prompt must not be able to quote one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from apps.aws.logs.streams import LogEvent, classify, parse_record

FIRST_EVENT = "First log event"

_SDK_LOGGER = "bedrock_agentcore"
_TEXT_PREFIX = r"(?:[0-9]{4}-\S{1,40}(?: \S{1,40})? - bedrock_agentcore\S{0,40} - [A-Z]+ - (?:\[[^\]]*\] )?)?"
_ISO_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
_DURATION = r"\((?P<seconds>[0-9]{1,7}\.[0-9]{1,9})s\)"
_ISO_TIME_PATTERN = re.compile(_ISO_TIME)
_INVOKED_PATTERN = re.compile(rf"{_TEXT_PREFIX}Agent invoked - Start time: (?P<time>{_ISO_TIME})(?:, Request ID: \S*)?")
_STREAMING_PATTERN = re.compile(rf"{_TEXT_PREFIX}Returning streaming response \((?:async )?generator\) {_DURATION}")
_COMPLETED_PATTERN = re.compile(rf"{_TEXT_PREFIX}Invocation (?:completed successfully|failed) {_DURATION}")

# A runtime's stream tells when the agent did something; these are written by other parts of AWS.
_STREAMS_OF_OTHERS = frozenset({"otel", "vended", "validation"})


@dataclass(frozen=True, slots=True)
class Marker:
    """What one line says about the start; a lower rank is better."""

    rank: Literal[1, 2, 3]
    started_at: datetime
    name: str


@dataclass(frozen=True, slots=True)
class Start:
    """When an invocation's work began, by the best line there is; rank 4 is merely the first line of the session."""

    rank: Literal[1, 2, 3, 4]
    marker: str
    started_at: datetime
    stream: str


def parse_marker(message: str, at: datetime) -> Marker | None:
    """Read one log line that CloudWatch dates `at` (aware); None if it is no marker or has no valid time.

    A JSON line's own `timestamp` is nearer to the agent than `at` and wins, for ranks 2 and 3.
    """
    line, written_at, written_by = message.strip(), at, _SDK_LOGGER
    record = parse_record(line)
    if record is not None:
        text, timestamp, logger = record.get("message"), record.get("timestamp"), record.get("logger")
        if not isinstance(text, str):
            return None
        line = text.strip()
        written_at = (_parse_time(timestamp) if isinstance(timestamp, str) else None) or at
        written_by = logger if isinstance(logger, str) else _SDK_LOGGER
    if match := _INVOKED_PATTERN.fullmatch(line):
        started_at = _parse_time(match["time"])
        return None if started_at is None else Marker(1, started_at, "Agent invoked")
    if not written_by.startswith(_SDK_LOGGER):
        return None
    if match := _STREAMING_PATTERN.fullmatch(line):
        return _marker_before(2, written_at, match["seconds"], "Returning streaming response")
    if match := _COMPLETED_PATTERN.fullmatch(line):
        return _marker_before(3, written_at, match["seconds"], "Invocation completed")
    return None


def find_start(
    events: Sequence[LogEvent],
    *,
    invoked_at: datetime,
    not_after: datetime | None,
    tolerance: timedelta = timedelta(seconds=1),
) -> Start | None:
    """When the invocation sent at `invoked_at` started, from the events of its session alone.

    Only a start within [invoked_at − tolerance, not_after + tolerance] counts, since a stream also holds the boot of
    a pre-warmed environment and the session's other invocations. The lowest rank wins, then the earliest; without a
    marker it is the first event at or after `invoked_at` (rank 4).
    """
    latest = None if not_after is None else not_after + tolerance
    starts: list[Start] = []
    for event in events:
        marker = parse_marker(event.message, event.at)
        if marker is not None and invoked_at - tolerance <= marker.started_at:
            starts.append(Start(marker.rank, marker.name, marker.started_at, event.stream))
        if event.at >= invoked_at and classify(event.stream).kind not in _STREAMS_OF_OTHERS:
            starts.append(Start(4, FIRST_EVENT, event.at, event.stream))
    in_time = [start for start in starts if latest is None or start.started_at <= latest]
    return min(in_time, key=lambda start: (start.rank, start.started_at), default=None)


def _marker_before(rank: Literal[2, 3], written_at: datetime, seconds: str, name: str) -> Marker | None:
    try:
        return Marker(rank, written_at - timedelta(seconds=float(seconds)), name)
    except OverflowError:
        return None


def _parse_time(text: str) -> datetime | None:
    """An ISO 8601 time as aware UTC; one without a zone is UTC, as runtimes run in it."""
    if _ISO_TIME_PATTERN.fullmatch(text) is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
