"""FilterLogEvents and GetLogEvents.

A page of FilterLogEvents searches at most a number of events; when none of them match, it is empty and still carries a
nextToken, as AWS's pages do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from apps.emulator.aws_wire import decode_page_token, encode_page_token
from apps.emulator.faults import FaultBoard
from apps.emulator.logs.patterns import FilterPatternError, compile_pattern
from apps.emulator.logs.store import LogEvent, LogGroup, LogStore, LogStream
from apps.emulator.logs.wire import (
    Body,
    bounded,
    find_group,
    find_stream,
    invalid_page_error,
    invalid_parameter_error,
)

EVENTS_SEARCHED_PER_PAGE = 2000
MAX_EVENTS_PER_PAGE = 10_000
MAX_PAGE_BYTES = 1_048_576
EVENT_OVERHEAD_BYTES = 26
END_OF_TIME_MS = 2**62
START_ID, END_ID = "0" * 56, "9" * 56

Position = tuple[int, str, int]
Fingerprint = list[str | bool | None]


class LogQueries:
    def __init__(self, logs: LogStore, faults: FaultBoard) -> None:
        self._logs = logs
        self._faults = faults

    def filter_log_events(self, region: str, body: Body) -> Body:
        group = find_group(self._logs, region, body)
        limit = bounded(body, "limit", MAX_EVENTS_PER_PAGE, MAX_EVENTS_PER_PAGE)
        pattern = body.get("filterPattern", "")
        try:
            matches = compile_pattern(pattern)
        except FilterPatternError as error:
            raise invalid_parameter_error(str(error)) from error
        newest_first = body.get("startFromHead") is False
        fingerprint: Fingerprint = [group.name, pattern, newest_first]
        after = _read_position(body.get("nextToken"), fingerprint)
        if self._faults.take_empty_page():
            return _page([], encode_page_token([fingerprint, after]))
        streams = _chosen_streams(group, body)
        events = self._logs.search(streams, body.get("startTime", 0), body.get("endTime", END_OF_TIME_MS))
        if newest_first:
            events.reverse()
        start = _start_index(events, after, newest_first)
        found, searched = _matching(events[start : start + EVENTS_SEARCHED_PER_PAGE], matches, limit)
        end = start + searched
        if end >= len(events):
            return _page(found, None)
        return _page(found, encode_page_token([fingerprint, events[end - 1].position]))

    def get_log_events(self, region: str, body: Body) -> Body:
        stream = find_stream(find_group(self._logs, region, body), body.get("logStreamName"))
        limit = bounded(body, "limit", MAX_EVENTS_PER_PAGE, MAX_EVENTS_PER_PAGE)
        # Here the end is exclusive, other than in FilterLogEvents.
        last_ms = body.get("endTime", END_OF_TIME_MS) - 1
        events = self._logs.search([stream], body.get("startTime", 0), last_ms)
        start, end = _stream_range(events, body, limit)
        page = events[start:end]
        # A token names the event it lies behind (f) or before (b); an empty page gives back where it was.
        forward = events[end - 1].event_id if end else START_ID
        backward = events[start].event_id if start < len(events) else END_ID
        return {
            "events": [_written(event) for event in page],
            "nextForwardToken": f"f/{forward}",
            "nextBackwardToken": f"b/{backward}",
        }


def _matching(events: Sequence[LogEvent], matches: Callable[[str], bool], limit: int) -> tuple[list[LogEvent], int]:
    """Return the events that match, up to a full page, and how many were looked at."""
    found: list[LogEvent] = []
    size = 0
    for searched, event in enumerate(events):
        if matches(event.message):
            size += len(event.message.encode()) + EVENT_OVERHEAD_BYTES
            if len(found) >= limit or (found and size > MAX_PAGE_BYTES):
                return found, searched
            found.append(event)
    return found, len(events)


def _chosen_streams(group: LogGroup, body: Body) -> list[LogStream]:
    """Return the streams that logStreamNames or logStreamNamePrefix name, all of them without either."""
    names, prefix = body.get("logStreamNames"), body.get("logStreamNamePrefix")
    if names is not None and prefix is not None:
        raise invalid_parameter_error("Only one of logStreamNamePrefix and logStreamNames may be given.")
    if names is not None:
        if not 1 <= len(names) <= 100:
            raise invalid_parameter_error("logStreamNames must hold 1 to 100 names")
        return [find_stream(group, name) for name in names]
    return [stream for name, stream in group.streams.items() if name.startswith(prefix or "")]


def _read_position(given: str | None, fingerprint: Fingerprint) -> Position | None:
    """Return where a search goes on; raises the AwsError for the nextToken of another search."""
    if given is None:
        return None
    try:
        token_fingerprint, position = decode_page_token(given)
    except (ValueError, TypeError) as error:
        raise invalid_page_error() from error
    if token_fingerprint != fingerprint:
        raise invalid_page_error()
    return None if position is None else (position[0], position[1], position[2])


def _start_index(events: Sequence[LogEvent], after: Position | None, newest_first: bool) -> int:
    if after is None:
        return 0
    if newest_first:
        return sum(1 for event in events if event.position >= after)
    return sum(1 for event in events if event.position <= after)


def _stream_range(events: Sequence[LogEvent], body: Body, limit: int) -> tuple[int, int]:
    """Return which events of a stream a page of GetLogEvents holds."""
    given = body.get("nextToken")
    if given is None:
        start = 0 if body.get("startFromHead") else max(0, len(events) - limit)
        return start, min(len(events), start + limit)
    direction, _, digits = str(given).partition("/")
    if direction not in ("f", "b") or not digits.isdecimal() or len(digits) != len(START_ID):
        raise invalid_page_error()
    if direction == "f":
        start = sum(1 for event in events if event.event_id <= digits)
        return start, min(len(events), start + limit)
    end = sum(1 for event in events if event.event_id < digits)
    return max(0, end - limit), end


def _page(events: Sequence[LogEvent], next_token: str | None) -> Body:
    found = [_written(event) | {"logStreamName": event.stream_name, "eventId": event.event_id} for event in events]
    return {"events": found, "searchedLogStreams": []} | ({"nextToken": next_token} if next_token else {})


def _written(event: LogEvent) -> Body:
    return {
        "timestamp": event.timestamp_ms,
        "message": event.message,
        "ingestionTime": int(event.visible_at * 1000),
    }
