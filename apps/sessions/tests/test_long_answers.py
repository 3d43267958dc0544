"""An answer too long for a page of many turns: its beginning, and the rest one click away."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.sessions.models import Session
from apps.sessions.tests.test_unread_pages import answered
from apps.sessions.viewing.rendering import ELEMENTS_AT_FIRST
from loom_events.kinds import RunEvent

pytestmark = pytest.mark.django_db
SECTION = "## Part {0}\n\nSome *words* and `code`, [a link](https://example.com/{0}).\n\n- one\n- two\n\n"
SECTIONS = 1_000


def elements_of(html: str) -> int:
    return len(re.findall(r"<[a-z]", html))


def page_of(client: Client, session: Session) -> str:
    return client.get(reverse("sessions:detail", args=(session.public_id,))).content.decode()


def test_a_long_answer_is_shown_in_part_and_whole_when_it_is_asked_for(
    client: Client, session: Session, alice: User, bob: User
) -> None:
    client.force_login(alice)
    answered(session, {"kind": "text", "text": "".join(map(SECTION.format, range(SECTIONS)))})
    page = page_of(client, session)
    assert ELEMENTS_AT_FIRST < elements_of(page) < 3_000
    assert "Part 0<" in page and f"Part {SECTIONS - 1}<" not in page
    [whole_url] = re.findall(r'hx-get="([^"]*\?whole=[^"]*)"', page)

    whole = client.get(whole_url).content.decode()
    assert [f"Part {number}<" in whole for number in range(SECTIONS)] == [True] * SECTIONS
    assert "Show the whole answer" not in whole and whole.count("<article") == 1
    client.force_login(bob)
    assert client.get(whole_url).status_code == 404


@pytest.mark.parametrize("whole", ["99", "x", "", "-1", "9" * 30])
def test_a_turn_that_is_not_there_is_not_shown(client: Client, session: Session, alice: User, whole: str) -> None:
    client.force_login(alice)
    answered(session, {"kind": "text", "text": "Short."})
    response = client.get(reverse("sessions:turns-fragment", args=(session.public_id,)), {"whole": whole})
    assert response.status_code == (404 if whole == "99" else 200)


def test_a_short_answer_of_many_events_is_shown_as_it_is(client: Client, session: Session, alice: User) -> None:
    client.force_login(alice)
    events: list[RunEvent] = [{"kind": "text", "text": f"word{number} **bold** "} for number in range(300)]
    answered(session, *events)
    page = page_of(client, session)
    assert "Show the whole answer" not in page and "word299" in page
