from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path, reverse
from django.utils import timezone

from apps.agents.models import Agent
from apps.sessions.keeping import purge_deleted
from apps.sessions.models import Invocation, Recording, RecordingBatch, Session
from apps.sessions.selectors import tags_by_session
from apps.sessions.services import set_session_tags

admin.autodiscover()
urlpatterns = [path("admin/", admin.site.urls)]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("alice@example.com"))
    return client


@pytest.fixture
def session(make_agent: Callable[..., Agent]) -> Session:
    agent = make_agent(name="weather")
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
    assert (session.title, session.runtime_session_id) == ("Rain", "s" * 36)
    assert (tags_by_session([session.pk]), session.former_tags) == ({session.pk: ["demo"]}, ["demo"])


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ("demo", "Enter a valid JSON."),
        ('{"demo": 1}', "Tags are a list of words"),
        ("[1]", "Tags are a list of words"),
        (f'["{"x" * 41}"]', "A tag has at most 40 characters"),
    ],
)
def test_what_cannot_be_tags_is_said_at_their_field(staff: Client, session: Session, tags: str, said: str) -> None:
    set_session_tags(session=session, names=["Rain", "a, b"])
    address = reverse("admin:agent_sessions_session_change", args=[session.pk])
    assert "[&quot;Rain&quot;, &quot;a, b&quot;]" in staff.get(address).content.decode()

    page = staff.post(address, {"title": "", "tags": tags})

    assert said in page.content.decode()
    assert tags_by_session([session.pk]) == {session.pk: ["Rain", "a, b"]}


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


def test_deleting_a_session_is_the_services_and_asks_first(staff: Client, session: Session) -> None:
    add_invocations(session, 1, 3)
    address = reverse("admin:agent_sessions_session_delete", args=[session.pk])
    question = staff.get(address).content.decode()

    assert "Invocations, with recordings and measurements: 3" in question and "Are you sure" in question
    assert staff.post(address, {"post": "yes"}).status_code == 302
    assert Session.objects.get().deleted_at is not None
    changelist = reverse("admin:agent_sessions_session_changelist")
    back = staff.post(changelist, {"action": "restore", "_selected_action": session.pk}, follow=True).content.decode()
    assert "1 session there again." in back and Session.objects.get().deleted_at is None
    assert staff.post(address, {"post": "yes"}).status_code == 302
    purge_deleted(timezone.now() + timedelta(hours=2))
    assert (Session.objects.count(), Invocation.objects.count()) == (0, 0)


def test_a_session_that_answers_is_not_deleted(staff: Client, session: Session) -> None:
    add_invocations(session, 1, 1)
    Invocation.objects.update(status="streaming")
    address = reverse("admin:agent_sessions_session_delete", args=[session.pk])

    assert "is answering" in staff.get(address).content.decode()
    staff.post(address, {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": session.pk, "post": "yes"}
    staff.post(reverse("admin:agent_sessions_session_changelist"), chosen)
    assert (Session.objects.count(), Invocation.objects.count()) == (1, 1)


def test_running_invocations_are_asked_to_stop_and_finished_ones_left_alone(staff: Client, session: Session) -> None:
    add_invocations(session, 1, 2)
    Invocation.objects.filter(number=2).update(status="streaming")
    chosen = list(Invocation.objects.values_list("pk", flat=True))
    address = reverse("admin:agent_sessions_invocation_changelist")
    page = staff.post(address, {"action": "stop", "_selected_action": chosen}, follow=True).content.decode()

    assert "1 invocation asked to stop." in page
    asked = Invocation.objects.order_by("number").values_list("stop_requested_at", flat=True)
    assert [stop is not None for stop in asked] == [False, True]


@pytest.mark.agentcore
def test_ending_a_session_says_why_it_failed(staff: Client, session: Session) -> None:
    Agent.objects.update(origin=Agent.Origin.AWS)
    address = reverse("admin:agent_sessions_session_changelist")
    page = staff.post(address, {"action": "end", "_selected_action": [session.pk]}, follow=True).content.decode()

    assert "weather lives on AWS" in page and "ended." not in page
    session.refresh_from_db()
    assert session.ended_at is None


def test_staff_that_may_only_look_takes_no_action(client: Client, session: Session) -> None:
    viewer = get_user_model().objects.create_user("carol@example.com", is_staff=True)
    viewer.user_permissions.add(*Permission.objects.filter(codename__in=["view_session", "view_invocation"]))
    client.force_login(viewer)
    add_invocations(session, 1, 1)
    Invocation.objects.update(status="streaming")
    address = reverse("admin:agent_sessions_invocation_changelist")

    assert client.get(address).status_code == 200
    client.post(address, {"action": "stop", "_selected_action": [Invocation.objects.get().pk]})
    assert Invocation.objects.get().stop_requested_at is None
