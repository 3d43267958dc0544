from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import InvalidInputError
from apps.costs.runtime import Prices
from apps.metrics.models import StartSeries, StartSeriesRun
from apps.metrics.series import selectors, services
from apps.metrics.series.forms import StartSeriesForm
from apps.metrics.series.services import Plan, SeriesActiveError, start_series
from apps.metrics.tests.runs import make_due, make_measured, make_run
from apps.metrics.tests.test_views import text_of
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
MakeAgent = Callable[..., Agent]
PLAN = Plan(count=8, prompt="Two days?")


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def measured_series(agent: Agent, owner: User, make_session: MakeSession, count: int = 8) -> StartSeries:
    """A series whose first prompts took 2 s to the first token and 1.5 s to the start, the second ones 400 ms."""
    series = start_series(agent=agent, owner=owner, plan=Plan(count=count, prompt="Two days?"))
    for position in range(1, count + 1):
        session = make_session(agent=agent, owner=owner)
        first = make_run(session)
        make_measured(first, 1_500.0 + position, start_kind="created")
        second = make_run(session, 10, first_byte_s=0.4)
        make_measured(second, 100.0, start_kind="reused")
        StartSeriesRun.objects.create(series=series, invocation=first, position=position)
        StartSeriesRun.objects.create(series=series, invocation=second, position=position, is_warm=True)
    return series


def test_the_highest_cost_follows_from_the_published_prices() -> None:
    prices = Prices(Decimal("0.0895"), Decimal("0.00945"))

    # 2 vCPU for an hour, and 8 GB for that hour and the quarter after it.
    assert prices.session_usd(timedelta(hours=1), idle=timedelta(minutes=15)) == Decimal("0.1790") + Decimal("0.0945")


def test_the_estimate_knows_the_agents_answers_and_what_is_asked(make_session: MakeSession, make_agent: Any) -> None:
    session = make_session()
    for seconds in (20, 90):
        make_run(session, seconds * 10.0, ended_s=seconds)

    def estimate(agent: Agent = session.agent, **plan: Any) -> Decimal:
        return services.estimate_usd(agent=agent, plan=Plan(**{"count": 1, "has_warm_turn": False, **plan}))

    # 90 s × 2 vCPU, 100 s × 8 GB.
    assert estimate() == Decimal("0.0066")
    assert estimate(has_warm_turn=True) > estimate() > estimate(make_agent())
    assert estimate(count=10) == Decimal("0.0658")
    assert estimate(ends_session=False) == Decimal("0.0253")


def test_what_costs_more_than_allowed_is_not_begun(make_session: MakeSession, alice: User) -> None:
    plan = Plan(count=100, prompt="Two days?", max_cost_usd=Decimal("0.01"))

    with pytest.raises(InvalidInputError, match=r"^100 sessions may cost up to \$0\.\d+, which is more than \$0\.01"):
        start_series(agent=make_session().agent, owner=alice, plan=plan)
    assert not StartSeries.objects.exists()


def test_a_series_ends_before_a_session_that_could_cost_too_much(make_session: MakeSession, alice: User) -> None:
    agent = make_session().agent
    series = start_series(
        agent=agent, owner=alice, plan=Plan(count=3, prompt="Two days?", max_cost_usd=Decimal("0.10"))
    )
    assert not services.would_exceed(series=series, begun=0)
    # An answer of an hour costs 25 cents at most, one of ten minutes 4 cents.
    for position, (minutes, is_too_much) in enumerate([(10, False), (10, True)], 1):
        run = make_run(make_session(agent=agent), ended_s=minutes * 60.0)
        StartSeriesRun.objects.create(series=series, invocation=run, position=position)
        assert services.would_exceed(series=series, begun=position) is is_too_much


def test_the_cost_so_far_is_by_what_was_used_and_never_above_a_new_estimate(
    as_alice: Client, make_session: MakeSession, alice: User
) -> None:
    agent = make_session().agent
    series = start_series(
        agent=agent, owner=alice, plan=Plan(count=2, prompt="Two days?")
    )  # of a minute each, it seems
    sent_at = timezone.now()

    def spent(now: datetime = sent_at) -> Decimal:
        return services.spent_usd(series=series, now=now)

    assert spent() == 0
    runs = [make_run(make_session(agent=agent), position * 60.0) for position in (1, 2)]  # of three seconds
    for position, run in enumerate(runs, 1):
        StartSeriesRun.objects.create(series=series, invocation=run, position=position)
    plan = Plan(count=2, has_warm_turn=False)
    assert 0 < spent() == services.estimate_usd(agent=agent, plan=plan) < series.estimated_cost_usd / 10
    assert f"Estimated cost so far: up to ${spent()}, by how long its sessions worked" in text_of(
        as_alice, series.get_absolute_url()
    )
    Invocation.objects.filter(pk=runs[1].pk).update(completed_at=None, invoked_at=sent_at)
    assert spent(sent_at + timedelta(minutes=1)) > spent(sent_at + timedelta(seconds=30)) > spent()


@pytest.mark.parametrize(
    "plan", [Plan(prompt="  "), Plan(prompt="x", count=0), Plan(prompt="x", count=101), Plan(prompt="x\0")]
)
def test_a_plan_that_makes_no_sense_is_refused(make_session: MakeSession, alice: User, plan: Plan) -> None:
    with pytest.raises(InvalidInputError):
        start_series(agent=make_session().agent, owner=alice, plan=plan)


def test_the_same_request_is_the_same_series_and_another_one_waits(make_session: MakeSession, alice: User) -> None:
    agent = make_session().agent
    first = start_series(agent=agent, owner=alice, plan=PLAN, request_key="once")

    assert start_series(agent=agent, owner=alice, plan=PLAN, request_key="once") == first
    with pytest.raises(SeriesActiveError):
        start_series(agent=agent, owner=alice, plan=PLAN, request_key="twice")
    assert start_series(agent=make_session().agent, owner=alice, plan=PLAN).state == "queued"


@pytest.mark.parametrize(
    ("field", "values", "problem"),
    [
        ("count", ["", "0", "101", "two"], "Give a whole number of sessions, from 1 to 100."),
        (
            "max_cost_usd",
            ["", "0", "1001", "0.00001", "1" * 12, "cheap"],
            "Give US dollars above 0, up to 1000, with at most four decimals.",
        ),
        ("prompt", ["", "  "], "Type a prompt."),
        ("prompt", ["x" * 100_001], "A prompt has at most 100,000 characters; this one has 100001."),
        ("qualifier", ["beta"], "The agent has no endpoint beta. Choose one of the list."),
    ],
)
def test_what_a_series_cannot_be_is_told_what_it_can(
    make_agent: MakeAgent, field: str, values: list[str], problem: str
) -> None:
    valid = {"count": "3", "qualifier": "DEFAULT", "prompt": "Two days?", "max_cost_usd": "1"}
    agent = make_agent()

    told = {value[:9]: StartSeriesForm({**valid, field: value}, agent=agent).errors for value in values}

    assert told == {value[:9]: {field: [problem]} for value in values}


def test_the_result_keeps_first_and_second_prompts_apart(make_session: MakeSession, alice: User) -> None:
    series = measured_series(make_session().agent, alice, make_session)

    result = selectors.result_of(series)
    assert (result.done, result.failed, result.not_found, result.waiting) == (8, 0, 0, 0)
    startup = result.startup.summary
    assert startup.p50 is not None
    assert (startup.n, startup.p50.value, startup.minimum, startup.maximum) == (8, 1504.0, 1501.0, 1508.0)
    assert result.cold_penalty_ms == 1600.0
    assert result.ttft_warm.n == 8


def test_the_result_counts_what_failed_was_not_found_and_is_waited_for(make_session: MakeSession, alice: User) -> None:
    series = measured_series(make_session().agent, alice, make_session, count=5)
    for position, made in enumerate(
        [
            make_run(make_session(), status="failed", http_status=500),
            make_due(make_run(make_session()), state="not_found", tries=14).invocation,
            make_due(make_run(make_session()), tries=2).invocation,
            make_run(make_session(), status="streaming", completed_at=None),
        ],
        6,
    ):
        StartSeriesRun.objects.create(series=series, invocation=made, position=position)

    result = selectors.result_of(series)
    assert (result.done, result.failed, result.not_found, result.waiting) == (8, 1, 1, 1)
    assert (result.startup.summary.n, result.startup.summary.p50, result.cold_penalty_ms) == (5, None, None)


def test_a_cancelled_series_counts_its_stopped_session_as_stopped_everywhere(
    as_alice: Client, make_session: MakeSession, alice: User
) -> None:
    series = measured_series(make_session().agent, alice, make_session, count=2)
    last = make_run(make_session(), status="streaming", completed_at=None)
    StartSeriesRun.objects.create(series=series, invocation=last, position=3)
    StartSeries.objects.update(
        count=6,
        state="cancelled",
        finished_at=timezone.now(),
        message="Cancelled. What was measured until then is kept.",
    )
    address = reverse("metrics:start-series", args=[series.pk])
    # The prompt has not heard of its stop yet: the page goes on asking, or its row would say Streaming for ever.
    assert "every 2s" in as_alice.get(address).content.decode()
    assert "The last prompt is being stopped." in text_of(as_alice, address)

    Invocation.objects.filter(pk=last.pk).update(status="stopped", completed_at=timezone.now())
    shown = text_of(as_alice, address)
    assert "2 of 6 sessions Cancelled" in shown
    assert "Sessions 2 0 failed · 1 stopped " in shown
    assert "3 of 6 Stopped" in shown
    assert "every 2s" not in as_alice.get(address).content.decode()
    card = reverse("agents:measure", args=[series.agent_id])
    assert "Cancelled 2 of 6" in text_of(as_alice, card)
    assert as_alice.get(f"/api/start-series/{series.pk}").json()["done"] == 2


def test_the_page_of_a_series_shows_its_result_and_stops_asking(
    as_alice: Client, make_session: MakeSession, alice: User
) -> None:
    series = measured_series(make_session().agent, alice, make_session)
    address = reverse("metrics:start-series", args=[series.pk])
    assert "every 2s" in as_alice.get(address).content.decode()

    StartSeries.objects.update(state="done", finished_at=timezone.now())
    shown = text_of(as_alice, address)
    assert "8 of 8 sessions Done" in shown
    assert "Startup, cold Emulated 1.50 s p50, n = 8, 95 %: 1.50 – 1.51 s · start line" in shown
    assert "Cold penalty Emulated 1.60 s TTFT cold − TTFT warm, of the medians" in shown
    assert "every 2s" not in as_alice.get(address).content.decode()


def test_the_page_of_an_agent_shows_form_estimate_and_series(
    as_alice: Client, make_session: MakeSession, alice: User
) -> None:
    agent = make_session().agent
    address = reverse("agents:measure", args=[agent.pk])
    assert "Costs up to $0.1740 on AgentCore; the emulator costs nothing. 20 sessions × 2 answers" in text_of(
        as_alice, address
    )
    measured_series(agent, alice, make_session)
    assert "Queued 8 of 8 1.50 s 1.60 s" in text_of(as_alice, address)
    estimate = reverse("metrics:start-series-estimate-fragment", args=[agent.pk])
    query = "?count=100&max_cost_usd=0.01&qualifier=DEFAULT"
    assert "more than the highest cost of $0.01" in text_of(as_alice, estimate + query)


def test_the_form_starts_a_series_once_and_says_what_is_wrong(as_alice: Client, make_session: MakeSession) -> None:
    agent = make_session().agent
    address = reverse("metrics:start-series-start", args=[agent.pk])
    form = {
        "count": "3", "qualifier": "DEFAULT", "prompt": "Two days?", "max_cost_usd": "1", "has_warm_turn": "on",
        "request_key": str(uuid.uuid4()),
    }  # fmt: skip
    first = as_alice.post(address, form)
    assert as_alice.post(address, form).headers["Location"] == first.headers["Location"]
    series = StartSeries.objects.get()
    assert (series.count, series.has_warm_turn, series.ends_session) == (3, True, False)
    assert first.headers["Location"] == f"/operate/start-series/{series.pk}/"

    refused = as_alice.post(address, {**form, "request_key": ""}, headers={"HX-Request": "true"})
    assert refused.status_code == 422
    assert "is being measured already. Wait for that series, or cancel it." in refused.content.decode()
    refused = as_alice.post(address, {**form, "count": "0"}, headers={"HX-Request": "true"})
    assert "Give a whole number of sessions, from 1 to 100." in refused.content.decode()
    assert "<html" not in refused.content.decode()
    page = as_alice.post(address, {**form, "count": "0"})
    assert page.status_code == 422
    for part in ("<html", "Give a whole number of sessions, from 1 to 100.", ">\nTwo days?</textarea>"):
        assert part in page.content.decode(), part


def test_a_series_belongs_to_its_owner_and_to_staff(
    client: Client, make_session: MakeSession, alice: User, bob: User, carol: User
) -> None:
    series = start_series(agent=make_session().agent, owner=alice, plan=PLAN)
    names = ("start-series", "start-series-progress-fragment")
    statuses = {}
    for user in (alice, bob, carol):
        client.force_login(user)
        found = [client.get(reverse(f"metrics:{name}", args=[series.pk])).status_code for name in names]
        statuses[user.email[:3]] = [*found, client.get(f"/api/start-series/{series.pk}").status_code]
    client.force_login(bob)

    assert statuses == {"ali": [200] * 3, "bob": [404] * 3, "car": [200] * 3}
    assert client.post(reverse("metrics:start-series-cancel", args=[series.pk])).status_code == 404
    assert client.post(f"/api/start-series/{series.pk}/cancel", content_type="application/json").status_code == 404


def test_the_api_starts_reads_and_cancels(as_alice: Client, make_session: MakeSession) -> None:
    agent = make_session().agent

    def post(path: str, body: Any = None, **headers: str) -> Any:
        return as_alice.post(path, json.dumps(body or {}), content_type="application/json", headers=headers)

    body = {"count": 3, "prompt": "Two days?", "warm_turn": False}
    started = post(f"/api/agents/{agent.pk}/start-series", body, **{"Idempotency-Key": "once"})
    assert started.status_code == 202
    series = StartSeries.objects.get()
    assert started.json() == {
        "id": series.pk, "agent_id": agent.pk, "state": "running", "count": 3, "done": 0, "failed": 0, "not_found": 0,
        "waiting": 0, "source": "", "p50_ms": None, "low_ms": None, "high_ms": None, "min_ms": None, "max_ms": None,
        "measured": 0, "cold_p50_ms": None, "warm_p50_ms": None, "cold_penalty_ms": None,
        "estimated_cost_usd": float(series.estimated_cost_usd), "message": "", "pool": None,
    }  # fmt: skip
    again = post(f"/api/agents/{agent.pk}/start-series", body, **{"Idempotency-Key": "once"})
    assert again.json()["id"] == series.pk
    other = post(f"/api/agents/{agent.pk}/start-series", body)
    assert (other.status_code, other.json()["error"]) == (409, "start_series_active")
    assert post(f"/api/agents/{agent.pk}/start-series", {"count": 0, "prompt": "x"}).status_code == 400

    assert post(f"/api/start-series/{series.pk}/cancel").json()["state"] == "cancelled"
    read = as_alice.get(f"/api/start-series/{series.pk}").json()
    assert (read["state"], read["message"]) == ("cancelled", "Cancelled before it began.")
