"""CloudWatch Logs over AWS JSON 1.1: the operation is named by the header X-Amz-Target.

`lastEventTimestamp` of a stream lags behind, as AWS documents.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from apps.emulator.account import EmulatedAccount
from apps.emulator.aws_wire import AwsError, json_1_1, region_of, require_signature
from apps.emulator.logs.queries import EVENT_OVERHEAD_BYTES, LogQueries
from apps.emulator.logs.store import LogGroup, LogStream
from apps.emulator.logs.wire import (
    Body,
    existing_error,
    find_group,
    find_stream,
    group_name_in,
    invalid_page_error,
    invalid_parameter_error,
    refuse_request,
)
from apps.emulator.page_tokens import PageTokenError
from apps.emulator.quotas import OTHER_LOGS_PER_S
from apps.emulator.service_model import ServiceModel

TARGET_PREFIX = "Logs_20140328."
LAST_EVENT_LAG_S = 300.0
PAGE_SIZE = 50
GROUP_CLASS = "STANDARD"
RESERVED_PREFIX = "aws/"
# What the service takes: nothing older than two weeks, nothing further ahead than two hours.
OLDEST_ACCEPTED_S = 14 * 86_400
NEWEST_ACCEPTED_S = 2 * 3600
MAX_BATCH_BYTES = 1_048_576
MAX_BATCH_SPAN_S = 24 * 3600


class LogsPlane:
    """One method per operation of the service."""

    def __init__(self, account: EmulatedAccount) -> None:
        self._account = account
        queries = LogQueries(account.logs, account.faults, account.page_tokens)
        self._operations: dict[str, Callable[[str, Body], Body | None]] = {
            "FilterLogEvents": queries.filter_log_events,
            "GetLogEvents": queries.get_log_events,
            "DescribeLogStreams": self.describe_log_streams,
            "DescribeLogGroups": self.describe_log_groups,
            "CreateLogGroup": self.create_log_group,
            "CreateLogStream": self.create_log_stream,
            "PutLogEvents": self.put_log_events,
        }
        self._model = ServiceModel("logs", self._operations, refuse_request)

    async def answer(self, request: Request) -> Response:
        """Answer one request; errors are AwsError, to be answered in the JSON 1.1 form."""
        require_signature(request)
        region = region_of(request)
        target = request.headers.get("x-amz-target", "")
        operation = target.removeprefix(TARGET_PREFIX)
        handler = self._operations.get(operation) if target.startswith(TARGET_PREFIX) else None
        if handler is None:
            raise AwsError(400, "UnknownOperationException", "")
        body = self._model.read_json(operation, await request.body())
        if operation == "FilterLogEvents":
            self._account.quotas.spend_filter(region)
        else:
            self._account.quotas.spend(region, operation, OTHER_LOGS_PER_S, status=400)
        self._account.faults.raise_for(operation)
        return json_1_1(handler(region, body))

    def describe_log_streams(self, region: str, body: Body) -> Body:
        group = find_group(self._account.logs, region, body)
        order, prefix = body.get("orderBy", "LogStreamName"), body.get("logStreamNamePrefix")
        if order == "LastEventTime" and prefix is not None:
            raise invalid_parameter_error("Cannot order by LastEventTime with a logStreamNamePrefix.")
        items = [
            self._described(group, stream)
            for name, stream in sorted(group.streams.items())
            if name.startswith(prefix or "")
        ]
        if order == "LastEventTime":
            items.sort(key=lambda item: int(item.get("lastEventTimestamp", 0)))
        descending = body.get("descending", False)
        if descending:
            items.reverse()
        return self._page("logStreams", items, body, ["DescribeLogStreams", group.name, prefix, order, str(descending)])

    def describe_log_groups(self, region: str, body: Body) -> Body:
        prefix, pattern = body.get("logGroupNamePrefix"), body.get("logGroupNamePattern")
        identifiers, group_class = body.get("logGroupIdentifiers"), body.get("logGroupClass", GROUP_CLASS)
        if prefix is not None and pattern is not None:
            raise invalid_parameter_error(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
            )
        if identifiers is not None and not (prefix is pattern is None):
            raise invalid_parameter_error("With logGroupIdentifiers no other filter may be given.")
        wanted = None if identifiers is None else {group_name_in(each) for each in identifiers}
        items = [
            self._described_group(group)
            for group in self._account.logs.groups(region)
            if group.name.startswith(prefix or "")
            and (pattern or "") in group.name
            and (wanted is None or group.name in wanted)
            and group_class == GROUP_CLASS
        ]
        if pattern is not None:
            # "… then only arn, creationTime, and logGroupName are included in the response."
            items = [{name: item[name] for name in ("arn", "creationTime", "logGroupName")} for item in items]
        names = None if wanted is None else ",".join(sorted(wanted))
        return self._page("logGroups", items, body, ["DescribeLogGroups", region, prefix, pattern, names])

    def create_log_group(self, region: str, body: Body) -> None:
        name = body["logGroupName"]
        if name.startswith(RESERVED_PREFIX):
            raise invalid_parameter_error(f"Log groups starting with {RESERVED_PREFIX} are reserved for AWS.")
        if self._account.logs.group(region, name) is not None:
            raise existing_error("group")
        self._account.logs.create_group(region, name)

    def create_log_stream(self, region: str, body: Body) -> None:
        group = find_group(self._account.logs, region, body)
        if body["logStreamName"] in group.streams:
            raise existing_error("stream")
        self._account.logs.stream(region, group.name, body["logStreamName"])

    def put_log_events(self, region: str, body: Body) -> Body:
        """Take events; they can be found at once. Too old and too new ones are reported by their index."""
        stream = find_stream(find_group(self._account.logs, region, body), body["logStreamName"])
        events = body["logEvents"]
        if sum(len(event["message"].encode()) + EVENT_OVERHEAD_BYTES for event in events) > MAX_BATCH_BYTES:
            raise invalid_parameter_error(f"Upload too large: more than {MAX_BATCH_BYTES} bytes.")
        now = self._account.clock.now()
        ages_s = [now - event["timestamp"] / 1000 for event in events]
        if sorted(ages_s, reverse=True) != ages_s:
            raise invalid_parameter_error("Log events in a single PutLogEvents request must be in chronological order.")
        too_old = sum(age > OLDEST_ACCEPTED_S for age in ages_s)
        too_new = sum(age < -NEWEST_ACCEPTED_S for age in ages_s)
        valid = events[too_old : len(events) - too_new]
        if valid and valid[-1]["timestamp"] - valid[0]["timestamp"] > MAX_BATCH_SPAN_S * 1000:
            raise invalid_parameter_error("The batch of log events in a single request cannot span more than 24 hours.")
        for event in valid:
            self._account.logs.write(stream, timestamp_ms=event["timestamp"], message=event["message"], visible_at=now)
        rejected = ({"tooOldLogEventEndIndex": too_old} if too_old else {}) | (
            {"tooNewLogEventStartIndex": len(events) - too_new} if too_new else {}
        )
        answer: Body = {"nextSequenceToken": f"{int(now * 1000):056d}"}
        return answer | ({"rejectedLogEventsInfo": rejected} if rejected else {})

    def _page(self, member: str, items: list[Body], body: Body, purpose: list[str | None]) -> Body:
        try:
            page, more = self._account.page_tokens.cut(
                items, body.get("limit", PAGE_SIZE), body.get("nextToken"), purpose
            )
        except PageTokenError as error:
            raise invalid_page_error() from error
        return {member: page, **more}

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
            "logGroupClass": GROUP_CLASS,
        }

    def _group_arn(self, group: LogGroup) -> str:
        return f"arn:aws:logs:{group.region}:{self._account.account_id}:log-group:{group.name}"
