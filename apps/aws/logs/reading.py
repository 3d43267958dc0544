"""Reading the logs of agent runtimes from CloudWatch, page by page (boto3, synchronous)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict, Unpack

from apps.aws.clients import client
from apps.aws.connection import Connection
from apps.aws.errors import NotFoundError, translated
from apps.aws.logs.streams import LogEvent, classify, in_order

__all__ = ["Choice", "LogEvent", "LogGroupNotFoundError", "LogPage", "LogStream", "RuntimeLogs"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MAX_EVENTS_OF_A_PAGE = 10_000
# FilterLogEvents refuses an earlier start where the newest events are asked for first. AgentCore is younger.
EARLIEST_START = datetime(2024, 1, 1, tzinfo=UTC)


class LogGroupNotFoundError(NotFoundError):
    """The endpoint has no log group: it was never invoked, or its role may not write logs."""

    default_advice = (
        "AWS creates the log group with the first invocation. If there was one, the agent's execution role "
        "lacks logs:CreateLogGroup, logs:CreateLogStream or logs:PutLogEvents."
    )


@dataclass(frozen=True, slots=True)
class LogPage:
    """One page of events in time order. A page may be empty and still carry the token of the next."""

    events: list[LogEvent]
    next_token: str | None


class Choice(TypedDict, total=False):
    """Which events of a log group are read; as `filter_page` takes them."""

    end: datetime | None
    stream_prefix: str | None
    streams: Sequence[str]
    pattern: str | None
    limit: int
    newest_first: bool


@dataclass(frozen=True, slots=True)
class LogStream:
    """A log stream. CloudWatch updates `last_event_at` up to an hour late; both are None while it is empty."""

    name: str
    created_at: datetime
    first_event_at: datetime | None
    last_event_at: datetime | None


@dataclass(frozen=True, slots=True)
class RuntimeLogs:
    """The log groups that one connection can read. Instants go in and come out aware; out always in UTC.

    Everything raises `LogGroupNotFoundError` where the group does not exist, else an `AwsError`.
    """

    connection: Connection

    def filter_page(
        self,
        *,
        region: str,
        log_group: str,
        start: datetime,
        end: datetime | None = None,
        stream_prefix: str | None = None,
        streams: Sequence[str] = (),
        pattern: str | None = None,
        next_token: str | None = None,
        limit: int = _MAX_EVENTS_OF_A_PAGE,
        newest_first: bool = False,
    ) -> LogPage:
        """One FilterLogEvents: the events from `start` to `end`, both included, of all or the named streams.

        Nothing is older than `EARLIEST_START`; a range that ends before it is an empty page. `streams` (at most 100)
        and `stream_prefix` exclude each other. With `newest_first` each page holds older events than the one before
        it; within a page they are in time order all the same.
        """
        if streams and stream_prefix is not None:
            raise ValueError("Name streams or a prefix of them, not both.")
        request: dict[str, Any] = {"logGroupName": log_group, "startTime": _start_ms(start), "limit": limit}
        if end is not None and _to_ms(end) < request["startTime"]:
            return LogPage([], None)
        if end is not None:
            request["endTime"] = _to_ms(end)
        if stream_prefix is not None:
            request["logStreamNamePrefix"] = stream_prefix
        if streams:
            request["logStreamNames"] = list(streams)
        if pattern is not None:
            request["filterPattern"] = pattern
        if newest_first:
            request["startFromHead"] = False
        if next_token is not None:
            request["nextToken"] = next_token
        answer = self._call(region, "filter_log_events", request)
        events = [_event(raw["logStreamName"], raw) for raw in answer.get("events", [])]
        if newest_first:
            events.reverse()
        return LogPage(in_order(events), answer.get("nextToken"))

    def pages(
        self,
        *,
        region: str,
        log_group: str,
        start: datetime,
        max_pages: int,
        next_token: str | None = None,
        **choice: Unpack[Choice],
    ) -> Iterator[LogPage]:
        """Up to `max_pages` pages of `filter_page`, from `next_token` on, fetched while they are consumed.

        Where the last one has a token, more is there: a further reading goes on from it. Errors are raised by the
        iteration.
        """
        for _ in range(max_pages):
            page = self.filter_page(region=region, log_group=log_group, start=start, next_token=next_token, **choice)
            yield page
            next_token = page.next_token
            if next_token is None:
                return

    def streams(self, *, region: str, log_group: str, prefix: str | None = None, limit: int = 1_000) -> list[LogStream]:
        """The streams of a group, at most `limit`, by name; the one that AWS makes to test deliveries is left out."""
        request: dict[str, Any] = {"logGroupName": log_group}
        if prefix is not None:
            request["logStreamNamePrefix"] = prefix
        found: list[LogStream] = []
        while len(found) < limit:
            answer = self._call(region, "describe_log_streams", request)
            found += [
                _stream(raw)
                for raw in answer.get("logStreams", [])
                if classify(raw["logStreamName"]).kind != "validation"
            ]
            if "nextToken" not in answer:
                break
            request["nextToken"] = answer["nextToken"]
        return found[:limit]

    def read_stream(
        self,
        *,
        region: str,
        log_group: str,
        stream: str,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Iterator[LogEvent]:
        """The events of one stream, oldest first, fetched page by page while they are consumed.

        GetLogEvents gives no event ids, so `event_id` is empty. Errors are raised by the iteration.
        """
        request: dict[str, Any] = {"logGroupName": log_group, "logStreamName": stream, "startFromHead": True}
        if start is not None:
            request["startTime"] = _start_ms(start)
        if end is not None:
            request["endTime"] = _to_ms(end)
        while True:
            answer = self._call(region, "get_log_events", request)
            for raw in answer.get("events", []):
                yield _event(stream, raw)
            # The end of a stream is not an empty page but a token that comes back unchanged.
            token = answer.get("nextForwardToken")
            if token is None or token == request.get("nextToken"):
                return
            request["nextToken"] = token

    def _call(self, region: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            with translated(self.connection.profile):
                answer: dict[str, Any] = getattr(client(self.connection, "logs", region), operation)(**request)
        except NotFoundError as error:
            if "log stream" in error.message:
                raise
            raise LogGroupNotFoundError(
                error.message, code=error.code, http_status=error.http_status, request_id=error.request_id
            ) from None
        return answer


def _event(stream: str, raw: dict[str, Any]) -> LogEvent:
    return LogEvent(
        stream=stream,
        at=_from_ms(raw["timestamp"]),
        ingested_at=_from_ms(raw.get("ingestionTime", raw["timestamp"])),
        message=raw["message"],
        event_id=raw.get("eventId", ""),
    )


def _stream(raw: dict[str, Any]) -> LogStream:
    return LogStream(
        name=raw["logStreamName"],
        created_at=_from_ms(raw["creationTime"]),
        first_event_at=_from_ms(raw["firstEventTimestamp"]) if "firstEventTimestamp" in raw else None,
        last_event_at=_from_ms(raw["lastEventTimestamp"]) if "lastEventTimestamp" in raw else None,
    )


def _start_ms(start: datetime) -> int:
    return max(_to_ms(start), _to_ms(EARLIEST_START))


def _to_ms(instant: datetime) -> int:
    if instant.tzinfo is None:
        raise ValueError("Log times must carry a time zone.")
    # CloudWatch counts from 1970; an earlier bound means "from the beginning".
    return max((instant - _EPOCH) // _MILLISECOND, 0)


def _from_ms(milliseconds: int) -> datetime:
    return _EPOCH + milliseconds * _MILLISECOND
