"""Shared links: who reads what by them, for how long, and what they never tell."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers
from django.db import connections
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.core.exceptions import ConflictError
from apps.sessions.engine.housekeeping import remove_expired_content
from apps.sessions.keeping import delete_session, purge_deleted, restore_session
from apps.sessions.models import Invocation, Session
from apps.takeout.models import SharedLink
from apps.takeout.services import MOST_LINKS, share_session
from apps.takeout.tests.conftest import MakeRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(make_session: Callable[..., Session], make_run: MakeRun) -> Session:
    made = make_session(title="Trains")
    make_run(made, answer="The *cheapest* train leaves at 08:12.")
    return made


def share(client: Client, session: Session, **form: Any) -> str:
    """Make a link on the page; return its path."""
    page = client.post(f"/sessions/{session.public_id}/take-out/", form or {"days": 7}).content.decode()
    found = re.search(r"http://testserver(/shared/[A-Za-z0-9_-]{43}/)", page)
    assert found is not None
    return found[1]


def test_somebody_who_is_not_signed_in_reads_it(client: Client, alice: User, session: Session) -> None:
    client.force_login(alice)
    path = share(client, session)
    stranger = Client()
    response = stranger.get(path)
    text = response.content.decode()

    assert response.status_code == 200
    assert "The <em>cheapest</em> train" in text and "When does it leave?" in text and "Trains" in text
    assert (response["Referrer-Policy"], response["X-Robots-Tag"]) == ("no-referrer", "noindex, nofollow, noarchive")
    assert "no-store" in response["Cache-Control"]
    assert '<meta name="robots" content="noindex' in text
    assert not stranger.cookies
    assert "<form" not in text and "hx-" not in text


def test_it_tells_nothing_of_the_account(
    client: Client, alice: User, make_session: Callable[..., Session], make_run: MakeRun
) -> None:
    """Also where a title, a prompt, an answer, a tool or an error says it."""
    session = make_session()
    runtime = session.agent.runtime
    said = f"{runtime.arn} {runtime.account_id} {runtime.log_group} {alice.email} {alice.email.upper()}"
    Session.objects.filter(pk=session.pk).update(title=f"About {runtime.account_id}")
    make_run(session, prompt=said, answer=f"You are {said}; see [it](https://x.example/{runtime.account_id})")
    make_run(session, status="failed", error_message=f"{said} is not authorized", error_code="AccessDeniedException")
    client.force_login(alice)
    text = Client().get(share(client, session)).content.decode()

    for secret in (runtime.arn, runtime.account_id, runtime.log_group, runtime.runtime_id, alice.email):
        assert secret.lower() not in text.lower()
    assert "AccessDeniedException" in text and "not authorized" not in text
    assert "You are ‹hidden›" in text and '<h1 dir="auto">About ‹hidden›</h1>' in text
    assert session.runtime_session_id not in text


def test_the_secret_is_stored_nowhere(client: Client, alice: User, session: Session, caplog: Any) -> None:
    client.force_login(alice)
    with caplog.at_level("INFO"):
        secret = share(client, session).split("/")[2]
    stored = serializers.serialize("json", SharedLink.objects.all())

    assert secret not in stored and secret not in caplog.text and "session shared" in caplog.text
    assert secret not in client.get(f"/sessions/{session.public_id}/take-out/").content.decode()


def test_it_ends_when_it_expires_is_revoked_or_its_maker_may_no_more(
    client: Client, alice: User, carol: User, session: Session
) -> None:
    client.force_login(alice)
    reader = Client()

    def status(path: str) -> int:
        return reader.get(path).status_code

    path = share(client, session)
    link = SharedLink.objects.get()
    assert link.expires_at - link.created_at == timedelta(days=7)
    assert status(path) == 200
    SharedLink.objects.update(expires_at=timezone.now())
    assert status(path) == 404

    path = share(client, session, days=1)
    newest = SharedLink.objects.first()
    assert newest is not None and status(path) == 200
    client.post(f"/sessions/{session.public_id}/take-out/links/{newest.pk}/revoke/")
    assert status(path) == 404

    link, secret = share_session(session=session, user=carol)
    assert status(f"/shared/{secret}/") == 200
    User.objects.filter(pk=carol.pk).update(is_staff=False)
    assert status(f"/shared/{secret}/") == 404
    User.objects.filter(pk=carol.pk).update(is_staff=True, is_active=False)
    assert status(f"/shared/{secret}/") == 404
    assert status("/shared/nobody-made-this/") == 404


def test_it_goes_with_its_session_and_shows_what_is_left(
    client: Client, alice: User, session: Session, settings: Any
) -> None:
    client.force_login(alice)
    path = share(client, session)
    settings.CONTENT_RETENTION_DAYS = 0
    remove_expired_content(timezone.now())
    text = Client().get(path).content.decode()
    assert "cheapest" not in text and "When does it leave" not in text and "Trains" not in text
    assert "as the retention of content asks" in text

    delete_session(session=session)
    assert Client().get(path).status_code == 404
    restore_session(session=session)
    assert Client().get(path).status_code == 200
    delete_session(session=session)
    purge_deleted(timezone.now() + timedelta(hours=2))
    assert Client().get(path).status_code == 404
    assert not SharedLink.objects.exists()


def test_what_has_not_ended_is_shown_as_far_as_it_has_come(client: Client, alice: User, session: Session) -> None:
    Invocation.objects.update(status="streaming", response_text="", completed_at=None)
    client.force_login(alice)
    text = Client().get(share(client, session)).content.decode()
    assert "cheapest" in text and "has not finished" in text


def test_it_is_listed_with_who_made_it_and_when_it_was_opened(
    client: Client, alice: User, carol: User, session: Session
) -> None:
    _, secret = share_session(session=session, user=carol)
    client.force_login(alice)
    address = f"/sessions/{session.public_id}/take-out/"
    page = client.get(address).content.decode()
    assert carol.email in page and f"{secret[:6]}…" in page and "never" in page

    Client().get(f"/shared/{secret}/")
    opened_at = SharedLink.objects.get().last_opened_at
    assert opened_at is not None
    assert "never" not in client.get(address).content.decode()
    Client().get(f"/shared/{secret}/")
    assert SharedLink.objects.get().last_opened_at == opened_at  # to within a minute


def test_a_long_session_is_read_page_by_page(client: Client, alice: User, session: Session, make_run: MakeRun) -> None:
    for number in range(2, 41):
        make_run(session, prompt=f"Question {number}.")
    client.force_login(alice)
    path = share(client, session)
    first, second = (Client().get(f"{path}?page={page}").content.decode() for page in (1, 2))
    assert "Question 30." in first and "Question 31." not in first
    assert "Question 31." in second and "Question 40." in second and "Question 30." not in second


def test_there_is_an_end_to_links_and_to_their_lives(client: Client, alice: User, session: Session) -> None:
    client.force_login(alice)
    address = f"/sessions/{session.public_id}/take-out/"
    for days in ("0", "91", "x", ""):
        assert client.post(address, {"days": days}).status_code == 422
    for _ in range(MOST_LINKS):
        share_session(session=session, user=alice)
    refused = client.post(address, {"days": 7})
    assert refused.status_code == 422 and "Revoke one first" in refused.content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_the_last_link_that_may_be_is_made_once(alice: User, session: Session) -> None:
    for _ in range(MOST_LINKS - 1):
        share_session(session=session, user=alice)
    outcomes: list[str] = []
    both = threading.Barrier(2, timeout=30)

    def share_at_once() -> None:
        try:
            both.wait()
            share_session(session=session, user=alice)
            outcomes.append("made")
        except ConflictError:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=share_at_once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["made", "refused"] and SharedLink.objects.count() == MOST_LINKS


def test_over_the_api(client: Client, alice: User, bob: User, session: Session) -> None:
    address = f"/api/agents/{session.agent_id}/sessions/{session.runtime_session_id}/links"
    client.force_login(alice)
    made = client.post(address, "{}", content_type="application/json")
    assert made.status_code == 201
    path = made.json()["url"].removeprefix("http://testserver")
    assert Client().get(path).status_code == 200
    (listed,) = client.get(address).json()
    assert (listed["id"], listed["url"], listed["made_by"]) == (made.json()["id"], "", alice.email)
    assert client.delete(f"{address}/{listed['id']}").status_code == 204
    assert Client().get(path).status_code == 404

    client.force_login(bob)
    assert client.get(address).status_code == 404
    assert client.post(address, "{}", content_type="application/json").status_code == 404
