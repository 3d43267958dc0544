"""When an agent started to work, read from what its runtime logged.

Three kinds of lines tell it, the best first:

1. `Agent invoked - Start time: <ISO time>[, Request ID: <id>]`, a convention of some applications;
2. `Returning streaming response (generator) (<seconds>s)`, the AgentCore SDK: start = time of the line − seconds; and
   `incoming request` for `/invocations`, its SDK for TypeScript: start = time of the line;
3. the SDK's other lines that end a request and say how long it took: `Invocation completed successfully (<seconds>s)`,
   `Invocation failed (…)`, `Invocation returned HTTP 404 (…)`, `HTTP 404 (…): …`, `Invalid JSON in request (…): …`.

They come bare, as the words of a JSON line, or behind what a formatter puts before each message: time, level, name of
the logger, ids in brackets. Only a whole line counts: an agent that logs the prompt must not be able to quote one. A
prefix that could as well be the beginning of a sentence is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from apps.aws.logs.records import parse_record, parse_time, plain, words_of, written_at
from apps.aws.logs.streams import LogEvent, classify

FIRST_EVENT = "First log event"

_SDK_LOGGER = "bedrock_agentcore"
_LOGGER_KEYS = ("logger", "name", "logger_name", "loggerName")

# What formatters put before a message. A name counts only between the separators of one: `INFO:main:`, ` - main - `,
# `main:invoke:7 - `, or with dots (`app.main: `); `Prompt: ` and `INFO said ` are words.
_LEVEL = r"(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL)"
_TIME = r"[0-9]{2,4}[0-9:/.,TZ+-]{3,40}(?: [0-9:.,+-]{4,20}Z?)?"
_ID = r"(?:[A-Za-z._-]*[Ii][Dd][:=][^\[\]]{0,200}|(?=[^\[\]]*[0-9])[\w.:@/+=-]{1,200}|-|None)"
_IDS = rf"(?:\[{_ID}\][ \t]*)*"
_NAME = r"(?P<{}>[A-Za-z_][\w.$]*(?::[\w.<>$]+)*(?::[0-9]+)?)"
_LEVEL_FIELD = rf"\[?{_LEVEL}[ \t]*\]?"
_PREFIXES = (
    # LEVEL:name:
    rf"{_LEVEL}:{_NAME.format('name0')}:",
    # time - name - LEVEL - , with | as well, in any order, without the time or the name
    rf"(?:\[?{_TIME}\]?[ \t]*[-|][ \t]*)?(?:{_NAME.format('name1')}[ \t]*[-|][ \t]+)?{_LEVEL_FIELD}[ \t]*[-|][ \t]*"
    rf"(?:{_NAME.format('name2')}[ \t]*[-|][ \t]+)?",
    # [time] [LEVEL] [id] app.main: , LEVEL<tab>time<tab>id<tab>
    rf"(?:\[?{_TIME}\]?[ \t]+{_IDS}{_LEVEL_FIELD}|{_LEVEL_FIELD}(?:[ \t]+{_TIME})?)(?::|[ \t])[ \t]*{_IDS}"
    rf"(?:[0-9a-f]{{8}}-[0-9a-f-]{{27}}[ \t]+)?"
    r"(?:(?P<name3>[A-Za-z_]\w*(?:(?:\.|::)\w+)+)(?: -|:)[ \t]+)?",
    # ids only
    "",
)
_PREFIX_PATTERNS = [re.compile(rf"{prefix}{_IDS}") for prefix in _PREFIXES]
# The first text format of the SDK, whatever its time looks like.
_SDK_TEXT_PATTERN = re.compile(
    rf"[0-9]{{4}}-\S{{1,40}}(?: \S{{1,40}})? - (?P<name0>{_SDK_LOGGER}\S{{0,40}}) - [A-Z]+ - {_IDS}"
)
_LONGEST_PREFIX = 600

_ISO_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
_DURATION = r"\((?P<seconds>[0-9]{1,7}\.[0-9]{1,9})s\)"
_INVOKED_PATTERN = re.compile(rf"Agent invoked - Start time: (?P<time>{_ISO_TIME})(?:, Request ID: \S*)?")
_STREAMING_PATTERN = re.compile(rf"Returning streaming response \((?:async )?generator\) {_DURATION}")
# A failure may be followed by its traceback.
_COMPLETED_PATTERN = re.compile(
    rf"(?:Invocation (?:completed successfully|failed|returned HTTP [0-9]{{3}})|Debug action completed) {_DURATION}"
    r"(?:\nTraceback (?s:.*))?"
)
# These end with words of the agent's, so they count only where the line says that the SDK wrote it.
_REFUSED_PATTERN = re.compile(rf"(?:HTTP [0-9]{{3}}|Invalid (?:JSON|encoding) in request) {_DURATION}: (?s:.*)")
_BEGINNINGS = re.compile(r"Agent invoked - |Returning streaming |Invocation |Debug action |HTTP [0-9]|Invalid ")

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


@dataclass(frozen=True, slots=True)
class _Written:
    """A line without what its formatter added: its words, when they were written and by which logger."""

    text: str
    at: datetime
    logger: str | None

    @property
    def is_of_sdk(self) -> bool:
        return self.logger is not None and self.logger.startswith(_SDK_LOGGER)


def parse_marker(message: str, at: datetime) -> Marker | None:
    """Read one log line that CloudWatch dates `at` (aware); None if it is no marker or has no valid time.

    A JSON line's own time is nearer to the agent than `at` and wins, for ranks 2 and 3.
    """
    record = parse_record(message)
    if record is not None and (started_at := _incoming_at(record)):
        return Marker(2, started_at, "incoming request")
    written = _of_text(message, at) if record is None else _of_record(record, at)
    if written is None:
        return None
    if match := _INVOKED_PATTERN.fullmatch(written.text):
        invoked_at = parse_time(match["time"])
        return None if invoked_at is None else Marker(1, invoked_at, "Agent invoked")
    if written.logger is not None and not written.is_of_sdk:
        return None
    if match := _STREAMING_PATTERN.fullmatch(written.text):
        return _marker_before(2, written.at, match["seconds"], "Returning streaming response")
    match = _COMPLETED_PATTERN.fullmatch(written.text)
    if match is None and written.is_of_sdk:
        match = _REFUSED_PATTERN.fullmatch(written.text)
    return None if match is None else _marker_before(3, written.at, match["seconds"], "Invocation completed")


def _of_text(message: str, at: datetime, logger: str | None = None) -> _Written | None:
    """A text line behind its formatter's prefix; None where no marker can begin, or what is before it is no prefix."""
    line = plain(message).strip()
    beginning = _BEGINNINGS.search(line[: _LONGEST_PREFIX + 1])
    if beginning is None:
        return None
    prefix, text = line[: beginning.start()], line[beginning.start() :]
    if not prefix:
        return _Written(text, at, logger)
    for pattern in (_SDK_TEXT_PATTERN, *_PREFIX_PATTERNS):
        if match := pattern.fullmatch(prefix):
            return _Written(text, at, next(filter(None, match.groups()), logger))
    return None


def _of_record(record: Mapping[str, Any], at: datetime) -> _Written | None:
    words = words_of(record)
    if words is None:
        return None
    scope = record.get("scope") or record.get("instrumentationScope")
    named = [record.get(key) for key in _LOGGER_KEYS] + ([scope.get("name")] if isinstance(scope, dict) else [])
    logger = next((name for name in named if isinstance(name, str) and name), None)
    return _of_text(words, written_at(record) or at, logger)


def _incoming_at(record: Mapping[str, Any]) -> datetime | None:
    """When a line of Fastify, on which the SDK for TypeScript stands, says that the request came."""
    request = record.get("req")
    if record.get("msg") != "incoming request" or not isinstance(request, dict):
        return None
    is_invocation = request.get("method") == "POST" and request.get("url") == "/invocations"
    return written_at(record) if is_invocation else None


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


def marked_starts(events: Sequence[LogEvent]) -> list[Start]:
    """Every start that a line tells, whenever it was, the earliest first."""
    found = [(event.stream, marker) for event in events if (marker := parse_marker(event.message, event.at))]
    starts = [Start(marker.rank, marker.name, marker.started_at, stream) for stream, marker in found]
    return sorted(starts, key=lambda start: start.started_at)


def _marker_before(rank: Literal[2, 3], written_at: datetime, seconds: str, name: str) -> Marker | None:
    try:
        return Marker(rank, written_at - timedelta(seconds=float(seconds)), name)
    except OverflowError:
        return None
