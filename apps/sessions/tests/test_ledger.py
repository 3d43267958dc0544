"""What starts, goes on and ends by prepared statements leaves the rows that the ORM would."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.agents.models import Agent, Endpoint
from apps.core.models import Notice, Process
from apps.core.running import processes
from apps.sessions.engine import ledger
from apps.sessions.engine.recording import Pending, finish_invocation, stop_requests, write_batches
from apps.sessions.exceptions import SessionBusyError
from apps.sessions.invoking import Request, enqueue_prompt, start_invocation
from apps.sessions.models import Invocation, QueuedPrompt, RecordingBatch, Session
from apps.sessions.selectors import session_of_agent, session_visible_to, sessions_visible_to
from apps.sessions.tests import written_by_orm
from loom_events.recorded import RecordedEvent

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
SENT_AT = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=UTC)
# Of two runs, what is never equal: who they are, and the moment at which each was asked for or told of.
OF_EACH = {"id", "session_id", "agent_id", "invocation_id", "public_id", "runtime_session_id", "name"}
OF_NOW = {"requested_at", "created_at", "last_invoked_at", "queued_at", "registered_at"}


def at(seconds: float) -> datetime:
    return SENT_AT + timedelta(seconds=seconds)


def texts(*words: str, first: int = 1) -> list[RecordedEvent]:
    return [
        {"seq": number, "offset_ms": number / 3, "kind": "text", "text": word}
        for number, word in enumerate(words, first)
    ]


SENT = {"status": "streaming", "invoked_at": at(0), "attempt_count": 1}
BEGUN = {"headers_at": at(0.5), "first_chunk_at": at(0.75), "first_token_at": at(0.75), "http_status": 200}
SUMMED_UP = {
    "response_text": "one two", "chunk_count": 2, "byte_count": 2**40, "input_token_count": None,
    "output_token_count": 7, "unread_event_count": 0, "last_sequence": 3, "attempt_count": 1, "is_unsent": False,
}  # fmt: skip

# A prompt, what the recorder writes meanwhile, and the end: its status, columns and events.
CASES: dict[str, Any] = {
    "completed": ("Two days?", [(texts("one ", "two"), SENT | BEGUN)], ("completed", SUMMED_UP, texts("!", first=3))),
    "failed": ("Go", [([], SENT)], ("failed", {"error_code": "x", "error_message": "It broke."}, [])),
    "stopped": ("Go", [(texts("a"), {})], ("stopped", {"error_advice": "Go on."}, texts("b", first=2))),
    "interrupted": ("Go", [], ("interrupted", {"is_unsent": True}, [])),
    "unicode": ("Zürich 🚂 %s '\" \\", [(texts("é\u2028<b>", "日本 \x01"), SENT)], ("completed", {"model": "é"}, [])),
    "long": ("x" * 100_000, [(texts(*2000 * ["word "]), SENT)], ("completed", {"response_text": "y" * 200_000}, [])),
    "costs": ("Go", [], ("completed", {"cost_usd": Decimal("0.012345"), "cost_source": "priced", "waited_ms": 1.5}, [])
    ),
    "other events": (
        "Go",
        [([{"seq": 1, "offset_ms": 0.1, "kind": "other", "name": "n", "value": {"a": [1, 2.5, None, True, {"b": ""}]}}],
          SENT)],
        ("completed", {}, [{"seq": 2, "offset_ms": 1e-3, "kind": "invoked", "at": "now", "attempt": 2}]),
    ),
}  # fmt: skip


def rows(session: Session) -> dict[str, list[dict[str, Any]]]:
    """All that the tables hold of a session, but for what two runs never share."""
    runs = Invocation.objects.filter(session=session).order_by("number")
    found = {
        "agent": Agent.objects.filter(pk=session.agent_id),
        "session": Session.objects.filter(pk=session.pk),
        "runs": runs,
        "events": RecordingBatch.objects.filter(invocation__in=runs).order_by("invocation_id", "first_sequence"),
        "notices": Notice.objects.filter(topic=session.topic).order_by("pk"),
        "prompts": QueuedPrompt.objects.filter(session=session),
    }
    names = {run.pk: f"run {run.number}" for run in runs}
    return {name: [_comparable(row, names) for row in of.values()] for name, of in found.items()}


def _comparable(row: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    same = {name: value for name, value in row.items() if name not in OF_EACH and not name.startswith("former_")}
    same |= {name: "some time" for name in OF_NOW if same.get(name) is not None}
    same.pop("topic", None)
    if ":" in str(same.get("kind")):
        kind, _, pk = same["kind"].partition(":")
        same["kind"] = f"{kind}:{names[int(pk)]}"
    return same


@pytest.fixture
def twins(make_session: MakeSession) -> tuple[Session, Session]:
    """Two sessions that differ in nothing but their keys, each with an agent of its own."""
    sessions = [make_session(title="A title") for _ in range(2)]
    Endpoint.objects.update(live_version="7")
    return sessions[0], sessions[1]


@pytest.mark.parametrize("name", CASES)
def test_a_run_leaves_the_rows_that_the_orm_would(twins: tuple[Session, Session], name: str) -> None:
    prompt, batches, (status, fields, last) = CASES[name]
    process = processes.register(Process.Kind.WEB)
    ours, reference = twins
    for key in ("", f"key {name}"):  # the second prompt of a session differs from its first
        run = start_invocation(session=ours, prompt=prompt, process_id=process.pk, payload='{"p": 1}', request_key=key)
        same = written_by_orm.start(reference, prompt, payload='{"p": 1}', process_id=process.pk, request_key=key)
        for events, columns in batches:
            assert write_batches(process.pk, [Pending(run.pk, events, columns)]) == set()
            written_by_orm.write(same, events, columns)
        rest = Pending(run.pk, last, fields)
        # As the recorder keeps it up to date: what the run cost follows from that.
        for columns in (*(columns for _, columns in batches), fields, {"status": status, "completed_at": at(9)}):
            for column, value in columns.items():
                setattr(run, column, value)
        assert finish_invocation(process.pk, rest, status=status, completed_at=at(9), invocation=run)
        written_by_orm.end(same, last, fields, status=status, completed_at=at(9))

        assert rows(ours) == rows(reference)
        assert [row["number"] for row in rows(ours)["runs"]] == ([1] if not key else [1, 2])


def test_an_end_that_nobody_holds_and_that_is_read_again_is_the_same(twins: tuple[Session, Session]) -> None:
    ours, reference = twins
    run = start_invocation(session=ours, prompt="Go", process_id=None, payload="{}")
    same = written_by_orm.start(reference, "Go", payload="{}", process_id=None, request_key="")

    assert finish_invocation(None, Pending(run.pk, texts("a"), {}), status="interrupted", completed_at=at(9))
    written_by_orm.end(same, texts("a"), {}, status="interrupted", completed_at=at(9))

    assert rows(ours) == rows(reference)


def test_a_session_that_answers_takes_no_second_prompt_and_loses_nothing(make_session: MakeSession) -> None:
    session = make_session()
    start_invocation(session=session, prompt="Go", process_id=None)
    before = rows(session)

    with pytest.raises(SessionBusyError):
        start_invocation(session=session, prompt="Go", process_id=None)
    assert rows(session) == before


def test_what_was_typed_ahead_becomes_the_next_run_in_the_same_transaction(make_session: MakeSession) -> None:
    session = make_session()
    run = start_invocation(session=session, prompt="Go", process_id=None)
    for prompt in ("first", "second"):
        enqueue_prompt(session=session, request=Request(prompt, key=prompt))

    finish_invocation(None, Pending(run.pk, []), status="completed", completed_at=at(9))

    found = rows(session)
    assert [(row["number"], row["status"], row["prompt"]) for row in found["runs"]] == [
        (1, "completed", "Go"), (2, "queued", "first")
    ]  # fmt: skip
    assert [row["text"] for row in found["prompts"]] == ["second"]
    assert [row["kind"] for row in found["notices"]] == ["started:run 1", "finished:run 1", "started:run 2"]


def test_only_the_runs_of_a_process_that_were_asked_to_stop_are_told(make_session: MakeSession) -> None:
    mine, other = processes.register(Process.Kind.WEB), processes.register(Process.Kind.WEB)
    asked, _, others, over = (
        start_invocation(session=make_session(), prompt="Go", process_id=process.pk)
        for process in (mine, mine, other, mine)
    )
    stopped = Invocation.objects.filter(pk__in=[asked.pk, others.pk, over.pk])
    stopped.update(stop_requested_at=at(1))
    Invocation.objects.filter(pk=over.pk).update(status="stopped")

    assert stop_requests(mine.pk) == {asked.pk}


@pytest.mark.parametrize("model", [Invocation, RecordingBatch])
def test_every_column_of_a_row_is_written_whatever_columns_there_will_be(
    model: type[Model], make_session: MakeSession
) -> None:
    """Nothing here or in the ledger lists columns: one that is added to a model is carried."""
    statements: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        run = start_invocation(session=make_session(), prompt="Go", process_id=None)
        finish_invocation(None, Pending(run.pk, texts("a")), status="completed", completed_at=at(9))

    [inserted] = [sql for sql in statements if sql.startswith(f'INSERT INTO "{model._meta.db_table}"')]
    written = inserted.split("VALUES")[0]
    columns = [field.column for field in model._meta.local_concrete_fields if not field.primary_key]
    assert [column for column in columns if f'"{column}"' not in written] == []


def test_a_row_that_was_handed_over_twice_is_stored_once(make_session: MakeSession) -> None:
    run = start_invocation(session=make_session(), prompt="Go", process_id=None)
    batches = [RecordingBatch(invocation=run, first_sequence=1, last_sequence=1, events=[text]) for text in ("a", "b")]

    ledger.store_handed_over([(None, batches[0]), (None, None), (None, batches[1])])

    assert [batch.events for batch in RecordingBatch.objects.all()] == [["a"]]
    with pytest.raises(IntegrityError):
        ledger.insert_batches(batches[1:])


def test_the_session_of_a_prompt_is_the_one_that_the_list_would_show(
    make_session: MakeSession, alice: User, bob: User, carol: User
) -> None:
    session = make_session(title="A title")
    make_session()
    [listed] = sessions_visible_to(alice).filter(public_id=session.public_id)

    for user in (alice, carol, bob, AnonymousUser()):
        of_list = sessions_visible_to(user).filter(public_id=session.public_id).first()
        assert (
            session_visible_to(user, session.public_id) == session_visible_to(user, str(session.public_id)) == of_list
        )
    found = session_visible_to(alice, session.public_id)
    assert found is not None
    with CaptureQueriesContext(connection) as queries:  # all of it is there
        for theirs, ours in ((listed, found), (listed.agent, found.agent), *_runtimes(listed, found)):
            assert {name: getattr(ours, name) for name in _columns(theirs)} == _columns(theirs)
    assert len(queries) == 0


@pytest.mark.parametrize("change", [{"removed_at": at(0)}, {"origin": "aws"}])
def test_a_session_of_an_agent_that_is_not_registered_here_is_not_found_by_it(
    make_session: MakeSession, alice: User, change: dict[str, Any]
) -> None:
    session = make_session()
    Agent.objects.update(**change)

    assert session_of_agent(alice, session.agent_id, session.runtime_session_id) is None
    assert session_visible_to(alice, session.public_id) == session


def _runtimes(*sessions: Session) -> list[tuple[Any, Any]]:
    """None where the agents are of a kind that has none."""
    return [(sessions[0].agent.runtime, sessions[1].agent.runtime)] if hasattr(sessions[0].agent, "runtime") else []


def _columns(row: Model) -> dict[str, Any]:
    fields = row._meta.local_concrete_fields
    return {field.attname: getattr(row, field.attname) for field in fields if not field.name.startswith("former_")}
