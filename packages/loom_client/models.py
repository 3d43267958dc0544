"""What Loom answers, as typed objects. Keys that this version does not know are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class _Answer:
    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Take the known keys of an answer."""
        return cls(**{known.name: body[known.name] for known in fields(cls) if known.name in body})


@dataclass(frozen=True, slots=True)
class Invocation(_Answer):
    """One run of a session. Instants are Unix seconds, durations milliseconds, None where unknown.

    `headers_ms` and `first_chunk_ms` are from the send. `unread_event_count` counts what of the answer Loom could not
    read as text. Of a long answer a session holds the beginning alone (`is_response_cut`); `Client.invocation` reads
    all of it. `id` names the run in all of Loom, as for `Client.repeat`; `repeated_from` is that of the run whose
    prompt was sent once more.
    """

    invocation: int
    requested_at: str
    prompt: str
    response: str
    status: str
    reason: str | None
    error: str
    error_message: str
    client_invoke_time: float | None
    client_done_time: float | None
    client_duration_ms: float | None
    time_to_first_token_ms: float | None
    startup_latency_ms: float | None
    is_cold: bool | None
    version: str
    request_id: str
    http_status: int | None = None
    attempt_count: int = 0
    content_type: str = ""
    trace_id: str = ""
    headers_ms: float | None = None
    first_chunk_ms: float | None = None
    chunk_count: int = 0
    byte_count: int = 0
    unread_event_count: int = 0
    agent_error_type: str = ""
    is_response_cut: bool = False
    cost_usd: float | None = None
    cost_source: str | None = None
    id: int = 0
    repeated_from: int | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Repeat(_Answer):
    """The run that a prompt sent once more became; `waiting_count` prompts follow it in its session."""

    id: int
    invocation: int
    agent_id: int
    session_id: str
    session_public_id: str
    qualifier: str
    url: str
    repeated_from: int | None = None
    waiting_count: int = 0


@dataclass(frozen=True, slots=True)
class QueuedPrompt(_Answer):
    """A prompt, or a whole body, that waits in a session; `position` counts from 1, which is sent next."""

    id: int
    position: int
    prompt: str
    payload: Any
    created_at: str
    repeated_from: int | None = None


@dataclass(frozen=True, slots=True)
class Added(_Answer):
    """A prompt that was put into a queue: `queued` where it waits, `id` and `invocation` where it is a run already."""

    queued: QueuedPrompt | None
    id: int | None
    invocation: int | None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        queued = body["queued"]
        return super(Added, cls).read({**body, "queued": QueuedPrompt.read(queued) if queued else None})


@dataclass(frozen=True, slots=True)
class Queue(_Answer):
    """What waits in a session. `is_held`: the answer before it was stopped, and nothing is sent by itself."""

    items: tuple[QueuedPrompt, ...]
    is_held: bool
    limit: int

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        items = tuple(QueuedPrompt.read(item) for item in body["items"])
        return super(Queue, cls).read({**body, "items": items})


@dataclass(frozen=True, slots=True)
class UnreadValue(_Answer):
    """Something of an answer that Loom could not read as text, as the agent sent it."""

    seq: int
    offset_ms: float
    value: Any


@dataclass(frozen=True, slots=True)
class Unread(_Answer):
    """How much of an answer Loom could not read as text, and the first of it."""

    count: int
    values: tuple[UnreadValue, ...] = ()

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        values = tuple(UnreadValue.read(item) for item in body["values"])
        return super(Unread, cls).read({**body, "values": values})


@dataclass(frozen=True, slots=True)
class Session(_Answer):
    """A session; its runs, and until when AgentCore keeps its environment, only where one session was asked for; its
    agent's name only where those of all agents were.

    `purpose` is `conversation`, or `measure_start` where a measurement of starts opened it; instants are ISO 8601.
    """

    id: int
    agent_id: int
    session_id: str
    qualifier: str
    title: str
    purpose: str
    created_at: str
    last_invoked_at: str | None
    ended_at: str | None
    invocation_count: int
    url: str
    agent_name: str = ""
    environment_expires_at: str | None = None
    invocations: tuple[Invocation, ...] = ()
    public_id: str = ""
    is_pinned: bool = False
    archived_at: str | None = None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        runs = tuple(Invocation.read(item) for item in body.get("invocations", ()))
        return super(Session, cls).read({**body, "invocations": runs})


@dataclass(frozen=True, slots=True)
class KeptSession(_Answer):
    """How a session is kept; `id` is the `public_id` of a `Session`. `archived_at` is None where lists show it."""

    id: str
    agent_id: int
    session_id: str
    title: str
    is_pinned: bool
    archived_at: str | None
    url: str


@dataclass(frozen=True, slots=True)
class Latency(_Answer):
    """What is known of a run's latency; milliseconds, None where unknown.

    `state` is `running`, `waiting` or `provisional` while it may still change. `source` is the line that told the
    start, `marker_rank` how strong it is: 1 the strongest, 4 merely the first line. Instants are ISO 8601.
    """

    session_id: str
    qualifier: str
    invocation: int
    status: str
    state: str
    client_duration_ms: float | None
    time_to_first_token_ms: float | None
    startup_latency_ms: float | None
    cold_start_latency_ms: float | None
    low_ms: float | None
    high_ms: float | None
    is_cold: bool | None
    start_kind: str
    start_kind_reason: str
    source: str
    log_group: str
    error: str
    error_code: str = ""
    client_invoke_time_iso: str | None = None
    agent_start_time_iso: str | None = None
    marker_rank: int | None = None
    log_stream: str = ""
    tries: int = 0

    @property
    def is_known(self) -> bool:
        """Nothing is waited for any more."""
        return self.state not in {"running", "waiting"}

    @property
    def is_settled(self) -> bool:
        """Nothing better is waited for either: a weak start line counts until a stronger one arrives."""
        return self.is_known and self.state != "provisional"


@dataclass(frozen=True, slots=True)
class Gap(_Answer):
    """A piece of a run's time between two instants, in milliseconds since its beginning; `key` says what happened."""

    key: str
    name: str
    start_ms: float
    end_ms: float
    clock: str
    evidence: str
    after: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Timeline(_Answer):
    """Where a run's time went: its gaps add up to `wall_ms`. What lies inside of them is as the API has it."""

    id: int
    session_id: str
    invocation: int
    status: str
    began_at: str
    wall_ms: float
    is_finished: bool
    gaps: tuple[Gap, ...]
    start_kind: str = ""
    start_state: str = ""
    start: dict[str, Any] | None = None
    spans: tuple[dict[str, Any], ...] = ()
    stalls: tuple[dict[str, Any], ...] = ()
    rate: dict[str, Any] | None = None
    agent_spans: dict[str, Any] | None = None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        gaps = tuple(Gap.read(item) for item in body["gaps"])
        lists = {name: tuple(body.get(name, ())) for name in ("spans", "stalls")}
        return super(Timeline, cls).read({**body, **lists, "gaps": gaps})


@dataclass(frozen=True, slots=True)
class LogLine(_Answer):
    timestamp_ms: int
    timestamp_iso: str
    message: str
    session_id: str
    log_stream: str
    level: str
    ingested_at: str = ""


@dataclass(frozen=True, slots=True)
class Logs(_Answer):
    """The newest lines, oldest first."""

    log_group: str
    log_stream: str
    events: list[LogLine]
    has_more: bool

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        return super(Logs, cls).read({**body, "events": [LogLine.read(item) for item in body["events"]]})


@dataclass(frozen=True, slots=True)
class StartSeries(_Answer):
    """A measurement of an agent's start and what it has found so far. Milliseconds."""

    id: int
    state: str
    count: int
    done: int
    failed: int
    not_found: int
    waiting: int
    p50_ms: float | None
    low_ms: float | None
    high_ms: float | None
    min_ms: float | None
    max_ms: float | None
    measured: int
    cold_p50_ms: float | None
    warm_p50_ms: float | None
    cold_penalty_ms: float | None
    estimated_cost_usd: float
    message: str
    pool: Mapping[str, Any] | None = None  # of a series at once

    @property
    def is_running(self) -> bool:
        return self.state == "running"


@dataclass(frozen=True, slots=True)
class PromptSet(_Answer):
    """Prompts with what is wanted of their answers; `prompts` is empty in a list of sets."""

    id: int
    name: str
    owner: str
    prompt_count: int
    created_at: str
    prompts: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan(_Answer):
    """Runs that were asked for together and what is found so far, as the API describes it.

    `passed` counts prompts over all targets, with the interval of the share; None where none is over.
    """

    id: int
    name: str
    source: str
    prompt_set_id: int | None
    state: str
    message: str
    order: str
    seed: int
    run_count: int
    done: int
    passed: dict[str, Any] | None
    targets: list[dict[str, Any]]
    comparisons: list[dict[str, Any]]
    prompts: list[str]
    runs: list[dict[str, Any]]

    @property
    def is_running(self) -> bool:
        return self.state == "running"
