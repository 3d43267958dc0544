"""Events as a recording holds them: numbered and timed."""

from __future__ import annotations

from typing import TypeAlias, TypedDict

from loom_events.kinds import (
    ApprovalEvent,
    DiffEvent,
    ErrorEvent,
    HeadersEvent,
    InvokedEvent,
    JsonEvent,
    NodeEvent,
    OtherEvent,
    ReasoningEvent,
    RestartEvent,
    RetryEvent,
    RoutingEvent,
    StateEvent,
    StitchEvent,
    StopEvent,
    TextEvent,
    ToolEvent,
    ToolInputEvent,
    ToolResultEvent,
    UsageEvent,
)


class Recorded(TypedDict):
    """`seq` counts a run's events from 1 without a gap; `offset_ms` counts from `invoked_at` on the monotonic clock."""

    seq: int
    offset_ms: float


class RecordedText(TextEvent, Recorded): ...


class RecordedJson(JsonEvent, Recorded): ...


class RecordedReasoning(ReasoningEvent, Recorded): ...


class RecordedTool(ToolEvent, Recorded): ...


class RecordedToolInput(ToolInputEvent, Recorded): ...


class RecordedToolResult(ToolResultEvent, Recorded): ...


class RecordedUsage(UsageEvent, Recorded): ...


class RecordedStop(StopEvent, Recorded): ...


class RecordedError(ErrorEvent, Recorded): ...


class RecordedInvoked(InvokedEvent, Recorded): ...


class RecordedHeaders(HeadersEvent, Recorded): ...


class RecordedApproval(ApprovalEvent, Recorded): ...


class RecordedRetry(RetryEvent, Recorded): ...


class RecordedRouting(RoutingEvent, Recorded): ...


class RecordedRestart(RestartEvent, Recorded): ...


class RecordedNode(NodeEvent, Recorded): ...


class RecordedState(StateEvent, Recorded): ...


class RecordedDiff(DiffEvent, Recorded): ...


class RecordedStitch(StitchEvent, Recorded): ...


class RecordedOther(OtherEvent, Recorded): ...


RecordedEvent: TypeAlias = (
    RecordedText
    | RecordedJson
    | RecordedReasoning
    | RecordedTool
    | RecordedToolInput
    | RecordedToolResult
    | RecordedUsage
    | RecordedStop
    | RecordedError
    | RecordedInvoked
    | RecordedHeaders
    | RecordedApproval
    | RecordedRetry
    | RecordedRouting
    | RecordedRestart
    | RecordedNode
    | RecordedState
    | RecordedDiff
    | RecordedStitch
    | RecordedOther
)
