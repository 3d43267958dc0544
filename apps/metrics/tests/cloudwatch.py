"""A CloudWatch of a few lines for tests, which counts what it is asked and fails on order."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.aws.tests.loopback import Exchange

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TRACES = re.compile(r'\?"([0-9a-f]{32})"')
ENVIRONMENT = "d46c08d5-f8a1-4bb0-9b8f-c2d9519a7a95"


def to_ms(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(milliseconds=1)


def stream_of(session_id: str, environment: str = ENVIRONMENT) -> str:
    """The log stream of an environment that serves one session from direct code."""
    return f"2026/11/20/[runtime-logs-{session_id}]{environment}"


def start_line(at: datetime) -> str:
    """What an application writes that tells its start itself (rank 1)."""
    return f"Agent invoked - Start time: {at.astimezone(UTC).replace(tzinfo=None).isoformat()}, Request ID: r-1"


def sdk_line(message: str, at: datetime, session_id: str = "") -> str:
    """A line of the SDK's logger (rank 2 and 3)."""
    record = {"timestamp": at.isoformat(timespec="milliseconds"), "level": "INFO", "message": message}
    return json.dumps({**record, "logger": "bedrock_agentcore.app", "sessionId": session_id})


def streaming_line(at: datetime) -> str:
    return sdk_line("Returning streaming response (generator) (0.000s)", at)


@dataclass
class CloudWatch:
    """Log groups in memory. `asked` holds each operation with its parameters; `before` is called ahead of each answer.

    Of a filter pattern the ids of traces are heard, and nothing else.
    `error` is (code, message) that FilterLogEvents answers with HTTP 400; pages hold `page_size` events.
    """

    page_size: int = 10_000
    error: tuple[str, str] | None = None
    before: Callable[[str, dict[str, Any]], None] | None = None
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    streams: dict[str, datetime] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, group: str, stream: str, at: datetime, message: str) -> None:
        event = {"logStreamName": stream, "timestamp": to_ms(at), "message": message, "eventId": str(len(self.lines))}
        self.lines.append((group, event))
        self.streams.setdefault(stream, at)

    def filters(self) -> list[dict[str, Any]]:
        """The parameters of every FilterLogEvents."""
        return [parameters for operation, parameters in self.asked if operation == "FilterLogEvents"]

    def __call__(self, exchange: Exchange) -> None:
        operation = exchange.request.headers["x-amz-target"].rpartition(".")[2]
        parameters = json.loads(exchange.request.body)
        with self._lock:
            self.asked.append((operation, parameters))
        if self.before is not None:
            self.before(operation, parameters)
        if operation == "DescribeLogStreams":
            exchange.reply_json({"logStreams": self._described(parameters["logStreamNamePrefix"])})
        elif self.error is not None:
            exchange.reply_json({"__type": self.error[0], "message": self.error[1]}, 400)
        else:
            exchange.reply_json(self._page(parameters))

    def _described(self, prefix: str) -> list[dict[str, Any]]:
        return [
            {"logStreamName": name, "creationTime": to_ms(created_at)}
            for name, created_at in self.streams.items()
            if name.startswith(prefix)
        ]

    def _page(self, parameters: dict[str, Any]) -> dict[str, Any]:
        end = parameters.get("endTime", float("inf"))
        traces = _TRACES.findall(parameters.get("filterPattern", ""))
        found = [
            event
            for group, event in self.lines
            if group == parameters["logGroupName"] and parameters["startTime"] <= event["timestamp"] <= end
            if not traces or any(trace in event["message"] for trace in traces)
        ]
        first = int(parameters.get("nextToken", 0))
        rest = first + self.page_size
        more = {"nextToken": str(rest)} if rest < len(found) else {}
        return {"events": found[first:rest], **more}
