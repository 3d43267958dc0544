"""What Loom found in the session's log: when each run began, and the lines themselves, asked for over its API."""

from __future__ import annotations

import re
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from apps.aws.logs.markers import parse_marker
from apps.aws.logs.records import parse_record
from apps.aws.logs.streams import classify
from apps.awsverify.smoke.turns import Turn
from apps.metrics.starts.search import WEAK_RANK
from loom_client import ApiError, Client, Latency, Logs

SKEW = timedelta(seconds=5)
MAX_LINES = 1_000

# The group is made with the first invocation, and that takes a moment.
_MISSING_GROUP = "ResourceNotFoundException"
_REFUSAL_ADVICE = "check_aws says which permission is missing, and the policy statement that grants it."
_REQUEST_ID_PATTERN = re.compile(r"\bRequest ID: (?P<id>\S+)")


@dataclass(slots=True)
class StartOfTurn:
    """When Loom says that a turn began, in ms from the send, and by which line of the log.

    `difference_ms` is what two clocks tell; `startup_ms` is the same where causality allows it, else None. `state` is
    Loom's word for where its search stands. `stream_began_ms` is when the log stream was created: well before the send
    means a pre-warmed environment.
    """

    turn: str
    state: str
    startup_ms: float | None
    difference_ms: float
    marker: str
    rank: int
    stream: str
    start_kind: str
    start_kind_reason: str
    stream_began_ms: float | None = None


@dataclass(slots=True)
class LogSeen:
    """What the log showed: `line_count` lines of the session, `foreign_line_count` that name another one or none.

    `reading_count` is how often Loom looked, `visible_after_ms` when it had settled every turn's start, from our first
    question on. `stream_kinds` counts the streams of the session's lines, or of all lines where none is the session's.
    """

    log_group: str = ""
    error_code: str = ""
    error_message: str = ""
    advice: str = ""
    reading_count: int = 0
    line_count: int = 0
    foreign_line_count: int = 0
    waited_ms: float = 0.0
    visible_after_ms: float | None = None
    stream_kinds: dict[str, int] = field(default_factory=dict)
    marker_counts: dict[str, int] = field(default_factory=dict)
    ingestion_ms: list[float] = field(default_factory=list)
    request_ids: set[str] = field(default_factory=set)
    starts: list[StartOfTurn] = field(default_factory=list)

    @property
    def has_measured_all(self) -> bool:
        """Whether every turn's start was told by a line that means it."""
        return bool(self.starts) and all(start.rank != WEAK_RANK for start in self.starts)

    def ingestion_text(self) -> str:
        """The delays between writing a line and CloudWatch having it."""
        if not self.ingestion_ms:
            return "no line was seen"
        ordered = sorted(self.ingestion_ms)
        return (
            f"n={len(ordered)}, minimum {ordered[0]:.0f} ms, median {statistics.median(ordered):.0f} ms, "
            f"maximum {ordered[-1]:.0f} ms"
        )


@dataclass(frozen=True, slots=True)
class SessionPlace:
    """A session, as Loom's API names it."""

    agent_id: int
    session_id: str
    qualifier: str


def see_log(loom: Client, place: SessionPlace, turns: Sequence[Turn], *, wait_s: float, poll_every_s: float) -> LogSeen:
    """Wait until Loom has settled when each turn began, or `wait_s` is over, then read the lines. Never raises for AWS.

    A weaker line is only provisional until the strongest arrives or Loom has looked often enough: what is reported is
    what Loom will go on saying.
    """
    seen = LogSeen()
    # What AWS refused never reached the agent, so no line will come.
    answered = [turn for turn in turns if turn.number is not None and turn.headers_ms is not None]
    if not answered:
        return seen
    try:
        _wait_for_starts(loom, place, seen, answered, wait_s, poll_every_s)
        if not seen.error_code:
            _read_lines(loom, place, seen, answered)
    except ApiError as error:
        seen.error_code, seen.error_message, seen.advice = error.code, str(error), error.advice
    return seen


def _wait_for_starts(
    loom: Client, place: SessionPlace, seen: LogSeen, turns: Sequence[Turn], wait_s: float, poll_every_s: float
) -> None:
    started_s = time.monotonic()
    while True:
        found = [loom.latency(place.agent_id, place.session_id, invocation=turn.number) for turn in turns]
        seen.waited_ms = (time.monotonic() - started_s) * 1000
        seen.log_group = found[0].log_group
        seen.reading_count = max(latency.tries for latency in found)
        seen.starts = [start for turn, latency in zip(turns, found, strict=True) if (start := _start(turn, latency))]
        refused = next((one for one in found if one.error_code not in {"", _MISSING_GROUP}), None)
        if refused is not None:
            seen.error_code, seen.error_message, seen.advice = refused.error_code, refused.error, _REFUSAL_ADVICE
            return
        if all(latency.is_settled for latency in found):
            if len(seen.starts) == len(turns):
                seen.visible_after_ms = seen.waited_ms
            return
        if seen.waited_ms / 1000 + poll_every_s > wait_s:
            return
        time.sleep(poll_every_s)


def _start(turn: Turn, latency: Latency) -> StartOfTurn | None:
    if latency.agent_start_time_iso is None or latency.marker_rank is None or latency.client_invoke_time_iso is None:
        return None
    sent_at, began_at = map(datetime.fromisoformat, (latency.client_invoke_time_iso, latency.agent_start_time_iso))
    return StartOfTurn(
        turn=turn.name,
        state=latency.state,
        startup_ms=latency.startup_latency_ms,
        difference_ms=(began_at - sent_at) / timedelta(milliseconds=1),
        marker=latency.source,
        rank=latency.marker_rank,
        stream=latency.log_stream,
        start_kind=latency.start_kind,
        start_kind_reason=latency.start_kind_reason,
    )


def _read_lines(loom: Client, place: SessionPlace, seen: LogSeen, turns: Sequence[Turn]) -> None:
    earliest = min(turn.invoked_at for turn in turns if turn.invoked_at is not None) - SKEW
    lines = loom.logs(place.agent_id, place.session_id, limit=MAX_LINES)
    everyones = loom.logs(place.agent_id, qualifier=place.qualifier, start_time=earliest.isoformat(), limit=MAX_LINES)
    seen.log_group = lines.log_group
    seen.line_count = len(lines.events)
    seen.foreign_line_count = sum(line.session_id != place.session_id for line in everyones.events)
    streams = {line.log_stream for line in (lines.events or everyones.events)}
    seen.stream_kinds = dict(Counter(classify(stream).kind for stream in streams))
    _take_lines(seen, lines)


def _take_lines(seen: LogSeen, lines: Logs) -> None:
    for line in lines.events:
        written_at = datetime.fromisoformat(line.timestamp_iso)
        ingested_at = datetime.fromisoformat(line.ingested_at)
        seen.ingestion_ms.append((ingested_at - written_at) / timedelta(milliseconds=1))
        seen.request_ids.update(_request_ids(line.message))
        if (marker := parse_marker(line.message, written_at)) is not None:
            name = f"{marker.name} (marker {marker.rank})"
            seen.marker_counts[name] = seen.marker_counts.get(name, 0) + 1


def _request_ids(message: str) -> list[str]:
    """The ids that a line gives to its request: the SDK's member, or the application's own words."""
    record = parse_record(message)
    if record is None:
        return [match["id"] for match in _REQUEST_ID_PATTERN.finditer(message)]
    members = [record.get(name) for name in ("requestId", "request_id")]
    return [member for member in members if isinstance(member, str)]
