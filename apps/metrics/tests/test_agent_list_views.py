from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.listing import AGENTS
from apps.agents.models import Agent
from apps.metrics.tests.runs import make_measured, make_run
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
MakeAgent = Callable[..., Agent]


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def make_started(session: Session, first_byte_s: float, kind: str, *, days_ago: float = 1, **run: Any) -> None:
    """A run whose first token came after `first_byte_s`, with a start of a known kind."""
    sent_at = timezone.now() - timedelta(days=days_ago)
    first_at, ended_at = (sent_at + timedelta(seconds=seconds) for seconds in (first_byte_s, first_byte_s + 1))
    times = {"requested_at": sent_at, "invoked_at": sent_at, "headers_at": sent_at, "completed_at": ended_at}
    made = make_run(session, **{**times, "first_chunk_at": first_at, "first_token_at": first_at, **run})
    make_measured(made, 100.0, start_kind=kind)


def cells(client: Client, ids: str) -> dict[str, str]:
    """The text of each cell that is sent, by its id."""
    response = client.get(reverse("metrics:agent-list-figures-fragment"), {"ids": ids})
    assert response.status_code == 200
    parts = re.split(r'<span id="([\w-]+)" hx-swap-oob="true">', response.content.decode())
    assert not parts[0].strip()
    texts = [" ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split()) for text in parts[2::2]]
    return dict(zip(parts[1::2], texts, strict=True))


def test_each_agent_gets_its_own_figures_with_n_and_no_median_below_six(
    as_alice: Client, make_session: MakeSession, make_agent: MakeAgent
) -> None:
    many, few, idle = make_session(), make_session(), make_agent()
    for number in range(1, 7):
        make_started(many, number, "created")
    for seconds in (0.4, 0.5):
        make_started(many, seconds, "reused")
    make_started(few, 2.0, "created", status="failed", first_token_at=None)
    make_started(few, 3.0, "pooled")
    make_started(few, 9.0, "unknown")

    keys = [many.agent_id, few.agent_id, idle.pk]
    assert cells(as_alice, ",".join(map(str, keys))) == {
        f"agent-{keys[0]}-errors": "0 % 0 of 8",
        f"agent-{keys[0]}-ttft": "cold 3.00 s n = 6 warm 400 – 500 ms n = 2",
        f"agent-{keys[1]}-errors": "33.3 % 1 of 3",
        f"agent-{keys[1]}-ttft": "cold 3.00 s n = 1",
        f"agent-{keys[2]}-errors": "–",
        f"agent-{keys[2]}-ttft": "–",
    }


def test_the_figures_are_those_of_seven_days(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    make_started(session, 2.0, "created", days_ago=8)
    make_started(session, 1.0, "created", days_ago=6)

    assert cells(as_alice, str(session.agent_id))[f"agent-{session.agent_id}-ttft"] == "cold 1.00 s n = 1"


@pytest.mark.parametrize("ids", ["", ",,", "x", "-1", "1.5", "٣", "9" * 30, "'; --", "999999", "\0"])
def test_what_names_no_agent_gets_no_cell(as_alice: Client, make_agent: MakeAgent, ids: str) -> None:
    agent = make_agent()

    assert cells(as_alice, ids) == {}
    assert list(cells(as_alice, f"{ids},{agent.pk}")) == [f"agent-{agent.pk}-errors", f"agent-{agent.pk}-ttft"]


def test_no_more_agents_are_told_than_a_page_holds(as_alice: Client, make_agent: MakeAgent) -> None:
    agent = make_agent()

    assert cells(as_alice, "0," * AGENTS.page_size + str(agent.pk)) == {}


def test_agents_of_the_other_mode_and_strangers_get_nothing(client: Client, make_agent: MakeAgent, alice: User) -> None:
    other = make_agent(origin="aws")
    address = reverse("metrics:agent-list-figures-fragment") + f"?ids={other.pk}"

    assert client.get(address).headers["Location"].startswith(reverse("accounts:login"))
    client.force_login(alice)
    assert client.post(address).status_code == 405
    assert cells(client, str(other.pk)) == {}


def test_the_number_of_queries_does_not_grow_with_the_rows(
    as_alice: Client, make_session: MakeSession, django_assert_num_queries: Any
) -> None:
    sessions = [make_session() for _ in range(10)]
    for session in sessions:
        make_started(session, 2.0, "created")
    keys = [str(session.agent_id) for session in sessions]
    cells(as_alice, keys[0])

    for wanted in (keys[:1], keys):
        # Web session, user, agents, stored days and hours, and the rows of what neither holds.
        with django_assert_num_queries(6):
            assert len(cells(as_alice, ",".join(wanted))) == 2 * len(wanted)
