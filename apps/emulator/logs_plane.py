"""CloudWatch Logs over AWS JSON 1.1: FilterLogEvents, GetLogEvents, DescribeLogStreams, DescribeLogGroups.

A page of FilterLogEvents searches at most a number of events; when none of them match, it is empty and still carries a
nextToken, as AWS's pages do. `lastEventTimestamp` of a stream lags behind, as AWS documents.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from apps.emulator.account import EmulatedAccount
from apps.emulator.aws_wire import (
    AwsError,
    decode_page_token,
    encode_page_token,
    json_1_1,
    region_of,
    require_signature,
)
from apps.emulator.log_patterns import FilterPatternError, compile_pattern
from apps.emulator.log_store import LogEvent, LogGroup, LogStream
from apps.emulator.quotas import OTHER_LOGS_PER_S

TARGET_PREFIX = "Logs_20140328."
EVENTS_SEARCHED_PER_PAGE = 2000
MAX_PAGE_BYTES = 1_048_576
EVENT_OVERHEAD_BYTES = 26
LAST_EVENT_LAG_S = 300.0
END_OF_TIME_MS = 2**62

Body = dict[str, Any]


class LogsPlane:
    """One method per operation of the service."""

    def __init__(self, account: EmulatedAccount) -> None:
        self._account = account
        self._operations: dict[str, Callable[[str, Body], Body]] = {
            "FilterLogEvents": self.filter_log_events,
            "GetLogEvents": self.get_log_events,
            "DescribeLogStreams": self.describe_log_streams,
            "DescribeLogGroups": self.describe_log_groups,
        }

    async def answer(self, request: Request) -> Response:
        """Answer one request by its X-Amz-Target; errors are AwsError, to be answered in the JSON 1.1 form."""
        require_signature(request)
        region = region_of(request)
        operation = request.headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)
        handler = self._operations.get(operation)
        if handler is None:
            raise AwsError(400, "UnknownOperationException", "")
        try:
            body = json.loads(await request.body() or b"{}")
        except ValueError as error:
            raise AwsError(400, "SerializationException", "The request body is not JSON") from error
        if operation == "FilterLogEvents":
            self._account.quotas.spend_filter(region)
        else:
            self._account.quotas.spend(region, operation, OTHER_LOGS_PER_S, status=400)
        self._account.faults.raise_for(operation)
        return json_1_1(handler(region, body))

    def filter_log_events(self, region: str, body: Body) -> Body:
        group = self._group(region, body)
        limit = bounded(body, "limit", 10_000, 10_000)
        streams = chosen_streams(group, body)
        try:
            matches = compile_pattern(body.get("filterPattern", ""))
        except FilterPatternError as error:
            raise invalid_parameter(str(error)) from error
        events = self._account.logs.search(streams, body.get("startTime", 0), body.get("endTime", END_OF_TIME_MS))
        newest_first = body.get("startFromHead") is False
        if newest_first:
            events.reverse()
        fingerprint = [group.name, body.get("filterPattern", ""), newest_first]
        start = resume(events, body.get("nextToken"), fingerprint, newest_first)
        if self._account.faults.take_empty_page():
            return page_of([], encode_page_token([fingerprint, body_position(body.get("nextToken"))]))
        found: list[LogEvent] = []
        size = searched = 0
        for event in events[start : start + EVENTS_SEARCHED_PER_PAGE]:
            if matches(event.message):
                size += len(event.message.encode()) + EVENT_OVERHEAD_BYTES
                if found and size > MAX_PAGE_BYTES:
                    break
                found.append(event)
            searched += 1
            if len(found) >= limit:
                break
        end = start + searched
        if end >= len(events):
            return page_of(found, None)
        return page_of(found, encode_page_token([fingerprint, list(events[end - 1].position)]))

    def get_log_events(self, region: str, body: Body) -> Body:
        stream = self._stream(self._group(region, body), body.get("logStreamName"))
        limit = bounded(body, "limit", 10_000, 10_000)
        # Here the end is exclusive, other than in FilterLogEvents.
        last_ms = body.get("endTime", END_OF_TIME_MS) - 1
        events = self._account.logs.search([stream], body.get("startTime", 0), last_ms)
        ordinals = [event.ordinal for event in events]
        given = body.get("nextToken")
        if given is None:
            start = 0 if body.get("startFromHead") else max(0, len(events) - limit)
            end = min(len(events), start + limit)
        else:
            direction, ordinal = read_stream_token(given)
            if direction == "f":
                start = sum(1 for each in ordinals if each <= ordinal)
                end = min(len(events), start + limit)
            else:
                end = sum(1 for each in ordinals if each < ordinal)
                start = max(0, end - limit)
        page = events[start:end]
        before = ordinals[start - 1] if start else 0
        forward = page[-1].ordinal if page else before
        backward = page[0].ordinal if page else (ordinals[start] if start < len(ordinals) else before + 1)
        return {
            "events": [written(event) for event in page],
            "nextForwardToken": f"f/{forward:056d}",
            "nextBackwardToken": f"b/{backward:056d}",
        }

    def describe_log_streams(self, region: str, body: Body) -> Body:
        group = self._group(region, body)
        limit = bounded(body, "limit", 50, 50)
        order, prefix = body.get("orderBy", "LogStreamName"), body.get("logStreamNamePrefix")
        if order not in ("LogStreamName", "LastEventTime"):
            raise invalid_parameter("orderBy must be LogStreamName or LastEventTime")
        if order == "LastEventTime" and prefix is not None:
            raise invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix.")
        streams = [stream for name, stream in sorted(group.streams.items()) if name.startswith(prefix or "")]
        items = [self._described(group, stream) for stream in streams]
        if order == "LastEventTime":
            items.sort(key=lambda item: int(item.get("lastEventTimestamp", 0)))
        if body.get("descending"):
            items.reverse()
        start = offset_of(body.get("nextToken"))
        more = {"nextToken": encode_page_token(start + limit)} if start + limit < len(items) else {}
        return {"logStreams": items[start : start + limit], **more}

    def describe_log_groups(self, region: str, body: Body) -> Body:
        limit = bounded(body, "limit", 50, 50)
        prefix, pattern = body.get("logGroupNamePrefix"), body.get("logGroupNamePattern")
        if prefix is not None and pattern is not None:
            raise invalid_parameter("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
        groups = [
            group
            for group in self._account.logs.groups(region)
            if group.name.startswith(prefix or "") and (pattern or "").lower() in group.name.lower()
        ]
        start = offset_of(body.get("nextToken"))
        more = {"nextToken": encode_page_token(start + limit)} if start + limit < len(groups) else {}
        return {"logGroups": [self._described_group(group) for group in groups[start : start + limit]], **more}

    def _group(self, region: str, body: Body) -> LogGroup:
        name, identifier = body.get("logGroupName"), body.get("logGroupIdentifier")
        if (name is None) == (identifier is None):
            raise invalid_parameter("Exactly one of logGroupName and logGroupIdentifier must be given.")
        if name is None:
            name = str(identifier).split(":log-group:")[-1].removesuffix(":*")
        group = self._account.logs.group(region, name)
        if group is None:
            raise AwsError(400, "ResourceNotFoundException", "The specified log group does not exist.")
        return group

    def _stream(self, group: LogGroup, name: str | None) -> LogStream:
        stream = group.streams.get(name or "")
        if stream is None:
            raise AwsError(400, "ResourceNotFoundException", "The specified log stream does not exist.")
        return stream

    def _described(self, group: LogGroup, stream: LogStream) -> Body:
        now = self._account.clock.now()
        item: Body = {
            "logStreamName": stream.name,
            "creationTime": int(stream.created_at * 1000),
            "arn": f"{self._group_arn(group)}:log-stream:{stream.name}",
            "uploadSequenceToken": f"{int(stream.created_at * 1000):056d}",
            "storedBytes": 0,
        }
        visible = list(stream.visible_events(now))
        if visible:
            lag_s = LAST_EVENT_LAG_S * self._account.config.log_delay_scale
            known = list(stream.visible_events(now - lag_s)) or visible[:1]
            item["firstEventTimestamp"] = min(event.timestamp_ms for event in visible)
            item["lastEventTimestamp"] = max(event.timestamp_ms for event in known)
            item["lastIngestionTime"] = int(known[-1].visible_at * 1000)
        return item

    def _described_group(self, group: LogGroup) -> Body:
        arn = self._group_arn(group)
        return {
            "logGroupName": group.name,
            "creationTime": int(group.created_at * 1000),
            "metricFilterCount": 0,
            "arn": f"{arn}:*",
            "logGroupArn": arn,
            "storedBytes": 0,
            "logGroupClass": "STANDARD",
        }

    def _group_arn(self, group: LogGroup) -> str:
        return f"arn:aws:logs:{group.region}:{self._account.account_id}:log-group:{group.name}"


def invalid_parameter(message: str) -> AwsError:
    return AwsError(400, "InvalidParameterException", message)


def bounded(body: Body, member: str, default: int, highest: int) -> int:
    value = body.get(member, default)
    if not isinstance(value, int) or not 1 <= value <= highest:
        raise invalid_parameter(f"1 validation error detected: Value at '{member}' must be between 1 and {highest}")
    return value


def chosen_streams(group: LogGroup, body: Body) -> list[LogStream]:
    """Return the streams that logStreamNames or logStreamNamePrefix name, all of them without either."""
    names, prefix = body.get("logStreamNames"), body.get("logStreamNamePrefix")
    if names is not None and prefix is not None:
        raise invalid_parameter("Only one of logStreamNamePrefix and logStreamNames may be given.")
    if names is not None:
        missing = [name for name in names if name not in group.streams]
        if missing:
            raise AwsError(400, "ResourceNotFoundException", "The specified log stream does not exist.")
        return [group.streams[name] for name in names]
    return [stream for name, stream in group.streams.items() if name.startswith(prefix or "")]


def resume(events: Sequence[LogEvent], given: str | None, fingerprint: list[Any], newest_first: bool) -> int:
    """Return the index at which a search goes on; raises the AwsError for a nextToken of another search."""
    if given is None:
        return 0
    try:
        token_fingerprint, position = decode_page_token(given)
    except (ValueError, TypeError) as error:
        raise invalid_parameter("The specified nextToken is invalid.") from error
    if token_fingerprint != fingerprint:
        raise invalid_parameter("The specified nextToken is invalid.")
    if position is None:
        return 0
    last = (position[0], position[1], position[2])
    if newest_first:
        return sum(1 for event in events if event.position >= last)
    return sum(1 for event in events if event.position <= last)


def body_position(given: str | None) -> Any:
    """Return the position inside a nextToken that was accepted already, None at the start of a search."""
    return None if given is None else decode_page_token(given)[1]


def read_stream_token(given: str) -> tuple[str, int]:
    direction, _, digits = given.partition("/")
    if direction not in ("f", "b") or not digits.isdecimal():
        raise invalid_parameter("The specified nextToken is invalid.")
    return direction, int(digits)


def offset_of(given: str | None) -> int:
    if given is None:
        return 0
    try:
        return int(decode_page_token(given))
    except (ValueError, TypeError) as error:
        raise invalid_parameter("The specified nextToken is invalid.") from error


def page_of(events: Sequence[LogEvent], next_token: str | None) -> Body:
    found = [written(event) | {"logStreamName": event.stream_name, "eventId": event.event_id} for event in events]
    return {"events": found, "searchedLogStreams": []} | ({"nextToken": next_token} if next_token else {})


def written(event: LogEvent) -> Body:
    return {
        "timestamp": event.timestamp_ms,
        "message": event.message,
        "ingestionTime": int(event.visible_at * 1000),
    }
