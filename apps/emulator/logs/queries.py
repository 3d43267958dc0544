"""FilterLogEvents and GetLogEvents.

A page of FilterLogEvents searches at most a number of events; when none of them match, it is empty and still carries a
nextToken, as AWS's pages do. The direction is that of the token where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from apps.emulator.faults import FaultBoard
from apps.emulator.logs.patterns import FilterPatternError, compile_pattern
from apps.emulator.logs.store import LogEvent, LogGroup, LogStore, LogStream
from apps.emulator.logs.wire import Body, find_group, find_stream, invalid_page_error, invalid_parameter_error
from apps.emulator.page_tokens import PageTokenError, PageTokens

EVENTS_SEARCHED_PER_PAGE = 2000
MAX_EVENTS_PER_PAGE = 10_000
MAX_PAGE_BYTES = 1_048_576
EVENT_OVERHEAD_BYTES = 26
END_OF_TIME_MS = 2**63
START_ID, END_ID = "0" * 56, "9" * 56
# "Setting startFromHead to false is supported only when startTime is on or after Jan 1, 2024 00:00:00 UTC."
NEWEST_FIRST_SINCE_MS = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)

Position = tuple[int, str, int]


class LogQueries:
    def __init__(self, logs: LogStore, faults: FaultBoard, tokens: PageTokens) -> None:
        self._logs = logs
        self._faults = faults
        self._tokens = tokens

    def filter_log_events(self, region: str, body: Body) -> Body:
        group = find_group(self._logs, region, body)
        limit = body.get("limit", MAX_EVENTS_PER_PAGE)
        pattern = body.get("filterPattern", "")
        try:
            matches = compile_pattern(pattern)
        except FilterPatternError as error:
            raise invalid_parameter_error(str(error)) from error
        newest_first = body.get("startFromHead") is False
        if newest_first and body.get("startTime", NEWEST_FIRST_SINCE_MS) < NEWEST_FIRST_SINCE_MS:
            raise invalid_parameter_error("startFromHead=false needs a startTime on or after 2024-01-01T00:00:00Z.")
        purpose = ["FilterLogEvents", region, group.name, pattern]
        after: Position | None = None
        if "nextToken" in body:
            newest_first, position = self._read(body["nextToken"], purpose)
            after = position and (position[0], position[1], position[2])
        if self._faults.take_empty_page():
            return _page([], self._tokens.make(purpose, [newest_first, after]))
        streams = _chosen_streams(group, body)
        events = self._logs.search(streams, body.get("startTime", 0), body.get("endTime", END_OF_TIME_MS))
        if newest_first:
            events.reverse()
        start = _start_index(events, after, newest_first)
        found, searched = _matching(events[start : start + EVENTS_SEARCHED_PER_PAGE], matches, limit)
        end = start + searched
        if end >= len(events):
            return _page(found, None)
        return _page(found, self._tokens.make(purpose, [newest_first, events[end - 1].position]))

    def get_log_events(self, region: str, body: Body) -> Body:
        group = find_group(self._logs, region, body)
        stream = find_stream(group, body["logStreamName"])
        limit = body.get("limit", MAX_EVENTS_PER_PAGE)
        # Here the end is exclusive, other than in FilterLogEvents.
        last_ms = body.get("endTime", END_OF_TIME_MS) - 1
        events = self._logs.search([stream], body.get("startTime", 0), last_ms)
        purpose = ["GetLogEvents", region, group.name, stream.name]
        given = body.get("nextToken", "")
        if given:
            direction, _, token = given.partition("/")
            if direction not in ("f", "b"):
                raise invalid_page_error()
            start, end = _range_beside(events, direction, self._read(token, purpose), limit)
        else:
            start, end = _first_range(events, limit, from_head=body.get("startFromHead", False))
        # A token names the event it lies behind (f) or before (b). At the end of the stream it is the one that came.
        forward = f"f/{self._tokens.make(purpose, events[end - 1].event_id if end else START_ID)}"
        backward = f"b/{self._tokens.make(purpose, events[start].event_id if start < len(events) else END_ID)}"
        is_at_end = start == end
        return {
            "events": [_written(event) for event in events[start:end]],
            "nextForwardToken": given if is_at_end and given.startswith("f/") else forward,
            "nextBackwardToken": given if is_at_end and given.startswith("b/") else backward,
        }

    def _read(self, token: str, purpose: list[str]) -> Any:
        """Return the position in a token; raises the AwsError for the token of another search."""
        try:
            return self._tokens.read(token, purpose)
        except PageTokenError as error:
            raise invalid_page_error() from error


def _matching(events: Sequence[LogEvent], matches: Callable[[str], bool], limit: int) -> tuple[list[LogEvent], int]:
    """Return the events that match, up to a full page, and how many were looked at."""
    found: list[LogEvent] = []
    size = 0
    for searched, event in enumerate(events):
        if matches(event.message):
            size += _size_of(event)
            if len(found) >= limit or (found and size > MAX_PAGE_BYTES):
                return found, searched
            found.append(event)
    return found, len(events)


def _fitting(events: Sequence[LogEvent], limit: int) -> int:
    """How many events, from the first on, a page holds: `limit` of them and 1 MB, but always one."""
    size = 0
    for count, event in enumerate(events[:limit]):
        size += _size_of(event)
        if count and size > MAX_PAGE_BYTES:
            return count
    return min(len(events), limit)


def _size_of(event: LogEvent) -> int:
    return len(event.message.encode()) + EVENT_OVERHEAD_BYTES


def _chosen_streams(group: LogGroup, body: Body) -> list[LogStream]:
    """Return the streams that logStreamNames or logStreamNamePrefix name, all of them without either."""
    names, prefix = body.get("logStreamNames"), body.get("logStreamNamePrefix")
    if names is not None and prefix is not None:
        raise invalid_parameter_error("Only one of logStreamNamePrefix and logStreamNames may be given.")
    if names is not None:
        return [find_stream(group, name) for name in dict.fromkeys(names)]
    return [stream for name, stream in group.streams.items() if name.startswith(prefix or "")]


def _start_index(events: Sequence[LogEvent], after: Position | None, newest_first: bool) -> int:
    if after is None:
        return 0
    if newest_first:
        return sum(1 for event in events if event.position >= after)
    return sum(1 for event in events if event.position <= after)


def _first_range(events: Sequence[LogEvent], limit: int, *, from_head: bool) -> tuple[int, int]:
    """Return which events the first page of a stream holds: its first ones, or its last."""
    if from_head:
        return 0, _fitting(events, limit)
    return len(events) - _fitting(events[::-1], limit), len(events)


def _range_beside(events: Sequence[LogEvent], direction: str, event_id: str, limit: int) -> tuple[int, int]:
    """Return which events a page behind an event (f) or before it (b) holds."""
    if direction == "f":
        start = sum(1 for event in events if event.event_id <= event_id)
        return start, start + _fitting(events[start:], limit)
    end = sum(1 for event in events if event.event_id < event_id)
    return end - _fitting(events[:end][::-1], limit), end


def _page(events: Sequence[LogEvent], next_token: str | None) -> Body:
    found = [_written(event) | {"logStreamName": event.stream_name, "eventId": event.event_id} for event in events]
    return {"events": found, "searchedLogStreams": []} | ({"nextToken": next_token} if next_token else {})


def _written(event: LogEvent) -> Body:
    return {
        "timestamp": event.timestamp_ms,
        "message": event.message,
        "ingestionTime": int(event.visible_at * 1000),
    }
