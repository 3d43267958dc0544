from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.metrics.environments.board import Board, boards_of, states_of
from apps.metrics.models import Measurement
from apps.metrics.tests.runs import NOON, make_measurement, make_run
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db

PAGE, API = "/operate/environments/", "/api/environments"
MINUTE, HOUR = 60, 3600
MakeSession = Callable[..., Session]


def board(session: Session, after_s: float) -> Board:
    """What is told of a session so long after noon."""
    fresh = Session.objects.select_related("agent__runtime").get(pk=session.pk)
    return boards_of([fresh], NOON + timedelta(seconds=after_s))[session.pk]


def run_now(session: Session, ago_s: float = 60.0, **overrides: Any) -> Invocation:
    """A run of the session that ended so long ago."""
    return make_run(session, (timezone.now() - NOON).total_seconds() - ago_s - 3, **overrides)


def end(session: Session, after_s: float) -> None:
    Session.objects.filter(pk=session.pk).update(ended_at=NOON + timedelta(seconds=after_s))


def stream(run: Invocation, name: str) -> None:
    Measurement.objects.filter(pk=make_measurement(run).pk).update(log_stream=name)


def listed(client: Client, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(client.get(API + query).content)
    return found


def test_an_answer_is_followed_by_the_idle_timeout(session: Session) -> None:
    make_run(session)

    idle, gone = board(session, 10 * MINUTE), board(session, 16 * MINUTE)

    assert (idle.state, idle.expires_at) == ("idle", NOON + timedelta(minutes=15, seconds=3))
    assert idle.lifetime_ends_at == NOON + timedelta(hours=8)
    assert (gone.state, gone.reason) == ("ended", "idle timeout")


def test_who_is_always_asked_again_reaches_the_maximum_lifetime(session: Session) -> None:
    for number in range(48):
        make_run(session, number * 10 * MINUTE)

    assert board(session, 8 * HOUR - 1).state == "idle"
    assert board(session, 8 * HOUR + 1).reason == "maximum lifetime"


def test_a_run_that_is_answered_keeps_its_environment_warm(session: Session) -> None:
    make_run(session, status="streaming", completed_at=None)

    found = board(session, 20 * MINUTE)

    assert (found.state, found.expires_at) == ("warm", None)


def test_a_session_whose_prompts_were_refused_has_no_environment(session: Session) -> None:
    make_run(session, status="failed", http_status=403)
    make_run(session, 5, status="failed", is_unsent=True)

    assert (board(session, 60).state, board(session, 60).born_at) == ("ended", None)


def test_an_end_is_accepted_until_a_run_shows_a_new_log_stream(session: Session) -> None:
    stream(make_run(session), "[runtime-logs]one")
    end(session, 60)
    found = board(session, 90)
    assert (found.state, found.reason, found.end and found.end.proof) == ("ended", "asked", "accepted")

    after = make_run(session, 120)
    found = board(session, 180)
    assert (found.state, found.end and found.end.proof) == ("idle", "accepted")
    stream(after, "[runtime-logs]two")
    found = board(session, 180)

    assert found.end is not None
    assert (found.end.proof, found.end.run_number, found.end.shown_at) == ("verified", 2, after.invoked_at)


def test_a_run_that_writes_on_in_the_same_stream_refutes_the_end(session: Session) -> None:
    stream(make_run(session), "[runtime-logs]one")
    end(session, 60)
    stream(make_run(session, 120), "[runtime-logs]one")

    found = board(session, 180).end

    assert found is not None and found.proof == "refuted"


def test_a_session_costs_its_runs_and_at_most_the_largest_idle_environment(session: Session) -> None:
    make_run(session, cost_usd=Decimal("0.001"), cost_source="estimate")
    make_run(session, 10, cost_usd=None)

    found = board(session, 13 + HOUR)  # idle for 15 minutes, and 7 seconds between the two

    gb_hours = Decimal(8) * (15 * MINUTE + 7) / HOUR
    assert found.idle_usd == (gb_hours * Decimal("0.00945")).quantize(Decimal("0.000001"))
    assert (found.cost_usd, found.unknown_count) == (Decimal("0.001") + found.idle_usd, 1)


def test_what_no_price_is_known_of_has_no_cost(session: Session) -> None:
    make_run(session, cost_usd=None)

    assert board(session, 60).cost_usd is None


def test_the_page_lists_open_sessions_and_others_when_asked(
    client: Client, alice: User, make_session: MakeSession
) -> None:
    idle, gone, never = (make_session(title=title) for title in ("Idle one", "Gone one", "Never one"))
    run_now(idle)
    run_now(gone, 2 * HOUR)
    client.force_login(alice)

    assert [one["title"] for one in listed(client)] == ["Idle one"]
    assert [one["title"] for one in listed(client, "?state=ended")] == ["Gone one"]
    assert {one["title"] for one in listed(client, "?state=all")} == {"Idle one", "Gone one"}
    table = {"HX-Request": "true", "HX-Target": "environment-table"}
    page = client.get(PAGE, headers=table).content.decode()
    assert "Idle one" in page and "Gone one" not in page and never.title not in page
    assert "Gone one" in client.get(f"{PAGE}?state=ended", headers=table).content.decode()
    rows = list(csv.DictReader(io.StringIO(b"".join(_sent(client, "all")).decode())))
    assert {(row["title"], row["state"]) for row in rows} == {("Idle one", "idle"), ("Gone one", "ended")}


def _sent(client: Client, state: str) -> Iterator[bytes]:
    sent: Iterator[bytes] = iter(client.get(f"{PAGE}csv/?state={state}"))
    return sent


def test_others_neither_see_nor_end_it(client: Client, alice: User, bob: User, session: Session) -> None:
    run_now(session)
    client.force_login(bob)

    assert listed(client, "?state=all") == []
    client.post(f"{PAGE}end/", {"row": session.pk})
    session.refresh_from_db()
    assert session.ended_at is None


def test_a_page_without_environments_says_what_to_do(client: Client, alice: User, session: Session) -> None:
    client.force_login(alice)
    assert "No session yet" in client.get(PAGE).content.decode()

    run_now(session, 2 * HOUR)

    assert "No environment is kept" in client.get(PAGE).content.decode()


def test_one_that_was_ended_is_not_ended_again(client: Client, alice: User, session: Session) -> None:
    run_now(session)
    Session.objects.filter(pk=session.pk).update(ended_at=timezone.now())
    client.force_login(alice)

    page = client.post(f"{PAGE}end/", {"row": session.pk}, follow=True).content.decode()

    assert "Its end was accepted before" in page
    assert "Check the rows" in client.post(f"{PAGE}end/", {}, follow=True).content.decode()


def test_looking_for_open_ones_costs_the_same_for_many(
    make_session: MakeSession, django_assert_num_queries: Any
) -> None:
    for _ in range(3):
        run_now(make_session())
    now: datetime = timezone.now()

    with django_assert_num_queries(3):
        states = states_of(Session.objects.all(), now)

    assert list(states.values()) == ["idle"] * 3
    with django_assert_num_queries(3):
        boards_of(list(Session.objects.select_related("agent__runtime")), now)
