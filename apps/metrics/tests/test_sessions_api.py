from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.metrics.sessions_api import LISTED_CHARACTERS, RunOut
from apps.metrics.tests.runs import NOON, make_measured, make_run
from apps.sessions.models import RecordingBatch, Session
from loom_events.fold import UNREAD, UNREAD_MORE

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def read(client: Client, session: Session, rest: str = "") -> Any:
    response = client.get(f"/api/agents/{session.agent.pk}/sessions{rest}")
    assert response.status_code == 200, response.content
    return response.json()


def iso(instant: Any) -> str:
    """An instant as the API tells it: with milliseconds, unless it is a whole second."""
    precision = "milliseconds" if instant.microsecond else "seconds"
    return str(instant.isoformat(timespec=precision).replace("+00:00", "Z"))


def test_a_session_has_its_newest_runs_fields_and_every_run(as_alice: Client, make_session: MakeSession) -> None:
    """S0-080 to S0-093, S0-100b: the keys of the first version."""
    session = make_session(title="Two days?")
    make_measured(make_run(session, first_byte_s=1.9, ended_s=3.25, response_text="Go."), 1_500)
    failed: dict[str, Any] = {
        "status": "failed",
        "error_code": "RuntimeClientError",
        "error_message": "It broke.",
        "prompt": "Again?",
        "attempt_count": 2,
        "content_type": "text/event-stream",
        "trace_id": "1-5f",
        "cost_usd": Decimal("0.000142"),
        "cost_source": "estimate",
        "chunk_count": 7,
        "byte_count": 140,
    }
    make_measured(make_run(session, 10, request_id="r-2", **failed), 150, start_kind="reused")
    body = read(as_alice, session, f"/{session.runtime_session_id}")

    noon = NOON.timestamp()
    newest = {
        "invocation": 2, "prompt": "Again?", "response": "", "client_invoke_time": noon + 10,
        "client_done_time": noon + 13, "agent_start_time": noon + 10.15, "cold_start_latency_ms": None,
        "client_duration_ms": 3000.0, "status": "error", "error_message": "It broke.", "reason": "failed",
        "error": "RuntimeClientError", "time_to_first_token_ms": 2000.0, "startup_latency_ms": 150.0, "is_cold": False,
        "start_kind": "reused", "version": "3", "http_status": 200, "request_id": "r-2", "input_token_count": None,
        "output_token_count": None, "unread_event_count": 0, "agent_error_type": "", "is_response_cut": False,
        "cost_usd": 0.000142, "cost_source": "estimate",
    }  # fmt: skip
    first, second = body.pop("invocations")
    wire = {
        "attempt_count": 2, "content_type": "text/event-stream", "trace_id": "1-5f", "headers_ms": 0.0,
        "first_chunk_ms": 2000.0, "chunk_count": 7, "byte_count": 140, "id": session.invocations.get(number=2).pk,
        "repeated_from": None, "source": "manual",
    }  # fmt: skip
    assert second == {**newest, "requested_at": "2026-11-20T12:00:10Z", **wire}
    assert (first["cost_usd"], first["cost_source"]) == (None, None)
    assert (first["status"], first["response"], first["cold_start_latency_ms"]) == ("complete", "Go.", 1500.0)
    assert body == {
        **newest,
        "id": session.pk,
        "agent_id": session.agent.pk,
        "session_id": session.runtime_session_id,
        "qualifier": "DEFAULT",
        "title": "Two days?",
        "purpose": "conversation",
        "created_at": iso(session.created_at),
        "last_invoked_at": "2026-11-20T12:00:10Z",
        "ended_at": None,
        "invocation_count": 2,
        "url": f"/sessions/{session.public_id}/",
        "environment_expires_at": "2026-11-20T12:15:13Z",
        "public_id": str(session.public_id),
        "is_pinned": False,
        "archived_at": None,
    }


def test_a_list_holds_the_beginning_of_a_long_answer_and_the_run_all_of_it(
    as_alice: Client, make_session: MakeSession
) -> None:
    session = make_session()
    long, short = "ä" * (LISTED_CHARACTERS + 1), "ä" * LISTED_CHARACTERS
    for number, text in enumerate((long, short, long)):
        make_run(session, 10 * number, response_text=text)
    with CaptureQueriesContext(connection) as asked:
        body = read(as_alice, session, f"/{session.runtime_session_id}")
        [listed] = read(as_alice, session)

    assert [(run["response"], run["is_response_cut"]) for run in body["invocations"]] == [
        (short, True), (short, False), (short, True)
    ]  # fmt: skip
    assert (listed["response"], listed["is_response_cut"]) == (short, True)
    assert not [query for query in asked if re.search(r'"response_text"(?!, 1, )', query["sql"])], "read whole"
    for number, text in ((1, long), (2, short)):
        run = read(as_alice, session, f"/{session.runtime_session_id}/invocations/{number}")
        assert (run["invocation"], run["response"], run["is_response_cut"]) == (number, text, False)


def test_what_was_not_understood_of_an_answer_is_read_by_itself(
    as_alice: Client, make_session: MakeSession, bob: User
) -> None:
    session = make_session()
    run = make_run(session, 0, unread_event_count=5, agent_error_type="odd", error_code="agent_error")
    values: list[tuple[str, Any]] = [(UNREAD, {"a": [1]}), ("state", 1), (UNREAD, "b"), (UNREAD_MORE, {"count": 3})]
    events = [
        {"seq": place, "offset_ms": 1.5 * place, "kind": "other", "name": name, "value": value}
        for place, (name, value) in enumerate(values, 1)
    ]
    RecordingBatch.objects.create(invocation=run, first_sequence=1, last_sequence=4, events=events)
    address = f"/{session.runtime_session_id}/invocations/1"

    assert read(as_alice, session, f"{address}/unread") == {
        "count": 5,
        "values": [{"seq": 1, "offset_ms": 1.5, "value": {"a": [1]}}, {"seq": 3, "offset_ms": 4.5, "value": "b"}],
    }
    whole = read(as_alice, session, address)
    assert (whole["unread_event_count"], whole["agent_error_type"], whole["error"]) == (5, "odd", "agent_error")
    as_alice.force_login(bob)
    for path in (address, f"{address}/unread"):
        assert as_alice.get(f"/api/agents/{session.agent.pk}/sessions{path}").status_code == 404
    assert as_alice.get(f"/api/agents/{session.agent.pk}/sessions{address[:-1]}2").status_code == 404


def test_a_session_without_a_run_has_none_of_its_fields(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    body = read(as_alice, session, f"/{session.runtime_session_id}")

    assert {body[key] for key in RunOut.model_fields} == {None}
    assert (body["invocations"], body["invocation_count"], body["environment_expires_at"]) == ([], 0, None)


def test_the_sessions_of_an_agent_come_in_pages_the_newest_first(
    as_alice: Client, make_session: MakeSession, django_assert_max_num_queries: Any
) -> None:
    """S0-100a. The number of queries does not grow with the page."""
    first = make_session()
    sessions = [first, *(make_session(agent=first.agent) for _ in range(4))]
    make_session()
    for number, session in enumerate(sessions):
        for turn in range(number):
            make_run(session, 10 * turn, prompt=f"turn {turn + 1}")
    with django_assert_max_num_queries(6):
        listed = read(as_alice, first)

    assert [(row["id"], row["invocation_count"], row["invocation"], row["prompt"]) for row in listed] == [
        (sessions[4].pk, 4, 4, "turn 4"),
        (sessions[3].pk, 3, 3, "turn 3"),
        (sessions[2].pk, 2, 2, "turn 2"),
        (sessions[1].pk, 1, 1, "turn 1"),
        (sessions[0].pk, 0, None, None),
    ]
    assert [row["id"] for row in read(as_alice, first, "?limit=2&offset=1")] == [sessions[3].pk, sessions[2].pk]
    assert as_alice.get(f"/api/agents/{first.agent.pk}/sessions?limit=201").status_code == 400


def test_the_list_keeps_to_a_purpose_where_one_is_asked_for(as_alice: Client, make_session: MakeSession) -> None:
    conversation = make_session()
    measured = make_session(agent=conversation.agent, purpose=Session.Purpose.MEASURE_START)

    def listed(query: str) -> list[tuple[int, str]]:
        return [(row["id"], row["purpose"]) for row in read(as_alice, conversation, query)]

    assert listed("") == [(measured.pk, "measure_start"), (conversation.pk, "conversation")]
    assert listed("?purpose=measure_start") == [(measured.pk, "measure_start")]
    assert listed("?purpose=conversation") == [(conversation.pk, "conversation")]
    refused = as_alice.get(f"/api/agents/{conversation.agent.pk}/sessions?purpose=holiday")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid")


def test_strangers_see_no_session_and_staff_sees_all(
    client: Client, make_session: MakeSession, bob: User, carol: User
) -> None:
    session = make_session()
    address = f"/api/agents/{session.agent.pk}/sessions/{session.runtime_session_id}"
    assert client.get(address).status_code == 401
    client.force_login(bob)
    assert (client.get(address).status_code, read(client, session)) == (404, [])
    client.force_login(carol)
    assert client.get(address).status_code == 200
    assert [row["id"] for row in read(client, session)] == [session.pk]
