"""The buttons of a session's page and of the list: pin, archive, delete, undo; and the same over the API."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.sessions.models import Invocation, Session
from apps.sessions.tests.test_list_views import titles

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
LIST, DELETED = "/sessions/", "/sessions/deleted/"


def keep(client: Client, session: Session, action: str, **more: str) -> str:
    answer = client.post(f"/sessions/{session.public_id}/keep/", {"action": action, **more}, follow=True)
    return answer.content.decode()


def undo_of(page: str) -> str:
    (address,) = re.findall(r'<form method="post" action="(/sessions/restore/[^"]*)"', page)
    return unescape(address)


def test_a_session_is_pinned_and_archived_on_its_page(client: Client, make_session: MakeSession, alice: User) -> None:
    session = make_session(title="Ghent")
    client.force_login(alice)

    page = keep(client, session, "pin")
    assert "1 session is pinned." in page and 'value="unpin"' in page
    assert '<span class="chip">Pinned</span>' in page
    page = keep(client, session, "archive")
    assert 'value="revive"' in page and 'value="pin"' in page and "1 session is archived." in page
    assert titles(client) == [] and titles(client, archived="only") == ["Ghent"]
    assert "All sessions are archived" in client.get(LIST).content.decode()
    assert f'href="{session.get_absolute_url()}"' not in client.get("/agents/").content.decode()  # beside every page
    keep(client, session, "revive")
    assert titles(client) == ["Ghent"]
    assert "No session is archived" in client.get(LIST, {"archived": "only"}).content.decode()
    assert "was not understood" in keep(client, session, "explode")


def test_a_deletion_is_undone_by_the_button_that_tells_of_it(
    client: Client, make_session: MakeSession, alice: User, bob: User
) -> None:
    session = make_session(title="Ghent & back")
    client.force_login(alice)

    page = keep(client, session, "delete")
    assert "Ghent &amp; back is deleted" in page and "data-stays" in page
    assert client.get(session.get_absolute_url()).status_code == 404
    assert client.get(f"{session.get_absolute_url()}turns/").status_code == 404
    undo = undo_of(page)
    client.force_login(bob)
    assert "Nothing can be brought back" in client.post(undo, follow=True).content.decode()
    client.force_login(alice)
    assert titles(client) == []
    back = client.post(undo, {"next": session.get_absolute_url()}, follow=True)
    assert (back.status_code, back.redirect_chain) == (200, [(session.get_absolute_url(), 302)])
    assert "1 session is there again." in back.content.decode()
    assert "Nothing can be brought back" in client.post(undo, follow=True).content.decode()
    for address in ("/sessions/restore/", "/sessions/restore/?session=x"):
        assert "Nothing can be brought back" in client.post(address, follow=True).content.decode()


def test_what_was_deleted_is_listed_for_an_hour(
    client: Client, make_session: MakeSession, alice: User, bob: User, carol: User
) -> None:
    session = make_session(title="Ghent")
    client.force_login(alice)
    assert "Nothing was deleted in the last hour" in client.get(DELETED).content.decode()
    assert DELETED in client.get(LIST).content.decode()
    keep(client, session, "delete")
    for user, is_listed in ((alice, True), (bob, False), (carol, True)):
        client.force_login(user)
        assert ("Ghent</b>" in client.get(DELETED).content.decode()) is is_listed
    Session.objects.update(deleted_at=timezone.now() - timedelta(hours=1, seconds=1))
    assert "Ghent" not in client.get(DELETED).content.decode()


def test_what_answers_is_not_deleted_and_says_so(client: Client, make_session: MakeSession, alice: User) -> None:
    session = make_session(title="Ghent")
    Invocation.objects.create(session=session, number=1, status="streaming", prompt="go", requested_at=timezone.now())
    client.force_login(alice)

    page = keep(client, session, "delete")

    assert "Nothing was done to Ghent: This session is answering." in page and titles(client) == ["Ghent"]


def test_several_are_checked_and_done_at_once_and_undone_at_once(
    client: Client, make_session: MakeSession, alice: User, bob: User
) -> None:
    agent = make_session(title="one").agent
    for title in ("two", "three"):
        make_session(agent=agent, title=title)
    foreign = make_session(agent=agent, title="Bob's", owner=bob)
    busy = make_session(agent=agent, title="busy")
    Invocation.objects.create(session=busy, number=1, status="streaming", prompt="go", requested_at=timezone.now())
    client.force_login(alice)
    rows = [str(session.pk) for session in Session.objects.all()]

    def bulk(action: str, checked: list[str] = rows) -> str:
        return client.post("/sessions/bulk/", {"action": action, "row": checked}, follow=True).content.decode()

    assert "4 sessions are pinned." in bulk("pin")
    assert "4 sessions are archived." in bulk("archive")
    assert titles(client) == [] and len(titles(client, archived="only")) == 4
    assert "4 sessions are back in the lists." in bulk("revive")
    page = bulk("delete")
    assert "3 sessions are deleted." in page and "Nothing was done to busy: This session is answering." in page
    assert titles(client) == ["busy"]
    assert "3 sessions are there again." in client.post(undo_of(page), follow=True).content.decode()
    assert len(titles(client)) == 4
    assert "Nothing is checked." in bulk("pin", []) and "was not understood" in bulk("explode")
    foreign.refresh_from_db()
    assert (foreign.is_pinned, foreign.archived_at, foreign.deleted_at) == (False, None, None)


def test_a_run_that_repeats_one_of_a_deleted_session_names_it_no_more(
    client: Client, make_session: MakeSession, alice: User
) -> None:
    gone = make_session(title="Ghent, secretly")
    kept = make_session(agent=gone.agent, title="kept")
    now = timezone.now()
    first, repeated = (
        Invocation.objects.create(session=session, number=1, status="completed", prompt="go", requested_at=now)
        for session in (gone, kept)
    )
    Invocation.objects.filter(pk=repeated.pk).update(repeated_from=first)
    client.force_login(alice)
    addresses = (kept.get_absolute_url(), f"{kept.get_absolute_url()}runs/1/again/")
    for address in addresses:
        assert f"/sessions/runs/{first.pk}/" in client.get(address).content.decode()
    keep(client, gone, "delete")
    for address in addresses:
        page = client.get(address).content.decode()
        assert f"/sessions/runs/{first.pk}/" not in page and "secretly" not in page
    assert "an earlier run" in client.get(addresses[0]).content.decode()


def post(client: Client, path: str) -> Any:
    return client.post(path, content_type="application/json")


def test_the_api_does_the_same(client: Client, make_session: MakeSession, alice: User, bob: User) -> None:
    session = make_session(title="Ghent")
    client.force_login(alice)
    path = f"/api/sessions/{session.public_id}"
    expected = {
        "id": str(session.public_id), "agent_id": session.agent_id, "session_id": session.runtime_session_id,
        "title": "Ghent", "is_pinned": True, "archived_at": None, "url": session.get_absolute_url(),
    }  # fmt: skip

    assert post(client, f"{path}/pin").json() == expected
    archived = post(client, f"{path}/archive").json()
    assert (archived["is_pinned"], archived["archived_at"] is None) == (False, False)
    listed = f"/api/agents/{session.agent_id}/sessions"
    assert [one["public_id"] for one in client.get(listed, {"is_archived": True}).json()] == [str(session.public_id)]
    assert client.get(listed, {"is_archived": False}).json() == []
    assert post(client, f"{path}/revive").json()["archived_at"] is None
    assert post(client, f"{path}/unpin").json()["is_pinned"] is False
    client.force_login(bob)
    for how in ("pin", "unpin", "archive", "revive", "restore"):
        assert post(client, f"{path}/{how}").status_code == 404
    assert client.delete(path).status_code == 404
    client.force_login(alice)
    assert client.delete(path).status_code == 204
    for again in (
        client.delete(path),
        post(client, f"{path}/pin"),
        client.get(f"{listed}/{session.runtime_session_id}"),
    ):
        assert again.status_code == 404
    client.force_login(bob)
    assert post(client, f"{path}/restore").status_code == 404
    client.force_login(alice)
    assert post(client, f"{path}/restore").json()["title"] == "Ghent"
    assert post(client, f"{path}/restore").status_code == 200
    Session.objects.update(deleted_at=timezone.now() - timedelta(hours=2))
    assert post(client, f"{path}/restore").status_code == 404
    busy = make_session(agent=session.agent)
    Invocation.objects.create(session=busy, number=1, status="streaming", prompt="go", requested_at=timezone.now())
    refused = client.delete(f"/api/sessions/{busy.public_id}")
    assert (refused.status_code, refused.json()["error"]) == (409, "session_busy")
