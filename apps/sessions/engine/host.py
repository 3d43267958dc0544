"""What the engine needs of whatever answers. One host for each kind of agent, registered in its app's `ready()`.

The engine claims a run, records it, shows it, stops it and ends it; it knows no AWS, no model and no wire. A host turns
one claimed run into events and an end. What it does for one kind, the engine does for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal, Protocol

from apps.agents.models import Agent
from apps.core.exceptions import LoomError
from apps.sessions.exceptions import AgentUnavailableError
from apps.sessions.models import Invocation, Session
from loom_events.kinds import ErrorEvent, RunEvent
from loom_events.recorded import RecordedEvent

Sent = tuple[datetime, datetime | None]
"""When a run was sent and when it ended, None while it goes on."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a host keeps for a session: `none`, `busy`, `kept`, `gone` or `ended`.

    `kept` and `gone` are what the agent's timeouts say; AgentCore tells nobody.
    """

    state: str
    expires_at: datetime | None = None

    @property
    def can_be_ended(self) -> bool:
        return self.state in {"busy", "kept"}


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended: its status and, where that needs words, what happened and what to do about it.

    `waiting` is an end as well: the run needs a person, frees its process and goes on later. `is_unsent` says that the
    prompt provably never reached the agent; None where the engine's own clock tells it. `columns` are others of the
    row that the end explains, as `http_status`.
    """

    status: Invocation.Status
    code: str = ""
    message: str = ""
    advice: str = ""
    is_unsent: bool | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """The columns of the row that say so."""
        found = {
            "error_code": self.code, "error_message": self.message, "error_advice": self.advice,
        }  # fmt: skip
        told = {name: text for name, text in found.items() if text}
        if self.is_unsent is not None:
            told["is_unsent"] = self.is_unsent  # type: ignore[assignment]
        return {**told, **self.columns}


COMPLETED = RunEnd(Invocation.Status.COMPLETED)
AGENT_ERROR = "agent_error"


def agent_failed(error: ErrorEvent, advice: str = "") -> RunEnd:
    """The end of a run whose agent reported a failure in its answer.

    What the agent calls it stands in a column of its own: its words are no codes of ours, whatever they are.
    """
    return RunEnd(
        Invocation.Status.FAILED,
        code=AGENT_ERROR,
        message=error["message"] or error["error_type"],
        advice=advice,
        columns={"agent_error_type": error["error_type"]},
    )


@dataclass(frozen=True, slots=True)
class Resume:
    """What there is of a run that is taken up again: the events that were recorded before, the last one included."""

    events: Sequence[RecordedEvent]


class RunHandle(Protocol):
    """One claimed run, as its host sees it."""

    @property
    def invocation(self) -> Invocation:
        """The row with its session and agent; read only, as it was when the run was claimed."""

    @property
    def attempt(self) -> int:
        """How often a process has taken this run up, from 1."""

    @property
    def resume(self) -> Resume | None:
        """None for a run that begins; else what an earlier process, or this one before it waited, has left."""

    @property
    def cancelled(self) -> bool:
        """Somebody asked for its end; the task is being cancelled."""

    @property
    def events(self) -> Sequence[RecordedEvent]:
        """Everything recorded so far, in order."""

    def begin(self, attempt: int) -> None:
        """Now it is sent, for the `attempt`th time: the clock starts, and `invoked` is the first event."""

    def now_ms(self) -> float:
        """Milliseconds since it was sent: one reading for everything that arrived together."""

    def received(self, size: int, at_ms: float) -> None:
        """So many bytes of the answer arrived; what they say is emitted next."""

    def emit(self, *events: RunEvent, at_ms: float | None = None) -> None:
        """Number, time and hand on events; raises AnswerTooLargeError where that is more than a run may hold."""

    def note(self, at: Mapping[str, float] | None = None, **columns: Any) -> None:
        """Change columns of the row; those of `at` are instants, given in milliseconds since it was sent."""


class AgentHost(Protocol):
    """Whatever answers for one kind of agent."""

    kind: str
    has_environment: bool
    """Whether something starts for a session, which may be cold, and lives on after it."""
    on_death: Literal["interrupt", "requeue"]
    """What becomes of a background run whose process died after it was begun."""
    interrupted_advice: str

    async def open(self) -> None:
        """Make what all runs of a process share. Cheap; what is slow is made on first use or by `warm_up`."""

    async def warm_up(self) -> None:
        """Make what the first run would wait for; never raises."""

    async def close(self) -> None:
        """Let go of it, after the last run."""

    def check(self, agent: Agent, qualifier: str | None = None) -> None:
        """Raise LoomError where an invocation could only fail now; with `qualifier` also for an unknown endpoint.

        Called from threads; may block once for what the agent says of itself.
        """

    def version(self, agent: Agent, qualifier: str) -> str:
        """The version that the endpoint leads to now, or an empty text."""

    def payload(self, session: Session, prompt: str) -> str:
        """What is sent for a prompt in this session."""

    async def run(self, run: RunHandle) -> RunEnd:
        """Answer one run. Never raises for what the agent did; cancellation is Stop, or the end of the process."""

    async def end_session(self, session: Session) -> None:
        """Free what is kept for a session (with its agent loaded); raises LoomError. Not there any more is fine."""

    def environment(self, session: Session, runs: Sequence[Sent]) -> Environment:
        """What is kept for a session that is not answering, from the runs that reached the agent, in order."""

    def error_status(self, invocation: Invocation) -> HTTPStatus:
        """The HTTP status for a program that waited for a run that failed."""


class UnknownKindError(LoomError):
    """An agent of a kind that this installation has no host for."""

    code = "unknown_kind"
    http_status = HTTPStatus.CONFLICT


_factories: dict[str, Callable[[], AgentHost]] = {}
_rules: dict[str, AgentHost] = {}


def register(kind: str, factory: Callable[[], AgentHost]) -> None:
    """Let agents of a kind be answered by the hosts that `factory` makes, one for each engine and one for its rules.

    Called by every process as it begins, also by those that run nothing: what is heavy is the factory's to import.
    """
    _factories[kind] = factory


def forget(kind: str) -> None:
    """The opposite of `register`."""
    del _factories[kind]
    _rules.pop(kind, None)


def host_of(kind: str) -> AgentHost:
    """The host whose rules hold for a kind; it is never opened. Raises UnknownKindError."""
    rules = _rules.get(kind)
    if rules is not None:
        return rules
    if kind not in _factories:
        raise UnknownKindError(
            f"Nothing here answers for agents of the kind {kind}.", advice="Install the part of Loom that does."
        )
    return _rules.setdefault(kind, _factories[kind]())


def check_agent(agent: Agent, qualifier: str | None = None) -> None:
    """Raise LoomError where an invocation could only fail; with `qualifier` also where there is no such endpoint.

    May block for one refresh of the agent.
    """
    if agent.removed_at is not None:
        raise AgentUnavailableError(f"{agent.name} is archived.", advice="Bring it back to invoke it.")
    host_of(agent.kind).check(agent, qualifier)


def make_hosts() -> dict[str, AgentHost]:
    """One new host of every kind, for an engine to open."""
    return {kind: factory() for kind, factory in _factories.items()}
