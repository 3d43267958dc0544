from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.models import Measurement
from apps.metrics.starts.services import create_measurement
from apps.metrics.tests.runs import at, make_due, make_measured, make_run
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
MakeAgent = Callable[..., Agent]


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def text_of(client: Client, address: str) -> str:
    """What a reader sees of a page: its text without tags, blanks joined."""
    response = client.get(address)
    assert response.status_code == 200
    body = response.content.decode().replace("<wbr>", "")
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def panel(session: Session) -> str:
    return reverse("metrics:latency-fragment", args=[session.public_id])


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        ({"cost_usd": Decimal("0.000142"), "cost_source": "estimate"}, "Cost up to $0.000142 (estimate)"),
        ({"cost_usd": Decimal("1.250000"), "cost_source": "reported"}, "Cost $1.25 , as the agent reported it"),
        ({"cost_usd": Decimal("0.010000"), "cost_source": "priced"}, "Cost $0.01 ; the emulator costs nothing ."),
    ],
)
def test_the_panel_says_what_a_run_cost_and_how_sure_that_is(
    as_alice: Client, make_session: Callable[..., Session], cost: dict[str, Any], said: str
) -> None:
    session = make_session()
    run = make_run(session)
    assert "Cost" not in text_of(as_alice, panel(session))
    Invocation.objects.filter(pk=run.pk).update(**cost)
    assert said.replace(" ,", ",").replace(" ;", ";").replace(" .", ".") in text_of(as_alice, panel(session))


SKEW: dict[str, Any] = {"state": "measured", "tries": 1, "marker_rank": 1, "agent_started_at": at(-0.2)}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"tries": 3}, ["waiting for CloudWatch, try 3 of 12"]),
        (
            {"tries": 3, "marker_rank": 2, "marker": "Returning streaming response", "agent_started_at": at(1.5)},
            ["1.50 s", "A stronger line may still arrive: try 3 of 12.", "SDK log line Returning streaming response"],
        ),
        (
            {"state": "measured", "marker_rank": 1, "marker": "Agent invoked", "agent_started_at": at(1.5)},
            ["1.50 s", "cold: created", "0 ms – 2.00 s, by causality", "start line Agent invoked"],
        ),
        (
            {"state": "measured", "marker_rank": 4, "marker": "First log event", "agent_started_at": at(1.5)},
            ["1.50 s", "first line of the log stream (weak)"],
        ),
        (SKEW, ["Clock skew: no figure for this start By its own clock the agent started 200 ms before it was asked,"]),
        (
            {**SKEW, "agent_started_at": at(2.25)},
            [
                "By its own clock the agent started 250 ms after its first byte was here, so that clock and this "
                "machine's differ. The emulator lets them differ a little, as AWS does."
            ],
        ),
        (
            {"state": "not_found", "tries": 14},
            [
                "The logs do not say when the agent started.",
                "Loom looked 14 times and found no line of this session.",
                "Looked in /aws/bedrock-agentcore/runtimes/",
                "-DEFAULT",
                "Agent invoked - Start time: 2026",
                "SDK 0.1.2 or newer",
                "Check again",
            ],
        ),
        (
            {"state": "failed", "tries": 14, "error_code": "X", "error_message": "You may not. Grant it."},
            ["The logs could not be read.", "You may not. Grant it.", "Check again"],
        ),
        (
            {"state": "not_found", "tries": 0},
            ["Not measured: AWS refused the request (HTTP 200) before it reached the agent."],
        ),
    ],
    ids=["waiting", "provisional", "measured", "weak", "early", "late", "not_found", "failed", "none"],
)
def test_the_panel_says_where_the_search_stands(
    as_alice: Client, make_session: MakeSession, row: dict[str, Any], said: list[str]
) -> None:
    session = make_session()
    make_due(make_run(session), **row)

    shown = text_of(as_alice, panel(session))
    assert "Startup of invocation 1 " in shown
    assert [part for part in said if part not in shown] == []
    assert ("1.50 s" in shown) is ("1.50 s" in said)


def test_the_panel_shows_when_the_prompt_was_sent_and_the_agent_started(
    as_alice: Client, make_session: MakeSession
) -> None:
    """S0-109."""
    session = make_session()
    run = make_run(session, 0.25)
    assert "Sent at 12:00:00.250." in " ".join(text_of(as_alice, panel(session)).split()).replace(" .", ".")
    make_measured(run, 1_250.0)

    shown = text_of(as_alice, panel(session))
    assert "Time to first token 2.00 s Total 3.00 s" in shown.replace("Emulated ", "")
    assert "Sent at 12:00:00.250 , agent started at 12:00:01.500 by its own clock." in shown


def test_a_prompt_that_was_never_sent_is_said_to_be_so(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    create_measurement(invocation=make_run(session, status="failed", invoked_at=None, is_unsent=True))

    assert "Nothing was sent: the prompt never left this machine" in text_of(as_alice, panel(session))


def test_the_panel_of_a_run_that_goes_on(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    make_run(session, status="streaming", completed_at=None)

    assert "Measured when the answer has ended." in text_of(as_alice, panel(session))


def test_the_panel_lists_the_earlier_runs(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    make_measured(make_run(session), 1_250)
    make_measured(make_run(session, 10), 150)

    shown = text_of(as_alice, panel(session))
    assert "Startup of invocation 2 " in shown
    assert "# TTFT Total Startup Start 1 2.00 s 3.00 s 1.25 s created" in shown


def test_a_session_without_a_run_has_an_empty_panel(as_alice: Client, make_session: MakeSession) -> None:
    assert "Nothing measured yet" in text_of(as_alice, panel(make_session()))


def test_a_panel_belongs_to_its_owner_and_to_staff(
    client: Client, make_session: MakeSession, alice: User, bob: User, carol: User
) -> None:
    session = make_session()
    statuses = []
    for user in (alice, bob, carol):
        client.force_login(user)
        statuses.append(client.get(panel(session)).status_code)
    client.logout()

    assert statuses == [200, 404, 200]
    assert client.get(panel(session)).status_code == 302


def check_address(session: Session, number: int = 1) -> str:
    return reverse("metrics:latency-check", args=[session.public_id, number])


def test_check_again_looks_for_a_given_up_run_once_more(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    measurement = make_due(make_run(session), state="not_found", tries=14, next_at=None)
    Measurement.objects.update(updated_at=timezone.now() - timedelta(hours=2))

    response = as_alice.post(check_address(session), headers={"HX-Request": "true"})
    measurement.refresh_from_db()
    assert (measurement.state, measurement.tries) == ("waiting", 13)
    assert measurement.next_at is not None and measurement.next_at <= timezone.now()
    assert "Looking in the logs now." in response.content.decode()
    assert [task.name() for task in OrmQ.objects.all()] == ["sweep measurements"]


def test_check_again_is_not_a_way_around_the_pace_of_the_search(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    measurement = make_due(make_run(session), tries=3, next_at=timezone.now() + timedelta(minutes=10))
    tried_at = timezone.now() + timedelta(minutes=1)  # as if no time at all had passed since
    Measurement.objects.update(updated_at=tried_at)

    as_alice.post(check_address(session))
    measurement.refresh_from_db()
    assert measurement.next_at is not None
    assert tried_at < measurement.next_at <= tried_at + timedelta(seconds=5)


def test_check_again_leaves_what_is_measured_or_was_never_sent(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    make_measured(make_run(session), 1_500)
    make_due(make_run(session, 10, status="failed", http_status=429), next_at=None)
    before = list(Measurement.objects.values())

    for number in (1, 2):
        assert as_alice.post(check_address(session, number)).status_code == 302
    assert list(Measurement.objects.values()) == before
    assert not OrmQ.objects.exists()


@pytest.mark.parametrize(
    "row", [{"marker_rank": 2}, {"marker_rank": 4}, {"marker_rank": 1, "agent_started_at": at(-1)}]
)
def test_check_again_stays_where_not_the_best_line_is_known(
    as_alice: Client, make_session: MakeSession, row: dict[str, Any]
) -> None:
    session = make_session()
    measurement = make_measured(make_run(session), 1_500, **{"tries": 14, **row})
    Measurement.objects.update(updated_at=timezone.now() - timedelta(hours=2))
    assert "Check again" in as_alice.get(panel(session)).content.decode()

    as_alice.post(check_address(session))
    measurement.refresh_from_db()
    assert (measurement.state, measurement.tries, measurement.next_at is None) == ("measured", 13, False)
    assert [task.name() for task in OrmQ.objects.all()] == ["sweep measurements"]


def test_only_the_owner_and_staff_may_check_again(
    client: Client, make_session: MakeSession, alice: User, bob: User, carol: User
) -> None:
    session = make_session(owner=alice)
    measurement = make_due(make_run(session))
    seen = []
    for user in (bob, alice, carol):
        Measurement.objects.update(state="not_found", tries=14, updated_at=timezone.now() - timedelta(hours=2))
        client.force_login(user)
        status = client.post(check_address(session)).status_code
        measurement.refresh_from_db()
        seen.append((user, status, measurement.state))

    assert seen == [(bob, 404, "not_found"), (alice, 302, "waiting"), (carol, 302, "waiting")]
    assert client.get(check_address(session)).status_code == 405


def run_now(session: Session, prompt: str = "Two days?", minutes_ago: float = 5, **overrides: Any) -> Invocation:
    sent_at = timezone.now() - timedelta(minutes=minutes_ago)
    fields = {
        "requested_at": sent_at, "invoked_at": sent_at, "first_token_at": sent_at + timedelta(seconds=2),
        "first_chunk_at": sent_at + timedelta(seconds=2), "completed_at": sent_at + timedelta(seconds=3),
    }  # fmt: skip
    return make_run(session, prompt=prompt, **{**fields, **overrides})


def figures_of(agent: Agent) -> str:
    return reverse("metrics:agent-figures-fragment", args=[agent.pk])


def test_the_figures_of_an_agent_are_its_own(as_alice: Client, make_session: MakeSession, bob: User) -> None:
    session, other = make_session(owner=bob), make_session()
    make_measured(run_now(session), 1_500)
    run_now(other)

    shown = text_of(as_alice, figures_of(session.agent))
    assert "Invocations 1 0 unfinished · 0 stopped" in shown
    assert "1.50 s n = 1; the median needs 6 · start line" in shown


def test_the_figures_of_an_agent_keep_to_their_range(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    run_now(session, minutes_ago=25 * 60)

    assert "Invocations 1 0 unfinished" in text_of(as_alice, figures_of(session.agent))
    day = text_of(as_alice, figures_of(session.agent) + "?range=24h")
    assert "No invocations in the last 24 hours" in day


def test_an_agent_without_a_run_has_no_figures(as_alice: Client, make_agent: MakeAgent) -> None:
    assert text_of(as_alice, figures_of(make_agent())) == "No figures yet: they appear with the first invocation."


def test_there_are_no_figures_of_an_agent_of_the_other_mode(as_alice: Client, make_agent: MakeAgent) -> None:
    assert as_alice.get(figures_of(make_agent(origin="aws"))).status_code == 404
