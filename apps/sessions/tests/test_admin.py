from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path, reverse

from apps.agents.models import Agent
from apps.sessions.models import Invocation, Recording, RecordingBatch, Session

urlpatterns = [path("admin/", admin.site.urls)]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("alice@example.com"))
    return client


@pytest.fixture
def session() -> Session:
    agent = Agent.objects.create(
        arn="arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/weather-AbCdEf1234",
        name="weather",
        registered_at=NOW,
        last_refreshed_at=NOW,
    )
    owner = get_user_model().objects.create_user("bob@example.com")
    return Session.objects.create(agent=agent, owner=owner, runtime_session_id="s" * 36, created_at=NOW)


def add_invocations(session: Session, first: int, last: int) -> None:
    Invocation.objects.bulk_create(
        Invocation(
            session=session,
            number=number,
            status="completed",
            prompt=f"question {number}",
            requested_at=NOW,
            response_text="yes",
        )
        for number in range(first, last + 1)
    )


@pytest.mark.parametrize("model", ["session", "invocation", "recording", "recordingbatch"])
def test_what_happened_cannot_be_made_by_hand(staff: Client, model: str) -> None:
    assert staff.get(reverse(f"admin:agent_sessions_{model}_add")).status_code == 403


def test_a_list_costs_the_same_queries_for_one_row_and_for_forty(staff: Client, session: Session) -> None:
    address = reverse("admin:agent_sessions_invocation_changelist")
    add_invocations(session, 1, 1)
    with CaptureQueriesContext(
        connection,
    ) as one:
        staff.get(address)
    add_invocations(session, 2, 40)
    with CaptureQueriesContext(connection) as forty:
        response = staff.get(address)

    assert [row.number for row in response.context["cl"].result_list] == list(range(40, 0, -1))
    assert len(forty) == len(one)


def test_a_list_reads_neither_prompts_nor_answers(staff: Client, session: Session) -> None:
    add_invocations(session, 1, 1)

    with CaptureQueriesContext(connection) as queries:
        response = staff.get(reverse("admin:agent_sessions_invocation_changelist"))

    assert "question 1" not in response.content.decode()
    assert [
        query for query in queries.captured_queries if "prompt" in query["sql"] or "response_text" in query["sql"]
    ] == []


def test_the_page_of_one_invocation_shows_all_of_it_and_changes_nothing(staff: Client, session: Session) -> None:
    add_invocations(session, 1, 1)
    address = reverse("admin:agent_sessions_invocation_change", args=[Invocation.objects.get().pk])

    page = staff.get(address)

    assert "question 1" in page.content.decode()
    assert staff.post(address, {"prompt": "other"}).status_code == 403
    assert Invocation.objects.get().prompt == "question 1"


def test_only_title_and_tags_of_a_session_can_be_changed(staff: Client, session: Session) -> None:
    response = staff.post(
        reverse("admin:agent_sessions_session_change", args=[session.pk]),
        {"title": "Rain", "tags": '["demo"]', "runtime_session_id": "x" * 36},
    )

    session.refresh_from_db()
    assert response.status_code == 302
    assert (session.title, session.tags, session.runtime_session_id) == ("Rain", ["demo"], "s" * 36)


def test_recordings_are_listed_without_their_events(staff: Client, session: Session) -> None:
    add_invocations(session, 1, 1)
    events = [{"seq": 1, "kind": "text", "text": "secret answer"}]
    Recording.objects.create(invocation=Invocation.objects.get(), events=events)
    RecordingBatch.objects.create(invocation=Invocation.objects.get(), first_sequence=1, last_sequence=1, events=events)

    for model in ("recording", "recordingbatch"):
        with CaptureQueriesContext(connection) as queries:
            response = staff.get(reverse(f"admin:agent_sessions_{model}_changelist"))
        assert response.context["cl"].result_count == 1
        assert [query for query in queries.captured_queries if "events" in query["sql"]] == []
