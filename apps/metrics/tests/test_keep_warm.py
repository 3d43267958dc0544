from __future__ import annotations

import json
import random
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.aws.tests.emulator_process import Emulator, running_emulator
from apps.metrics.environments.warmth import DAY_S, Conversation, Policy, TooManyPingsError, Visit, replay
from apps.metrics.models import Measurement
from apps.metrics.tests.runs import NOON, make_measurement, make_run
from apps.sessions.models import Invocation, Session

MINUTE, HOUR = 60.0, 3600.0
AS_IT_IS = Policy(idle_s=15 * MINUTE, lifetime_s=8 * HOUR)
ARN = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/sentiment_scorer-Aw8DkP4vGn"
MakeSession = Callable[..., Session]


def conversation(*minutes: float, **facts: Any) -> Conversation:
    return Conversation([Visit(at * MINUTE, 0.0) for at in minutes], **facts)


def test_a_gap_above_the_idle_timeout_is_cold_and_idle_time_is_counted() -> None:
    found = replay([conversation(0, 10, 30)], AS_IT_IS)

    assert (found.run_count, found.cold_count, found.first_count) == (3, 2, 1)
    assert found.idle_s == (10 + 15 + 15) * MINUTE


def test_the_maximum_lifetime_makes_the_next_run_cold() -> None:
    assert replay([conversation(*range(0, 490, 10))], AS_IT_IS).cold_count == 2


def test_pings_keep_a_session_for_as_long_as_somebody_may_come_back() -> None:
    every_ten = Policy(15 * MINUTE, 8 * HOUR, ping_every_s=10 * MINUTE, ping_busy_s=0, keep_s=HOUR)

    found = replay([conversation(1, 55, 200)], every_ten)

    assert found.cold_count == 2  # the first, and the one that came back after two hours
    assert found.ping_count == 5 + 6 + 5  # 10 … 50; 60 … 110; 210 … 250


def test_pings_stand_in_their_hours_alone_and_over_midnight_where_those_do() -> None:
    day = Policy(1, HOUR, ping_every_s=HOUR, from_hour=8, to_hour=10)
    night = Policy(1, HOUR, ping_every_s=HOUR, from_hour=22, to_hour=2)

    assert [at / HOUR for at in day.pings(0, DAY_S)] == [8, 9]
    assert [at / HOUR % 24 for at in night.pings(0, DAY_S + 12 * HOUR)] == [1, 22, 23, 0, 1]


def test_a_ping_that_comes_too_late_is_cold_itself() -> None:
    rare = Policy(15 * MINUTE, 8 * HOUR, ping_every_s=HOUR, ping_busy_s=0, keep_s=2 * HOUR)

    found = replay([conversation(1, 65)], rare)

    assert (found.cold_count, found.cold_ping_count) == (1, 3)


def test_an_end_that_was_asked_for_makes_the_next_run_cold() -> None:
    found = replay([conversation(0, 5, ended_at_s=2 * MINUTE)], AS_IT_IS)

    assert (found.cold_count, found.idle_s) == (2, (2 + 15) * MINUTE)


def test_the_first_run_of_a_session_that_began_earlier_is_not_counted() -> None:
    assert replay([conversation(0, 5, is_continued=True)], AS_IT_IS).run_count == 1


def test_a_schedule_of_endless_pings_is_refused() -> None:
    with pytest.raises(TooManyPingsError):
        replay([conversation(0)] * 300, Policy(1, HOUR, ping_every_s=MINUTE, keep_s=DAY_S))


# --- what is foretold, and what then happens on the emulator ---


def a_day(draw: random.Random, day: int, sessions: int) -> list[Conversation]:
    """People as they may come: in working hours mostly, some prompts each, with pauses of very different lengths."""
    found = []
    for _ in range(sessions):
        at = day * DAY_S + draw.triangular(6, 18, 10) * HOUR
        visits = []
        for _ in range(draw.randint(1, 7)):
            visits.append(Visit(at, 0.0))
            at += draw.lognormvariate(2.2, 1.1) * MINUTE
        found.append(Conversation(visits))
    return found


def share(conversations: Sequence[Conversation], policy: Policy) -> float:
    found: float | None = replay(conversations, policy).cold_share
    assert found is not None
    return found


def happened(emulator: Emulator, day: Sequence[Conversation], policy: Policy) -> float:
    """Send a day to the emulator, whose clock is put forward from one to the next; the share of cold runs by what it
    says itself. It frees environments some seconds late, and a few of them long before their time.
    """
    events: list[tuple[float, str, bool]] = []
    for number, one in enumerate(day):
        session = f"{policy.ping_every_s:08.0f}-of-the-day-session-{number:012}"
        nexts = [visit.at_s for visit in one.visits[1:]] + [float("inf")]
        for visit, next_s in zip(one.visits, nexts, strict=True):
            events.append((visit.at_s, session, True))
            pings = policy.pings(visit.at_s, min(next_s, visit.at_s + policy.keep_s))
            events += [(at, session, False) for at in pings]
    events.sort()
    kinds, seen = [], {session: 0 for _at, session, _is_run in events}
    now = events[0][0]
    for at, session, is_run in events:
        emulator.advance(at - now)
        now = at
        invoke(emulator, session)
        if is_run:
            kinds.append((session, seen[session]))
        seen[session] += 1
    truth = {session: emulator.invocations(session) for session in seen}
    cold: list[bool] = [truth[session][place]["start_kind"] != "reused" for session, place in kinds]
    return sum(cold) / len(cold)


def invoke(emulator: Emulator, session: str) -> None:
    headers = {
        "Content-Type": "application/json",
        "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": session,
        "Authorization": "AWS4-HMAC-SHA256 Credential=x/20261120/us-east-1/bedrock-agentcore/aws4_request",
    }
    address = f"{emulator.url}/runtimes/{quote(ARN, safe='')}/invocations?qualifier=DEFAULT"
    request = urllib.request.Request(address, b'{"prompt": "Fine"}', headers)  # noqa: S310 -- loopback
    with urllib.request.urlopen(request) as answer:  # noqa: S310 -- loopback
        answer.read()


def test_what_two_weeks_foretell_happens_on_an_emulated_day_within_five_points() -> None:
    draw = random.Random(20_261_120)
    past = [one for day in range(14) for one in a_day(draw, day, 80)]
    tomorrow = a_day(draw, 14, 80)
    pinged = Policy(
        15 * MINUTE, 8 * HOUR, ping_every_s=14 * MINUTE, ping_busy_s=0.0, from_hour=8, to_hour=18, keep_s=HOUR
    )

    with running_emulator("--seed", "7", "--time-scale", "0", "--log-delay-scale", "0", "--no-quotas") as emulator:
        for policy in (AS_IT_IS, pinged):
            assert abs(happened(emulator, tomorrow, policy) - share(past, policy)) <= 0.05
    assert share(past, AS_IT_IS) - share(past, pinged) > 0.1  # so that the two are not foretold alike


# --- the page and the API ---


@pytest.fixture
def used(make_session: MakeSession) -> Session:
    """Twelve conversations of today with three prompts each, ten and thirty minutes apart: two of three are cold."""
    now_s = (timezone.now() - NOON).total_seconds()
    session = make_session()
    for number in range(12):
        session = make_session(agent=session.agent)
        for place, minutes in enumerate((0, 10, 40)):
            sent_s = now_s - 20 * HOUR + number * HOUR + minutes * MINUTE
            first_byte_s = 0.5 if place == 1 else 2.5
            run = make_run(session, sent_s, first_byte_s=first_byte_s, cost_usd="0.001", cost_source="priced")
            kind = "reused" if place == 1 else "created"
            Measurement.objects.filter(pk=make_measurement(run).pk).update(start_kind=kind)
    return session


@pytest.mark.django_db
def test_a_longer_idle_timeout_saves_waiting_and_costs_memory(client: Client, alice: User, used: Session) -> None:
    client.force_login(alice)

    found = json.loads(client.get(f"/api/agents/{used.agent_id}/keep-warm?days=7&idle_minutes=45").content)

    assert (found["runs"], found["sessions"], found["is_enough"]) == (36, 12, True)
    assert found["seen"]["cold"] == found["present"]["cold"]["cold"] == 24
    assert found["asked"]["cold"]["cold"] == found["asked"]["first_of_session"] == 12
    assert found["avoided"] == pytest.approx(12 * 30 / 7)
    assert found["penalty_ms"] == pytest.approx(2_000)
    assert found["saved_s"] == pytest.approx(12 * 30 / 7 * 2, rel=0.01)
    assert found["best_idle_timeout_ms"] == 30 * 60_000
    assert found["more_usd"] > 0 and found["asked"]["ping_usd"] == 0
    page = client.get(f"/agents/{used.agent_id}/keep-warm/?days=7&idle_minutes=45").content.decode()
    assert "66.7 %" in page and "33.3 %" in page and "It avoids 51 cold starts a month" in page


@pytest.mark.django_db
def test_pings_have_their_price(client: Client, alice: User, used: Session) -> None:
    client.force_login(alice)

    found = json.loads(
        client.get(f"/api/agents/{used.agent_id}/keep-warm?days=30&ping_minutes=10&keep_hours=1").content
    )

    assert found["asked"]["cold"]["cold"] == 12
    assert found["asked"]["ping_usd"] == pytest.approx(found["asked"]["pings"] * 0.001)


@pytest.mark.django_db
def test_nothing_is_foretold_from_a_few_runs(client: Client, alice: User, make_session: MakeSession) -> None:
    session = make_session()
    make_run(session, (timezone.now() - NOON).total_seconds() - HOUR)
    client.force_login(alice)

    assert "Too few runs to foretell anything" in client.get(f"/agents/{session.agent_id}/keep-warm/").content.decode()
    assert json.loads(client.get(f"/api/agents/{session.agent_id}/keep-warm").content)["best_idle_timeout_ms"] is None
    assert Invocation.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query", ["ping_minutes=0", "from_hour=5&to_hour=5", "idle_minutes=x", "days=3", "keep_hours=99"]
)
def test_what_is_no_schedule_comes_back_with_its_reason(
    client: Client, alice: User, session: Session, query: str
) -> None:
    client.force_login(alice)

    answer = client.get(f"/agents/{session.agent_id}/keep-warm/?{query}")

    assert answer.status_code == 422 and "field-error" in answer.content.decode()
    assert client.get(f"/api/agents/{session.agent_id}/keep-warm?{query}").status_code == 400
