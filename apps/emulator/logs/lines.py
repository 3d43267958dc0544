"""The lines that agents write, as they reach CloudWatch.

`sdk_line` has the shape of the AgentCore SDK's formatter (logger `bedrock_agentcore.app`, stderr, one JSON object); all
other output of a container arrives as it is, without a session id. `otel_record` has the shape of what the AWS
distribution of OpenTelemetry puts into the shared stream `otel-rt-logs`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SDK_LOGGER = "bedrock_agentcore.app"
OTEL_STREAM = "otel-rt-logs"


@dataclass(frozen=True)
class BareLine:
    """Something printed by the agent."""

    text: str


@dataclass(frozen=True)
class SdkLine:
    """A record of the SDK's logger. `members` are added to the JSON object (the fields of an exception).

    A timed line ends with the seconds since the request reached the container: `… (0.012s)`.
    """

    message: str
    level: str = "INFO"
    is_timed: bool = False
    members: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StartLine:
    """An agent's own "Agent invoked - Start time:" line, written through the SDK's logger when its handler runs."""


LogLine = BareLine | SdkLine | StartLine


def render_line(line: LogLine, *, at: float, elapsed_s: float, request_id: str, session_id: str) -> str:
    """Write one line at an instant of the environment's clock (epoch seconds), `elapsed_s` after the request."""
    if isinstance(line, BareLine):
        return line.text
    if isinstance(line, StartLine):
        # The agent looks at the clock on entry, and logs what it saw.
        moment = datetime.fromtimestamp(at - elapsed_s, UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        line = SdkLine(f"Agent invoked - Start time: {moment}, Request ID: {request_id}")
    record = {
        "timestamp": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "level": line.level,
        "message": f"{line.message} ({elapsed_s:.3f}s)" if line.is_timed else line.message,
        "logger": SDK_LOGGER,
        "requestId": request_id,
        "sessionId": session_id,
        **line.members,
    }
    return json.dumps(record, ensure_ascii=False)


def otel_record(
    *, at: float, resource: Mapping[str, str], session_id: str, trace_id: str, span_id: str, text: Mapping[str, str]
) -> str:
    """Write one OpenTelemetry log record; `text` has the keys input and output."""
    nanoseconds = int(at * 1_000_000) * 1000
    record = {
        "resource": {"attributes": dict(resource)},
        "scope": {"name": "strands.telemetry.tracer"},
        "timeUnixNano": nanoseconds,
        "observedTimeUnixNano": nanoseconds + 180_000,
        "severityNumber": 9,
        "severityText": "",
        "body": {
            "input": {"messages": [{"role": "user", "content": text["input"]}]},
            "output": {"messages": [{"role": "assistant", "content": text["output"]}]},
        },
        "attributes": {"event.name": "strands.telemetry.tracer", "session.id": session_id},
        "flags": 1,
        "traceId": trace_id,
        "spanId": span_id,
    }
    return json.dumps(record, ensure_ascii=False)
