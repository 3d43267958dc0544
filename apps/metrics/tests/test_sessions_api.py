from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.metrics.sessions_api import RunOut
from apps.metrics.tests.runs import NOON, make_measured, make_run
from apps.sessions.models import Session

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
    return str(instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")).replace(".000Z", "Z")


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
        "output_token_count": None,
    }  # fmt: skip
    first, second = body.pop("invocations")
    wire = {
        "attempt_count": 2, "content_type": "text/event-stream", "trace_id": "1-5f", "headers_ms": 0.0,
        "first_chunk_ms": 2000.0, "chunk_count": 7, "byte_count": 140,
    }  # fmt: skip
    assert second == {**newest, "requested_at": "2026-11-20T12:00:10Z", **wire}
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
    }


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
