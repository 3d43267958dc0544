"""What a page says to expect while it waits for a start."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.metrics.tests.runs import make_measured, make_run
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]


def waiting_run(session: Session, **overrides: Any) -> Invocation:
    """A run that was sent a second ago and has said nothing yet."""
    sent_at = timezone.now() - timedelta(seconds=1)
    fields = {"status": "streaming", "prompt": "Hi", "requested_at": sent_at, "invoked_at": sent_at}
    number = session.invocations.count() + 1
    return Invocation.objects.create(session=session, number=number, **{**fields, **overrides})


def expected_of(client: Client, run: Invocation) -> str:
    client.force_login(run.session.owner)
    response = client.get(reverse("sessions:expectation", args=[run.session.public_id, run.number]))
    assert response.status_code == 200
    return " ".join(response.content.decode().split("<")[0].split())


def make_cold_runs(make_session: MakeSession, session: Session, count: int, **overrides: Any) -> None:
    for number in range(count):
        run = make_run(make_session(agent=session.agent, **overrides), first_byte_s=2.1 + number / 10)
        make_measured(run, 1900)


def test_a_cold_start_says_what_is_usual_here(client: Client, make_session: MakeSession) -> None:
    session = make_session()
    make_cold_runs(make_session, session, 6)
    assert expected_of(client, waiting_run(session)) == "cold; usually 2.10 s – 2.60 s here (n = 6)"


def test_a_warm_one_as_well(client: Client, make_session: MakeSession) -> None:
    session = make_session()
    for number in range(7):
        now = timezone.now() - timedelta(minutes=1)
        run = make_run(
            session, invoked_at=now, first_token_at=now + timedelta(milliseconds=300 + number), completed_at=now
        )
        make_measured(run, 20, start_kind="reused" if number else "created")
    assert expected_of(client, waiting_run(session)) == "warm; usually 301 ms – 306 ms here (n = 6)"


def test_nothing_is_said_where_nothing_is_certain(client: Client, make_session: MakeSession) -> None:
    session = make_session()
    agent = session.agent
    make_cold_runs(make_session, session, 5)
    assert expected_of(client, waiting_run(session)) == ""  # five runs have no interval
    make_cold_runs(make_session, session, 1)
    assert expected_of(client, waiting_run(make_session(agent=agent))).startswith("cold; usually")
    spoken = waiting_run(make_session(agent=agent), first_token_at=timezone.now())
    assert expected_of(client, spoken) == ""
    queued = waiting_run(make_session(agent=agent), status="queued", invoked_at=None)
    assert expected_of(client, queued) == ""
    other = make_session(agent=agent)
    Session.objects.filter(pk=other.pk).update(qualifier="prod")
    assert expected_of(client, waiting_run(other)) == ""  # of another endpoint
    foreign = make_session(agent=agent)
    Session.objects.filter(pk=foreign.pk).update(is_own_id=False)
    assert expected_of(client, waiting_run(foreign)) == ""  # somebody else may have started its environment


def test_a_stranger_finds_nothing(client: Client, make_session: MakeSession, bob: User) -> None:
    run = waiting_run(make_session())
    client.force_login(bob)
    assert client.get(reverse("sessions:expectation", args=[run.session.public_id, run.number])).status_code == 404
