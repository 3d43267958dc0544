from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.test import AsyncClient, Client

from apps.accounts.models import User
from apps.core.notices.notices import group_name
from apps.metrics.models import Measurement
from apps.metrics.tests.runs import at, make_due, make_measured, make_run
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def address(session: Session) -> str:
    return f"/api/agents/{session.agent.pk}/sessions/{session.runtime_session_id}/latency"


def read(client: Client, session: Session) -> tuple[int, Any]:
    response = client.get(address(session))
    return response.status_code, response.json()


def test_a_measured_cold_run_under_the_keys_of_the_first_version(as_alice: Client, make_session: MakeSession) -> None:
    """S0-058 to S0-063, S0-089, S0-100e and S0-105: a stored value is returned without asking AWS."""
    session = make_session()
    make_measured(
        make_run(session, first_byte_s=1.9, ended_s=3.25),
        1_500,
        log_event_count=7,
        tries=2,
        log_stream="2026/11/20/[runtime-logs]",
    )

    assert read(as_alice, session) == (
        200,
        {
            "session_id": session.runtime_session_id,
            "qualifier": "DEFAULT",
            "invocation": 1,
            "status": "complete",
            "reason": "",
            "client_invoke_time_iso": "2026-11-20T12:00:00Z",
            "agent_start_time_iso": "2026-11-20T12:00:01.500Z",
            "cold_start_latency_ms": 1500.0,
            "client_duration_ms": 3250.0,
            "log_events_found": 7,
            "state": "measured",
            "is_cold": True,
            "start_kind": "created",
            "start_kind_reason": "first of its session",
            "startup_latency_ms": 1500.0,
            "time_to_first_token_ms": 1900.0,
            "low_ms": 0.0,
            "high_ms": 1900.0,
            "source": "Agent invoked",
            "marker_rank": 1,
            "log_stream": "2026/11/20/[runtime-logs]",
            "tries": 2,
            "max_tries": 12,
            "log_group": session.agent.runtime.log_group,
            "error": "",
            "error_code": "",
        },
    )


@pytest.mark.parametrize(("rank", "cold_ms"), [(1, 1500.0), (2, 1500.0), (3, 1500.0), (4, None)])
def test_the_first_line_of_a_log_is_no_cold_start(
    as_alice: Client, make_session: MakeSession, rank: int, cold_ms: float | None
) -> None:
    """It says that something was alive; the seed's key never carries it, whatever the state of the search."""
    session = make_session()
    row = make_measured(make_run(session), 1_500, marker_rank=rank)
    listed = f"/api/agents/{session.agent_id}/sessions"
    for state in ("measured", "waiting"):
        Measurement.objects.filter(pk=row.pk).update(state=state)
        bodies = [read(as_alice, session)[1], as_alice.get(listed).json()[0]]
        assert [(body["cold_start_latency_ms"], body["startup_latency_ms"]) for body in bodies] == [
            (cold_ms, 1500.0)
        ] * 2


@pytest.mark.parametrize(("kind", "is_cold"), [("reused", False), ("unknown", None)])
def test_what_is_not_known_to_be_cold_has_no_cold_start(
    as_alice: Client, make_session: MakeSession, kind: str, is_cold: bool | None
) -> None:
    session = make_session()
    make_measured(make_run(session), 150, start_kind=kind)

    status, body = read(as_alice, session)
    assert (status, body["cold_start_latency_ms"], body["startup_latency_ms"]) == (200, None, 150.0)
    assert body["is_cold"] is is_cold


def test_it_is_the_newest_run_that_counts(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    make_measured(make_run(session), 1_500)
    make_measured(make_run(session, 10), 150, start_kind="reused")

    assert read(as_alice, session)[1]["invocation"] == 2
    earlier = as_alice.get(f"{address(session)}?invocation=1").json()
    assert (earlier["invocation"], earlier["startup_latency_ms"]) == (1, 1500.0)
    assert as_alice.get(f"{address(session)}?invocation=3").status_code == 404


@pytest.mark.parametrize(
    ("row", "status", "state", "error"),
    [
        ({"tries": 3}, 202, "waiting", ""),
        ({"tries": 3, "error_code": "X", "error_message": "Rate exceeded."}, 202, "waiting", "Rate exceeded."),
        ({"tries": 3, "marker_rank": 2, "agent_started_at": at(1.5)}, 200, "provisional", ""),
        (
            {"tries": 12},
            200,
            "not_found",
            "No start line was found in the log group; the agent may not log one.",
        ),
        (
            {"state": "measured", "tries": 1, "marker_rank": 1, "agent_started_at": at(-0.2)},
            200,
            "clock_skew",
            "The start line lies outside what is possible: the agent's clock and this one differ.",
        ),
        (
            {"state": "failed", "tries": 14, "error_code": "X", "error_message": "You may not."},
            200,
            "failed",
            "You may not.",
        ),
    ],
)
def test_until_it_is_known_and_where_it_is_not(
    as_alice: Client, make_session: MakeSession, row: dict[str, Any], status: int, state: str, error: str
) -> None:
    """S0-105: null and a clear error where no start line was found."""
    session = make_session()
    make_due(make_run(session), **row)

    code, body = read(as_alice, session)
    assert (code, body["state"], body["error"]) == (status, state, error)
    assert body["cold_start_latency_ms"] == (1500.0 if state == "provisional" else None)
    assert body["startup_latency_ms"] == body["cold_start_latency_ms"]


def test_while_the_run_goes_on(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    make_run(session, status="streaming", completed_at=None)

    status, body = read(as_alice, session)
    assert (status, body["state"], body["status"]) == (202, "running", "streaming")
    assert (body["client_duration_ms"], body["agent_start_time_iso"], body["log_events_found"]) == (None, None, 0)


@pytest.mark.parametrize("status", ["failed", "stopped", "interrupted"])
def test_how_a_run_ended_that_did_not_complete(as_alice: Client, make_session: MakeSession, status: str) -> None:
    session = make_session()
    make_due(make_run(session, status=status))

    _, body = read(as_alice, session)
    assert (body["status"], body["reason"]) == ("error", status)


def test_a_refused_request_says_that_there_is_nothing_to_measure(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    make_due(make_run(session, status="failed", http_status=404), next_at=None)

    status, body = read(as_alice, session)
    assert (status, body["state"]) == (200, "none")
    assert body["error"] == "No agent was started, so there is no start to measure."


def test_a_latency_belongs_to_the_sessions_owner_and_to_staff(
    client: Client, make_session: MakeSession, bob: User, carol: User
) -> None:
    session = make_session()
    make_measured(make_run(session), 1_500)

    assert client.get(address(session)).status_code == 401
    client.force_login(bob)
    assert read(client, session) == (
        404,
        {
            "error": "not_found",
            "message": f"No session {session.runtime_session_id} of agent {session.agent.pk}.",
            "details": {"agentId": session.agent.pk, "sessionId": session.runtime_session_id},
        },
    )
    client.force_login(carol)
    assert client.get(address(session)).status_code == 200


def test_what_is_not_there_is_404(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()

    assert as_alice.get(address(session)).status_code == 404
    assert as_alice.get("/api/agents/999/sessions/x/latency").status_code == 404


@pytest.mark.django_db(transaction=True)
async def test_a_waiting_request_is_answered_when_it_is_known(make_session: MakeSession, alice: User) -> None:
    """It sleeps until a notice of the session comes, and then reads."""
    client = AsyncClient()
    session = await sync_to_async(make_session)()
    measurement = await sync_to_async(lambda: make_due(make_run(session)))()
    await client.aforce_login(alice)
    asking = asyncio.ensure_future(client.get(f"{address(session)}?wait=1"))
    layer: Any = get_channel_layer()
    group = group_name(session.topic)
    async with asyncio.timeout(60):
        while not layer.groups.get(group):  # noqa: ASYNC110 -- the layer tells nobody who joins
            await asyncio.sleep(0.01)
    assert not asking.done()
    fields = {"state": "measured", "next_at": None, "marker_rank": 1, "agent_started_at": at(1.5)}
    await Measurement.objects.filter(pk=measurement.pk).aupdate(**fields)
    await layer.group_send(group, {"type": "notice", "topic": session.topic, "kind": "measurement"})
    response = await asking

    assert (response.status_code, response.json()["startup_latency_ms"]) == (200, 1500.0)
    assert not layer.groups.get(group)


@pytest.mark.django_db(transaction=True)
async def test_a_waiting_request_hears_of_what_was_told_while_it_began(make_session: MakeSession, alice: User) -> None:
    """And what is known already is not waited for."""
    client = AsyncClient()
    session = await sync_to_async(make_session)()
    await sync_to_async(lambda: make_measured(make_run(session), 1_500))()
    await client.aforce_login(alice)

    assert (await client.get(f"{address(session)}?wait=1")).status_code == 200
