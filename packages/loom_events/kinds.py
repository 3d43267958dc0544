"""What can happen in a run, whatever answers: one TypedDict for each kind, and their union.

`kind` says which it is. A reader keeps what it does not know: a later Loom, or a host of its own, may say more.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"


class Spanned(TypedDict, total=False):
    """Where in a run an event belongs, so that parallel tools and sub-agents nest. Without both: to the run itself.

    `span_id` names the tool call, node or turn of a sub-agent that the event is part of, the same in all of its events;
    `parent_id` the span that this one happened inside.
    """

    span_id: str
    parent_id: str


class TextEvent(Spanned):
    """A piece of text: of the run's answer, or of what is said inside another span where it has a `parent_id`."""

    kind: Literal["text"]
    text: str


class JsonEvent(Spanned):
    """A whole `application/json` body; `text` is what to show of it."""

    kind: Literal["json"]
    value: JsonValue
    text: str


class ReasoningEvent(Spanned):
    """A piece of the model's reasoning, which is not part of the answer."""

    kind: Literal["reasoning"]
    text: str


class ToolEvent(Spanned):
    """The model begins to call a tool. A tool call is a span of its own: `span_id` is its `tool_use_id`."""

    kind: Literal["tool"]
    tool_use_id: str
    name: str


class ToolInputEvent(Spanned):
    """A piece of the JSON text that the model hands to a tool."""

    kind: Literal["tool_input"]
    tool_use_id: str
    text: str


class Named(TypedDict, total=False):
    name: str


class ToolResultEvent(Spanned, Named):
    """What a tool gave back; `status` is `success` or `error`. One whose call nobody told may say the tool's `name`."""

    kind: Literal["tool_result"]
    tool_use_id: str
    status: str
    text: str


class UsageEvent(Spanned):
    """The model's token counts of one cycle; a run that calls tools has several, to be added up."""

    kind: Literal["usage"]
    input_tokens: int
    output_tokens: int
    total_tokens: int


class StopEvent(Spanned):
    """Why the model stopped, in Bedrock's words: `end_turn`, `tool_use`, `max_tokens` …"""

    kind: Literal["stop"]
    reason: str


class ErrorEvent(Spanned):
    """The agent failed in mid-stream, although HTTP said 200; or its stream could not be read."""

    kind: Literal["error"]
    error_type: str
    message: str


class InvokedEvent(Spanned):
    """The prompt is sent now, for the `attempt`-th time: `at` is the instant (ISO 8601) that offsets count from."""

    kind: Literal["invoked"]
    at: str
    attempt: int


class HeadersEvent(Spanned):
    """The response begins."""

    kind: Literal["headers"]
    http_status: int
    content_type: str


class ApprovalEvent(Spanned):
    """A person is asked, and later, under the same `approval_id`, what came of it.

    `status` is `waiting`, then `granted`, `refused` or `expired`; `message` is the question, then what was answered.
    """

    kind: Literal["approval"]
    approval_id: str
    status: str
    message: str


class RetryEvent(Spanned):
    """A call to a model or a tool did not go well and is made again, for the `attempt`-th time, after `delay_ms`."""

    kind: Literal["retry"]
    attempt: int
    delay_ms: float
    reason: str


class RoutingEvent(Spanned):
    """Who is asked next: the `route` that was chosen, the `model` behind it ("" where there is none), and why."""

    kind: Literal["routing"]
    route: str
    model: str
    reason: str


class RestartEvent(Spanned):
    """Another process takes the run up again, as attempt `attempt`, from a `checkpoint` ("": from its beginning)."""

    kind: Literal["restart"]
    attempt: int
    checkpoint: str
    reason: str


class NodeEvent(Spanned):
    """A node of a workflow: `status` is `started`, `waiting`, `completed`, `failed` or `skipped`. It is a span."""

    kind: Literal["node"]
    node_id: str
    status: str
    message: str


class StateEvent(Spanned):
    """An agent that is a state machine goes from one state to the next, because of `event`."""

    kind: Literal["state"]
    from_state: str
    event: str
    to_state: str


class DiffEvent(Spanned):
    """A file was changed; `unified` is the difference as `diff -u` writes it."""

    kind: Literal["diff"]
    path: str
    unified: str


class StitchEvent(Spanned):
    """The workspace was saved after a step, so that it can be undone: the paths that had changed."""

    kind: Literal["stitch"]
    stitch_id: str
    files: list[str]


class OtherEvent(Spanned):
    """Something that only its host knows; shown as it is under `name`."""

    kind: Literal["other"]
    name: str
    value: JsonValue


RunEvent: TypeAlias = (
    TextEvent
    | JsonEvent
    | ReasoningEvent
    | ToolEvent
    | ToolInputEvent
    | ToolResultEvent
    | UsageEvent
    | StopEvent
    | ErrorEvent
    | InvokedEvent
    | HeadersEvent
    | ApprovalEvent
    | RetryEvent
    | RoutingEvent
    | RestartEvent
    | NodeEvent
    | StateEvent
    | DiffEvent
    | StitchEvent
    | OtherEvent
)
