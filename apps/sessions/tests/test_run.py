"""What a host is given of a run: its limits, its clock, what its events add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy

import pytest
from django.db import OperationalError

from apps.sessions.engine import guards
from apps.sessions.engine.run import AnswerTooLargeError, Run
from apps.sessions.engine.run_stream import LiveStream
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, Session
from loom_events.recorded import RecordedEvent


@pytest.fixture
def run(transactional_db: None, make_session: Callable[..., Session]) -> Run:
    invocation = start_invocation(session=make_session(), prompt="go", process_id=None)
    return Run(invocation, LiveStream(invocation.pk))


@pytest.mark.parametrize(("limit", "value"), [("max_answer_bytes", 1000), ("max_events", 40)])
def test_an_answer_without_an_end_is_cut_off_with_what_came(run: Run, limit: str, value: int) -> None:
    setattr(run, limit, value)
    run.begin(1)

    with pytest.raises(AnswerTooLargeError):
        while True:
            run.received(30, run.now_ms())
            run.emit({"kind": "text", "text": "on "}, {"kind": "text", "text": "and on "})

    assert run.summary()["response_text"] == "on and on " * run.chunk_count
    assert len(run.events) == 1 + run.chunk_count <= 41


def test_a_run_that_was_never_sent_says_so(run: Run) -> None:
    assert run.summary()["is_unsent"] is True

    run.begin(1)

    assert run.summary()["is_unsent"] is False


def test_a_run_that_is_taken_up_again_goes_on_with_its_numbers_and_its_clock(run: Run) -> None:
    run.begin(1)
    run.emit({"kind": "text", "text": "one "})
    row, recorded = copy(run.invocation), list(run.events)
    row.invoked_at, row.attempt = run.clock.invoked_at, 2

    again = Run(row, LiveStream(row.pk, recorded=recorded))
    again.emit({"kind": "text", "text": "two"})

    assert again.resume is not None and list(again.resume.events) == recorded
    assert (run.resume, run.attempt, again.attempt) == (None, 1, 2)
    assert [(event["seq"], event["kind"]) for event in again.events] == [(1, "invoked"), (2, "text"), (3, "text")]
    assert again.events[-1]["offset_ms"] >= recorded[-1]["offset_ms"]
    assert again.summary()["response_text"] == "one two"
    assert again.stream.recorded_sequence == 2  # only what is new is written


class Budget:
    """Stops a run at its third piece of text."""

    def before(self, session: Session) -> None: ...

    def watch(self, invocation: Invocation) -> Budget:
        return self

    def close(self) -> None: ...

    def reason_to_stop(self, events: Sequence[RecordedEvent]) -> str | None:
        return (
            "The budget is spent."
            if any(event["kind"] == "text" and event["text"] == "three" for event in events)
            else None
        )


@pytest.fixture
def budget() -> Iterator[Budget]:
    guard = Budget()
    guards.register(guard)
    yield guard
    guards.forget(guard)


class Away(Budget):
    """Cannot ask the database."""

    def watch(self, invocation: Invocation) -> Budget:
        raise OperationalError("server closed the connection")


def test_a_run_that_is_stored_is_not_lost_where_its_guard_finds_the_database_away(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    guard = Away()
    guards.register(guard)
    try:
        guards.watch(run.invocation)
    finally:
        guards.forget(guard)

    assert not guards.watches
    assert "run is not held to budgets" in caplog.text


def test_a_guard_says_why_a_run_has_to_stop(run: Run, budget: Budget) -> None:
    guards.watch(run.invocation)
    run.begin(1)
    for text in ("one", "two"):
        run.emit({"kind": "text", "text": text})
    assert "error_message" not in run.stream.changed_fields

    run.emit({"kind": "text", "text": "three"})

    assert run.stream.changed_fields["error_message"] == "The budget is spent."
    guards.unwatch(run.invocation.pk)
    assert not guards.watches
