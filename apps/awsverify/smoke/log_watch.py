"""Waiting for the session's lines in CloudWatch, and what they tell of each turn's start."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from apps.aws.arn import RuntimeArn
from apps.aws.errors import AwsError
from apps.aws.log_streams import LogEvent, attribute, classify, parse_record
from apps.aws.logs import LogGroupNotFoundError, RuntimeLogs
from apps.aws.markers import parse_marker
from apps.metrics.starts.search import WEAK_RANK, Window, find_start_of_run
from apps.metrics.startup import startup_latency_ms
from apps.awsverify.smoke.turns import Turn

SKEW = timedelta(seconds=5)
MAX_PAGES = 5

_REQUEST_ID_PATTERN = re.compile(r"\bRequest ID: (?P<id>\S+)")


@dataclass(slots=True)
class StartOfTurn:
    """When the log says that a turn began, in ms from the send.

    `difference_ms` is what two clocks tell; `startup_ms` is the same where causality allows it, else None.
    `stream_began_ms` is when the log stream was created: well before the send means a pre-warmed environment.
    """

    turn: str
    startup_ms: float | None
    difference_ms: float
    marker: str
    rank: int
    stream: str
    stream_began_ms: float | None = None


@dataclass(slots=True)
class LogWatch:
    """What the log showed: `line_count` lines of the session, `foreign_line_count` that name another one or none.

    `stream_kinds` counts the streams of the session's lines, or of all lines where none is the session's;
    `visible_after_ms` is from the first look to the one that found every turn's marker.
    """

    log_group: str
    error_code: str = ""
    error_message: str = ""
    advice: str = ""
    is_group_missing: bool = False
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


async def watch_logs(
    logs: RuntimeLogs,
    arn: RuntimeArn,
    qualifier: str,
    runtime_session_id: str,
    turns: Sequence[Turn],
    *,
    wait_s: float,
    poll_every_s: float,
) -> LogWatch:
    """Read the endpoint's log group until each turn has its marker, or `wait_s` is over. Never raises for AWS."""
    watch = LogWatch(arn.log_group(qualifier))
    # What AWS refused never reached the agent, so no line will come.
    answered = [turn for turn in turns if turn.invoked_at is not None and turn.headers_ms is not None]
    started_s = time.monotonic()
    while answered:
        await _look(logs, arn.region, watch, runtime_session_id, answered)
        watch.waited_ms = (time.monotonic() - started_s) * 1000
        if len(watch.starts) == len(answered) and watch.has_measured_all:
            watch.visible_after_ms = watch.waited_ms
            break
        is_refused = watch.error_code and not watch.is_group_missing
        if is_refused or time.monotonic() - started_s + poll_every_s > wait_s:
            break
        await asyncio.sleep(poll_every_s)
    await _add_stream_ages(logs, arn.region, watch, answered)
    return watch


async def _look(
    logs: RuntimeLogs, region: str, watch: LogWatch, runtime_session_id: str, turns: Sequence[Turn]
) -> None:
    watch.reading_count += 1
    earliest = min(turn.invoked_at for turn in turns if turn.invoked_at is not None) - SKEW
    try:
        events = await asyncio.to_thread(_read, logs, region, watch.log_group, earliest)
    except AwsError as error:
        watch.error_code, watch.error_message, watch.advice = error.code, error.message, error.advice
        # The group is made with the first invocation, and that takes a moment.
        watch.is_group_missing = isinstance(error, LogGroupNotFoundError)
    else:
        watch.error_code = watch.error_message = watch.advice = ""
        watch.is_group_missing = False
        _take(watch, events, attribute(events).get(runtime_session_id, []), turns)


def _read(logs: RuntimeLogs, region: str, log_group: str, start: datetime) -> list[LogEvent]:
    events: list[LogEvent] = []
    page_token = None
    for _ in range(MAX_PAGES):
        page = logs.filter_page(region=region, log_group=log_group, start=start, next_token=page_token)
        events += page.events
        page_token = page.next_token
        if page_token is None:
            break
    return events


def _take(watch: LogWatch, all_events: Sequence[LogEvent], events: Sequence[LogEvent], turns: Sequence[Turn]) -> None:
    """Draw everything anew from the session's `events`: each reading holds those of the one before."""
    watch.line_count = len(events)
    watch.foreign_line_count = len(all_events) - len(events)
    streams = {event.stream for event in events or all_events}
    watch.stream_kinds = dict(Counter(classify(stream).kind for stream in streams))
    markers = [marker for event in events if (marker := parse_marker(event.message, event.at)) is not None]
    watch.marker_counts = dict(Counter(f"{marker.name} (marker {marker.rank})" for marker in markers))
    watch.ingestion_ms = [(event.ingested_at - event.at) / timedelta(milliseconds=1) for event in events]
    watch.request_ids = {found for event in events for found in _request_ids(event.message)}
    watch.starts = []
    for index, turn in enumerate(turns):
        start = find_start_of_run(events, _window(turns, index))
        if start is None or turn.invoked_at is None:
            continue
        difference_ms = (start.started_at - turn.invoked_at) / timedelta(milliseconds=1)
        high_ms = turn.first_chunk_ms or turn.total_ms
        startup_ms = startup_latency_ms(turn.invoked_at, start.started_at, 0.0, high_ms)
        watch.starts.append(StartOfTurn(turn.name, startup_ms, difference_ms, start.marker, start.rank, start.stream))


def _window(turns: Sequence[Turn], index: int) -> Window:
    turn = turns[index]
    assert turn.invoked_at is not None and turn.completed_at is not None
    return Window(
        invoked_at=turn.invoked_at,
        first_byte_at=turn.first_chunk_at,
        completed_at=turn.completed_at,
        previous_completed_at=turns[index - 1].completed_at if index else None,
        next_invoked_at=turns[index + 1].invoked_at if index + 1 < len(turns) else None,
    )


def _request_ids(message: str) -> list[str]:
    """The ids that a line gives to its request: the SDK's member, or the application's own words."""
    record = parse_record(message)
    if record is None:
        return [match["id"] for match in _REQUEST_ID_PATTERN.finditer(message)]
    members = [record.get(name) for name in ("requestId", "request_id")]
    return [member for member in members if isinstance(member, str)]


async def _add_stream_ages(logs: RuntimeLogs, region: str, watch: LogWatch, turns: Sequence[Turn]) -> None:
    """Ask when the stream of each start was created; stays open where AWS does not say."""
    invoked_at = {turn.name: turn.invoked_at for turn in turns}
    for start in watch.starts:
        sent_at = invoked_at[start.turn]
        if classify(start.stream).environment_id is None or sent_at is None:
            continue
        try:
            found = await asyncio.to_thread(
                logs.streams, region=region, log_group=watch.log_group, prefix=start.stream, limit=1
            )
        except AwsError as error:
            watch.error_code, watch.error_message, watch.advice = error.code, error.message, error.advice
            return
        for stream in found:
            start.stream_began_ms = (stream.created_at - sent_at) / timedelta(milliseconds=1)
