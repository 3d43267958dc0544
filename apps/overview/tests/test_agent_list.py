"""What the list of agents shows a newcomer: a prompt to try and the first steps, until they are closed."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.models import StartSeries
from apps.metrics.tests.runs import make_measured, make_run
from apps.overview.agents import first_steps as steps_of
from apps.overview.agents.suggesting import PROMPTS
from apps.overview.models import FirstSteps
from apps.sessions.models import Session
from apps.takeout.models import SharedLink

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]
LIST, CLOSE = "/agents/", "/agents/first-steps/close/"


@pytest.fixture
def concierge(make_agent: Callable[..., Agent]) -> Agent:
    return make_agent(name="travel_concierge")


@pytest.fixture
def as_alice(client: Client, alice: User, concierge: Agent) -> Client:
    client.force_login(alice)
    return client


def text(client: Client, **query: str) -> str:
    return html.unescape(client.get(LIST, query).content.decode())


def done(client: Client) -> list[bool]:
    """Which of the steps are ticked; nothing where none is shown."""
    return ["is-done" in item for item in re.findall(r'<li( class="is-done")?>(?=<svg)', text(client))]


def test_the_demo_says_how_many_agents_answer_and_what_to_ask(
    as_alice: Client, concierge: Agent, make_agent: Callable[..., Agent]
) -> None:
    make_agent(name="broken", status="CREATE_FAILED")
    make_agent(name="gone", removed_at=timezone.now())
    assert "One demo agent is answering on this machine" in text(as_alice)

    make_agent(name="code_tutor")
    page = text(as_alice)

    assert "Two demo agents are answering on this machine" in page
    assert f'action="/sessions/start/{concierge.pk}/"' in page
    assert PROMPTS["travel_concierge"] in page
    assert "no-store" in as_alice.get(LIST)["Cache-Control"]  # the form's key is for one click


def test_a_prompt_is_suggested_to_an_agent_that_can_take_it(
    as_alice: Client, concierge: Agent, make_agent: Callable[..., Agent]
) -> None:
    concierge.status = "CREATING"
    concierge.save()
    tutor = make_agent(name="code_tutor", available_qualifiers=["prod"])
    tutor.endpoints.update(name="prod")

    page = text(as_alice)

    assert f'action="/sessions/start/{tutor.pk}/"' in page and PROMPTS["code_tutor"] in page
    assert 'name="qualifier" value="prod"' in page
    tutor.delete()
    assert PROMPTS["travel_concierge"] not in text(as_alice)


def test_a_part_of_the_list_and_an_account_on_aws_show_no_demo(
    as_alice: Client, make_agent: Callable[..., Agent], settings: Any
) -> None:
    make_agent(removed_at=timezone.now())
    for query in ({"q": "travel"}, {"state": "archived"}, {"status": "READY"}):
        assert "first-steps" not in text(as_alice, **query)
    Agent.objects.update(origin="aws")
    settings.LOOM_AWS = "aws"
    page = text(as_alice)
    assert "first-steps" not in page and "travel_<wbr>concierge" in page
    assert 'hx-get="/agents/aws/account/" hx-trigger="toggle from:closest details once"' in page


def test_the_steps_tick_themselves(
    as_alice: Client, alice: User, concierge: Agent, make_session: MakeSession, bob: User
) -> None:
    now = timezone.now()
    session = make_session(agent=concierge)
    make_run(session, source="demo")
    make_run(make_session(agent=concierge, owner=bob))
    StartSeries.objects.create(
        agent=concierge, owner=alice, prompt="Hi", count=1, max_cost_usd=1, estimated_cost_usd=0, created_at=now,
        state="done", request_key="demo travel_concierge",
    )  # fmt: skip
    assert done(as_alice) == [False] * 5

    run = make_run(session, 60)
    assert done(as_alice) == [True, False, False, False, False]
    page = text(as_alice)
    for link in (f"/sessions/{session.public_id}/runs/1/again/", f"/agents/{concierge.pk}/measure/"):
        assert f'href="{link}"' in page
    make_measured(run, 1_500, start_kind="created")
    assert done(as_alice) == [True, True, False, False, False]
    make_run(session, 120, repeated_from=run)
    StartSeries.objects.create(
        agent=concierge, owner=alice, prompt="Hi", count=1, max_cost_usd=1, estimated_cost_usd=0, created_at=now,
        state="done",
    )  # fmt: skip
    assert done(as_alice) == [True, True, True, True, False]
    SharedLink.objects.create(
        session=session, made_by=alice, digest="d", shown="d", created_at=now, expires_at=now + timedelta(days=1)
    )
    assert done(as_alice) == [True] * 5
    assert "5 of 5 first steps done" in text(as_alice)


def test_an_agent_of_ones_own_is_the_last_step_as_well(as_alice: Client, alice: User, concierge: Agent) -> None:
    concierge.registered_by = alice
    concierge.save()

    assert done(as_alice) == [False, False, False, False, True]


def test_closed_is_closed_for_one_user_and_for_good(as_alice: Client, client: Client, bob: User, alice: User) -> None:
    for _ in range(2):
        assert as_alice.post(CLOSE)["Location"] == LIST
    assert [row.user for row in FirstSteps.objects.all()] == [alice]
    assert "first-steps" not in text(as_alice) and done(as_alice) == []

    client.force_login(bob)
    assert done(client) == [False] * 5


def test_who_has_many_sessions_is_no_newcomer(
    as_alice: Client, concierge: Agent, make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_of, "SESSIONS_AT_MOST", 2)
    for _ in range(2):
        make_session(agent=concierge)
    assert len(done(as_alice)) == 5
    make_session(agent=concierge)
    assert done(as_alice) == []


def test_without_an_agent_there_are_doors_and_no_register_form_beside_others(
    client: Client, alice: User, make_agent: Callable[..., Agent], settings: Any
) -> None:
    client.force_login(alice)
    doors = ["Import from the account", "Register one by its ARN", "Look at the demo"]
    assert [door for door in doors if door in text(client)] == doors
    settings.LOOM_AWS = "aws"
    page = text(client)
    assert "LOOM_AWS=emulator make dev" in page
    assert 'hx-get="/agents/aws/account/" hx-trigger="load"' in page
    settings.LOOM_AWS = "emulator"

    make_agent(name="weather")
    filled = text(client)
    assert 'id="agent-form"' not in filled and 'href="/agents/register/"' in filled
    register = html.unescape(client.get("/agents/register/").content.decode())
    assert 'id="agent-form"' in register and "Look at the demo" not in register
