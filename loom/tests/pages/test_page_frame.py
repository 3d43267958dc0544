from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.urls import resolve
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import User
from apps.metrics.alerts.bell import bell
from apps.sessions.models import Session
from loom.web.page_frame import shell


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/agents/7/settings/", "Agents"),
        ("/sessions/", "Sessions"),
        ("/sessions/new/", "Sessions"),
        ("/runs/", "Runs"),
        ("/prompt-sets/", "Runs"),
        ("/prompt-sets/7/results/8/", "Runs"),
        ("/compare/", "Overview"),
        ("/compare/new/", "Overview"),
        ("/operate/", "Overview"),
        ("/evidence/", "Sessions"),
        # Reached from an agent's page, and below it in their breadcrumbs.
        ("/sessions/logs/7/", "Agents"),
        ("/sessions/logs/7/doctor/", "Agents"),
        ("/operate/start-series/7/", "Agents"),
    ],
)
def test_the_place_where_the_reader_is_is_marked(rf: RequestFactory, path: str, place: str) -> None:
    request = rf.get(path)
    request.resolver_match = resolve(path)

    context = shell(request)

    every = [entry for group in context["navigation"] for entry in group.places]
    assert [str(entry.label) for entry in every] == ["Agents", "Sessions", "Runs", "Overview", "Alerts"]
    assert [str(entry.label) for entry in every if entry.url_name == context["current_place"]] == [place]


def test_a_page_without_a_match_has_a_frame_too(rf: RequestFactory, settings: Settings) -> None:
    settings.LOOM_AWS = "emulator"

    context = shell(rf.get("/nowhere/"))

    assert (context["current_place"], context["current_session"]) == ("", "")
    assert (context["mode"].label, context["mode"].detail, context["mode"].is_emulator) == ("Emulator", "", True)


@pytest.mark.django_db
def test_the_readers_last_conversations_stand_beside_every_page(
    client: Client, make_session: Callable[..., Session], alice: User, bob: User
) -> None:
    """The eight that were used last, whoever else's are newer; staff has its own there too."""
    now = timezone.now()
    own = [make_session(title=f"Own {number}") for number in range(10)]
    Session.objects.filter(pk=own[0].pk).update(last_invoked_at=now + timedelta(hours=1))
    make_session(agent=own[0].agent, owner=bob, title="Of somebody else")
    make_session(agent=own[0].agent, title="Measured", purpose="measure_start")
    alice.is_staff = True
    alice.save()
    client.force_login(alice)

    text = client.get(f"/sessions/{own[5].public_id}/").content.decode()
    recent = text[text.index('class="recent"') : text.index('class="foot"')]

    assert re.findall(r">(Own \d|Of [^<]*|Measured)</a>", recent) == [f"Own {n}" for n in (0, 9, 8, 7, 6, 5, 4, 3)]
    assert re.findall(r'aria-current="page">([^<]*)', recent) == ["Own 5"]


@pytest.mark.django_db
def test_the_frame_asks_one_statement_and_a_fragment_none(
    client: Client,
    make_session: Callable[..., Session],
    alice: User,
    django_assert_num_queries: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = make_session(title="One")
    client.force_login(alice)
    monkeypatch.setattr(bell, "lasting_s", float("inf"))  # the tests behind the first page may take longer
    client.get("/evidence/")
    with django_assert_num_queries(3):  # web session, user, last sessions
        assert b'class="recent"' in client.get("/evidence/").content
    with django_assert_num_queries(2):
        client.get("/palette/")
    for number in range(20):
        make_session(agent=session.agent, title=f"More {number}")
    with django_assert_num_queries(3):
        client.get("/evidence/")


@pytest.mark.django_db
def test_somebody_without_sessions_has_no_list_of_them(client: Client, bob: User) -> None:
    client.force_login(bob)

    text = client.get("/agents/").content.decode()

    assert 'class="side"' in text
    assert 'class="recent"' not in text
    assert "/admin/" not in text[text.index('class="foot"') :]
