"""One run as its host sees it: what it emits is numbered, timed and bounded here, and added up to the row's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.sessions.engine import guards
from apps.sessions.engine.host import Resume
from apps.sessions.engine.run_stream import LiveStream, RunClock
from apps.sessions.models import Invocation
from loom_events.fold import TOKEN_KINDS, answer_text, merge_text, token_counts, unread_count
from loom_events.kinds import RunEvent
from loom_events.recorded import RecordedEvent

# A run is kept in memory while it goes on. AgentCore's own limit for a body is 100 MB; a million events are two hours
# of an agent that says a hundred words a second.
MAX_ANSWER_BYTES = 100_000_000
MAX_EVENTS = 1_000_000


class AnswerTooLargeError(Exception):
    """The agent says more than a run may hold."""


class Run:
    """The `RunHandle` that the engine gives to a host."""

    def __init__(self, invocation: Invocation, stream: LiveStream) -> None:
        self.invocation = invocation
        self.stream = stream
        self.clock = RunClock()
        self.now_ms = self.clock.offset_ms
        self.max_answer_bytes = MAX_ANSWER_BYTES
        self.max_events = MAX_EVENTS
        self.chunk_count = invocation.chunk_count
        self.byte_count = invocation.byte_count
        self.resume: Resume | None = None
        self._has_token = invocation.first_token_at is not None
        self.first_token_ms: float | None = None  # of a run that began here
        self._sent_count = 0
        if stream.events:
            self.resume = Resume(tuple(stream.events))
        if invocation.invoked_at is not None:
            self.clock.go_on(invocation.invoked_at)

    @property
    def attempt(self) -> int:
        return max(self.invocation.attempt or 0, 1)

    @property
    def cancelled(self) -> bool:
        return self.stream.is_cancelled

    @property
    def events(self) -> Sequence[RecordedEvent]:
        return self.stream.events

    def begin(self, attempt: int) -> None:
        invoked_at = self.clock.start()
        self._sent_count = attempt
        self.stream.append({"kind": "invoked", "at": invoked_at.isoformat(), "attempt": attempt}, offset_ms=0.0)
        self.stream.changed_fields |= {
            "status": Invocation.Status.STREAMING, "invoked_at": invoked_at, "attempt_count": attempt
        }  # fmt: skip

    def received(self, size: int, at_ms: float) -> None:
        if not self.chunk_count:
            self.stream.changed_fields["first_chunk_at"] = self.clock.at(at_ms)
        self.chunk_count += 1
        self.byte_count += size

    def emit(self, *events: RunEvent, at_ms: float | None = None) -> None:
        # All of this is done for every piece of an answer.
        stream = self.stream
        if events:
            offset_ms = self.now_ms() if at_ms is None else at_ms
            if not self._has_token:
                self._look_for_token(events, offset_ms)
            new = stream.append(*merge_text(events), offset_ms=offset_ms)
            if guards.watches:
                self._ask_guards(new)
        if self.byte_count > self.max_answer_bytes or len(stream.events) > self.max_events:
            raise AnswerTooLargeError

    def _look_for_token(self, events: Sequence[RunEvent], offset_ms: float) -> None:
        if any(event["kind"] in TOKEN_KINDS for event in events):
            self._has_token, self.first_token_ms = True, offset_ms
            self.stream.changed_fields["first_token_at"] = self.clock.at(offset_ms)

    def _ask_guards(self, events: Sequence[RecordedEvent]) -> None:
        reason = guards.reason_to_stop(self.invocation.pk, events)
        if reason is not None:
            self.note(error_code="stopped_by_loom", error_message=reason)
            self.stream.cancel(Invocation.Status.STOPPED)

    def note(self, at: Mapping[str, float] | None = None, **columns: Any) -> None:
        instants = {name: self.clock.at(offset_ms) for name, offset_ms in (at or {}).items()}
        self.stream.changed_fields |= {**columns, **instants}

    def summary(self) -> dict[str, Any]:
        """The columns that the events add up to; an end may know better whether the prompt reached the agent."""
        input_tokens, output_tokens = token_counts(self.stream.events)
        return {
            "response_text": answer_text(self.stream.events),
            "chunk_count": self.chunk_count,
            "byte_count": self.byte_count,
            "input_token_count": input_tokens,
            "output_token_count": output_tokens,
            "unread_event_count": unread_count(self.stream.events),
            "last_sequence": len(self.stream.events),
            "attempt_count": self._sent_count or self.invocation.attempt_count,
            "is_unsent": self.clock.invoked_at is None,
        }
