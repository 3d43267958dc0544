"""CloudWatch Logs over AWS JSON 1.1: the operation is named by the header X-Amz-Target.

`lastEventTimestamp` of a stream lags behind, as AWS documents.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from apps.emulator.account import EmulatedAccount
from apps.emulator.aws_wire import AwsError, json_1_1, region_of, require_signature
from apps.emulator.logs.queries import LogQueries
from apps.emulator.logs.store import LogGroup, LogStream
from apps.emulator.logs.wire import Body, bounded, cut_page, find_group, find_stream, invalid_parameter_error
from apps.emulator.quotas import OTHER_LOGS_PER_S

TARGET_PREFIX = "Logs_20140328."
LAST_EVENT_LAG_S = 300.0
ORDERS = ("LogStreamName", "LastEventTime")
# What the service takes: nothing older than two weeks, nothing further ahead than two hours.
OLDEST_ACCEPTED_S = 14 * 86_400
NEWEST_ACCEPTED_S = 2 * 3600


class LogsPlane:
    """One method per operation of the service."""

    def __init__(self, account: EmulatedAccount) -> None:
        self._account = account
        queries = LogQueries(account.logs, account.faults)
        self._operations: dict[str, Callable[[str, Body], Body | None]] = {
            "FilterLogEvents": queries.filter_log_events,
            "GetLogEvents": queries.get_log_events,
            "DescribeLogStreams": self.describe_log_streams,
            "DescribeLogGroups": self.describe_log_groups,
            "CreateLogGroup": self.create_log_group,
            "CreateLogStream": self.create_log_stream,
            "PutLogEvents": self.put_log_events,
        }

    async def answer(self, request: Request) -> Response:
        """Answer one request; errors are AwsError, to be answered in the JSON 1.1 form."""
        require_signature(request)
        region = region_of(request)
        target = request.headers.get("x-amz-target", "")
        operation = target.removeprefix(TARGET_PREFIX)
        handler = self._operations.get(operation) if target.startswith(TARGET_PREFIX) else None
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

    def describe_log_streams(self, region: str, body: Body) -> Body:
        group = find_group(self._account.logs, region, body)
        limit = bounded(body, "limit", 50, 50)
        order, prefix = body.get("orderBy", ORDERS[0]), body.get("logStreamNamePrefix")
        if order not in ORDERS:
            raise invalid_parameter_error("orderBy must be LogStreamName or LastEventTime")
        if order == "LastEventTime" and prefix is not None:
            raise invalid_parameter_error("Cannot order by LastEventTime with a logStreamNamePrefix.")
        items = [
            self._described(group, stream)
            for name, stream in sorted(group.streams.items())
            if name.startswith(prefix or "")
        ]
        if order == "LastEventTime":
            items.sort(key=lambda item: int(item.get("lastEventTimestamp", 0)))
        if body.get("descending"):
            items.reverse()
        page, more = cut_page(items, body, limit)
        return {"logStreams": page, **more}

    def describe_log_groups(self, region: str, body: Body) -> Body:
        limit = bounded(body, "limit", 50, 50)
        prefix, pattern = body.get("logGroupNamePrefix"), body.get("logGroupNamePattern")
        if prefix is not None and pattern is not None:
            raise invalid_parameter_error(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
            )
        items = [
            self._described_group(group)
            for group in self._account.logs.groups(region)
            if group.name.startswith(prefix or "") and (pattern or "").lower() in group.name.lower()
        ]
        page, more = cut_page(items, body, limit)
        return {"logGroups": page, **more}

    def create_log_group(self, region: str, body: Body) -> None:
        if self._account.logs.group(region, body["logGroupName"]) is not None:
            raise AwsError(400, "ResourceAlreadyExistsException", "The specified log group already exists")
        self._account.logs.create_group(region, body["logGroupName"])

    def create_log_stream(self, region: str, body: Body) -> None:
        group = find_group(self._account.logs, region, body)
        if body["logStreamName"] in group.streams:
            raise AwsError(400, "ResourceAlreadyExistsException", "The specified log stream already exists")
        self._account.logs.stream(region, group.name, body["logStreamName"])

    def put_log_events(self, region: str, body: Body) -> Body:
        """Take events; they can be found at once. Too old and too new ones are reported by their index."""
        stream = find_stream(find_group(self._account.logs, region, body), body.get("logStreamName"))
        events = body["logEvents"]
        now = self._account.clock.now()
        ages_s = [now - event["timestamp"] / 1000 for event in events]
        if sorted(ages_s, reverse=True) != ages_s:
            raise invalid_parameter_error("Log events in a single PutLogEvents request must be in chronological order.")
        too_old = sum(age > OLDEST_ACCEPTED_S for age in ages_s)
        too_new = sum(age < -NEWEST_ACCEPTED_S for age in ages_s)
        for event in events[too_old : len(events) - too_new]:
            self._account.logs.write(stream, timestamp_ms=event["timestamp"], message=event["message"], visible_at=now)
        rejected = ({"tooOldLogEventEndIndex": too_old} if too_old else {}) | (
            {"tooNewLogEventStartIndex": len(events) - too_new} if too_new else {}
        )
        answer: Body = {"nextSequenceToken": f"{int(now * 1000):056d}"}
        return answer | ({"rejectedLogEventsInfo": rejected} if rejected else {})

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
