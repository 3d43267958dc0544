from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.figures.pages.filters import TEXT_LENGTH
from apps.metrics.figures.store_periods import settle_figures
from apps.metrics.models import FigurePeriod
from apps.metrics.tests.runs import make_measured
from apps.metrics.tests.test_views import run_now, text_of
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
OPERATE = "metrics:operate"


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def page(client: Client, **query: Any) -> str:
    return text_of(client, reverse(OPERATE, query=query or None))


def tile(shown: str, label: str) -> str:
    """What stands in the tile with this label; the page's own words come before the tiles."""
    return shown.partition(" Apply ")[2].partition(f"{label} ")[2]


def test_operate_shows_the_figures_of_all_but_only_the_readers_runs(
    client: Client, make_session: MakeSession, alice: User, bob: User, carol: User
) -> None:
    """S0-111: the counts."""
    run_now(make_session(owner=alice), "Asked by Alice")
    run_now(make_session(owner=bob), "Asked by Bob")
    run_now(make_session(owner=bob), "Asked the day before", minutes_ago=24 * 60 + 1)
    lists = {}
    for user in (alice, bob, carol):
        client.force_login(user)
        shown = page(client, range="24h")
        assert "Invocations made by Loom, last 24 hours" in shown
        assert tile(shown, "Invocations").startswith("2 0 unfinished · 0 stopped")
        lists[user.email] = re.findall(r"Asked [a-zA-Z ]+?(?= agent_)", shown)

    assert lists == {
        "alice@example.com": ["Asked by Alice"],
        "bob@example.com": ["Asked by Bob"],
        "carol@example.com": ["Asked by Bob", "Asked by Alice"],
    }


def test_operate_before_the_first_run_says_what_to_do(as_alice: Client) -> None:
    shown = page(as_alice)

    assert "No invocations yet" in shown
    assert "Pick an agent" in shown


def test_a_range_without_runs_says_so_and_leads_to_a_longer_one(as_alice: Client, make_session: MakeSession) -> None:
    run_now(make_session(), minutes_ago=3 * 24 * 60)

    shown = page(as_alice, range="24h")
    assert "No invocations here Nothing was invoked: last 24 hours. Last 30 days" in shown
    assert tile(page(as_alice, range="30d"), "Invocations").startswith("1 ")


def test_operate_is_for_the_signed_in(client: Client) -> None:
    assert client.get(reverse(OPERATE)).status_code == 302


@pytest.mark.parametrize(("key", "count"), [("1h", 1), ("24h", 2), ("7d", 3), ("30d", 4)])
def test_the_range_decides_what_is_counted(as_alice: Client, make_session: MakeSession, key: str, count: int) -> None:
    session = make_session()
    for hours in (0.5, 20, 6 * 24, 29 * 24, 31 * 24):
        run_now(session, minutes_ago=hours * 60)

    assert tile(page(as_alice, range=key), "Invocations").startswith(f"{count} 0 unfinished")


def test_a_range_of_ones_own_and_one_that_makes_no_sense(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    run_now(session, minutes_ago=60)
    run_now(session, minutes_ago=4 * 60)
    now = timezone.now()
    first, last = ((now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M") for hours in (5, 3))

    shown = page(as_alice, **{"range": "custom", "from": first, "to": last})
    assert tile(shown, "Invocations").startswith("1 0 unfinished")
    shown = page(as_alice, **{"range": "custom", "from": last, "to": first})
    assert "The range was not understood. From lies before to, by at most 92 days." in shown
    assert tile(shown, "Invocations").startswith("2 0 unfinished")


def test_agent_endpoint_and_version_narrow_every_figure(as_alice: Client, make_session: MakeSession) -> None:
    agent = make_session().agent
    agent.endpoints.create(name="prod", live_version="2", status="READY")
    Agent.objects.filter(pk=agent.pk).update(available_qualifiers=["DEFAULT", "prod"])
    agent.refresh_from_db()
    run_now(make_session(agent=agent), "At DEFAULT", version="3")
    run_now(make_session(agent=agent), "At DEFAULT before", version="2")
    run_now(make_session(agent=agent, qualifier="prod"), "At prod", version="2")
    run_now(make_session(), "Of another")

    def count(**query: Any) -> int:
        found = re.search(r"^([\d,]+) ", tile(page(as_alice, **query), "Invocations"))
        assert found is not None
        return int(found[1])

    assert count() == 4
    assert count(agent=agent.pk) == 3
    assert count(agent=agent.pk, qualifier="prod") == 1
    assert count(agent=agent.pk, version="2") == 2
    assert "version 2 version 3" in page(as_alice, agent=agent.pk, version="2")
    assert "At prod" not in page(as_alice, agent=agent.pk, version="3")
    assert count(agent="x", version="2") == 4
    assert "is not invoked" not in page(as_alice, agent=agent.pk, version="9")


@pytest.mark.parametrize("name", ["qualifier", "version", "error"])
def test_a_text_without_end_is_cut(as_alice: Client, make_session: MakeSession, name: str) -> None:
    agent = run_now(make_session()).session.agent_id

    assert "y" * (TEXT_LENGTH + 1) not in page(as_alice, agent=agent, range="24h", **{name: "y" * 5_000})


def test_agents_are_ordered_as_asked(as_alice: Client, make_session: MakeSession) -> None:
    failing, slow, busy = make_session(), make_session(), make_session()
    run_now(failing, status="failed")
    make_measured(run_now(slow, first_token_at=timezone.now()), 1_500)
    for _ in range(3):
        run_now(busy, first_token_at=None)

    def order(sort: str) -> list[str]:
        table = page(as_alice, sort=sort).partition("Startup cold ")[2].partition("Recent invocations")[0]
        return re.findall(r"agent_\d", table)

    names = [failing.agent.name, slow.agent.name, busy.agent.name]
    assert order("-errors")[0] == order("")[0] == order("slowest")[0] == failing.agent.name
    assert order("errors")[-1] == failing.agent.name
    assert order("-startup")[0] == order("startup")[0] == order("-cold")[0] == slow.agent.name
    assert order("-runs")[0] == busy.agent.name
    assert (order("name"), order("-name")) == (sorted(names), sorted(names, reverse=True))
    assert "Agents without a figure come last." in page(as_alice)
    assert (
        'aria-sort="ascending"><a class="sort" href="?sort=-cold"'
        in as_alice.get(reverse(OPERATE, query={"sort": "cold", "page": 2})).content.decode()
    )
    assert "100 % 1 of 1" in page(as_alice)


def test_the_failed_ones_alone(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    run_now(session, "This went well")
    assert "None of your invocations failed here." in page(as_alice, show="failed")
    run_now(session, "This went wrong", status="interrupted")

    shown = page(as_alice, show="failed")
    assert "This went wrong" in shown
    assert "This went well" not in shown


def test_six_cold_and_warm_runs_have_medians_intervals_and_a_penalty(
    as_alice: Client, make_session: MakeSession
) -> None:
    """S0-111: what a cold start takes, never as a mean of cold and warm."""
    agent = make_session().agent
    for number in range(6):
        session = make_session(agent=agent)
        make_measured(run_now(session), 1_000.0 + number, start_kind="created")
        sent_at = timezone.now() - timedelta(minutes=4)
        warm = run_now(session, minutes_ago=4, first_token_at=sent_at + timedelta(milliseconds=500))
        make_measured(warm, 100.0, start_kind="reused")

    shown = page(as_alice)
    assert "Time to first token cold 2.00 s 2.00 – 2.00 s – 6" in shown
    assert "Startup start line cold 1.00 s 1.00 – 1.00 s – 6" in shown
    assert "A cold start costs 1.5" in shown


def test_operate_leads_to_the_agent_the_invocation_and_the_step_of_time(
    as_alice: Client, make_session: MakeSession
) -> None:
    """S0-111: tiles, agents with their figures, the chart of latency over time, and the ways down."""
    session = make_session()
    run = make_measured(run_now(session, "Two days?"), 1_500).invocation
    response = as_alice.get(reverse(OPERATE, query={"metric": "startup"}))
    shown = response.content.decode()

    labels = re.findall(r"<dt[^>]*>\s*([A-Z][\w, ]+?)\s*<", shown)
    assert labels[:5] == ["Invocations", "TTFT, cold", "TTFT, warm", "Startup, cold", "Error rate"]
    [step] = re.findall(r'data-step="\d+" data-href="([^"]+)"', shown)
    assert "Startup latency over time" in shown and 'data-text="cold 1.50 s (n = 1)"' in shown
    within = page(as_alice, **dict(parse_qsl(html.unescape(step).removeprefix("?"))))
    assert tile(within, "Invocations").startswith("1 ")
    assert f'href="{reverse("sessions:detail", args=[session.public_id])}#invocation-{run.pk}"' in shown
    drilled = f"{reverse(OPERATE)}?metric=startup&amp;agent={session.agent.pk}"
    assert f'href="{drilled}"' in shown
    assert f"Invocations made by Loom, last 15 minutes, {session.agent.name}" in page(as_alice, agent=session.agent.pk)


def test_operate_leads_to_the_runs_that_it_counts(as_alice: Client, make_session: MakeSession) -> None:
    """By its tiles, by each agent and by each count, with all that it was asked for."""
    session = make_session()
    run_now(session, "one")
    run_now(session, "two", status="failed", error_code="Fall")
    agent, runs = session.agent_id, "/runs/?range=24h"

    def leads(**asked: Any) -> set[str]:
        shown = as_alice.get(reverse(OPERATE, query=asked)).content.decode()
        return {html.unescape(path) for path in re.findall(r'href="(/runs/[^"]*)"', shown)} - {"/runs/"}

    everything = leads(range="24h")
    for path in (runs, f"{runs}&error=any", f"{runs}&agent={agent}", f"{runs}&agent={agent}&error=any"):
        assert path in everything
        assert as_alice.get(path).content.decode().count("row-link") == (1 if "error" in path else 2)
    own = leads(**{"agent": agent, "range": "custom", "from": "2026-11-20T12:00", "measure_start": "shown"})
    assert all(f"agent={agent}&measure_start=shown&range=2026-11-20T12%3A00%2F" in path for path in own) and own
    failed = leads(range="24h", show="failed", error="Fall")
    assert f"{runs}&error=Fall" in failed


def test_operate_asks_the_database_as_often_for_300_runs_as_for_three(
    as_alice: Client, make_session: MakeSession
) -> None:
    def count_queries() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert as_alice.get(reverse(OPERATE)).status_code == 200
        return len(queries)

    agent = make_session().agent
    for _ in range(3):
        make_measured(run_now(make_session(agent=agent)), 1_500)
    as_alice.get(reverse(OPERATE))
    few = count_queries()
    for _ in range(33):
        session = make_session(agent=agent)
        for _ in range(3):
            make_measured(run_now(session), 1_500)

    assert count_queries() == few
    assert few <= 14


def test_stored_hours_change_nothing_of_the_page(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    for hours in range(1, 21):
        make_measured(run_now(session, minutes_ago=hours * 60), 1_000.0 + hours, start_kind="created")
    now = timezone.now()  # both look at the same time, also where an hour begins between them
    period = {"from": f"{now - timedelta(days=1):%Y-%m-%dT%H:%M}", "to": f"{now:%Y-%m-%dT%H:%M}"}
    before = page(as_alice, **period)
    assert settle_figures(now) > 15

    after = page(as_alice, **period)
    assert tile(before, "Invocations").startswith("20 0 unfinished")
    assert re.sub(r"value=\S+", "", after) == re.sub(r"value=\S+", "", before)


@pytest.mark.parametrize(
    ("hours_ago", "opened"),
    [
        ([], "last 24 hours"),
        ([0.5], "last hour"),
        ([0.2], "last 15 minutes"),
        ([0.2, 0.9], "last hour"),
        ([0.5, 2], "last 24 hours"),
        ([0.5, 23, 30], "last 24 hours"),  # the usual range holds some: no longer one is needed
        ([30], "last 7 days"),
        ([40, 8 * 24], "last 7 days"),
        ([9 * 24], "last 30 days"),
        ([31 * 24], "last 24 hours"),
    ],
)
def test_operate_opens_where_the_runs_are(
    as_alice: Client, make_session: MakeSession, hours_ago: list[float], opened: str
) -> None:
    session = make_session()
    for hours in hours_ago:
        run_now(session, minutes_ago=hours * 60)

    assert f"Invocations made by Loom, {opened}" in page(as_alice)
    assert "Invocations made by Loom, last 30 days" in page(as_alice, range="30d")


def test_a_narrowed_page_opens_where_its_own_runs_are(as_alice: Client, make_session: MakeSession) -> None:
    quiet, busy = make_session(), make_session()
    run_now(busy)
    run_now(quiet, minutes_ago=5 * 24 * 60)

    assert "Invocations made by Loom, last 15 minutes" in page(as_alice)
    assert "Invocations made by Loom, last 7 days" in page(as_alice, agent=quiet.agent.pk)
    chosen = as_alice.get(reverse(OPERATE, query={"agent": quiet.agent.pk})).content.decode()
    assert 'type="hidden" name="range"' not in chosen  # another agent opens where its own are


def test_the_runs_of_measure_start_are_hidden_until_they_are_asked_for(
    as_alice: Client, make_session: MakeSession
) -> None:
    """In every figure, in the rows and in the count of failed ones, from rows and from stored hours alike."""
    agent = make_session().agent
    talked, measured = make_session(agent=agent), make_session(agent=agent, purpose="measure_start")
    run_now(talked, "Asked by a person", minutes_ago=200)
    for number in range(3):
        run_now(measured, "Hello", minutes_ago=210 + number, status="failed" if number else "completed")

    def read(**query: Any) -> tuple[str, str, bool, bool]:
        shown = page(as_alice, range="24h", **query)
        rate = tile(shown, "Error rate").split(" % ")[0]
        rows = shown.partition("Recent invocations")[2]
        return tile(shown, "Invocations").split()[0], rate, "Asked by a person" in rows, "Hello" in rows

    for _ in ("from rows", "from stored hours"):
        assert read() == ("1", "0", True, False)
        assert read(agent=agent.pk) == ("1", "0", True, False)
        assert read(measure_start="shown") == ("4", "50", True, True)
        assert read(measure_start="only") == read(measure_start="only", agent=agent.pk) == ("3", "66.7", False, True)
        assert read(measure_start="sideways") == read()
        settle_figures(timezone.now())
        assert FigurePeriod.objects.exists()
    shown = page(as_alice, range="24h")
    assert "3 invocations of Measure start are hidden here. Show all" in shown
    assert "are hidden here" not in page(as_alice, range="24h", measure_start="shown")
    assert "None of your invocations failed here." in page(as_alice, range="24h", show="failed")


def test_where_only_starts_were_measured_the_page_says_so(as_alice: Client, make_session: MakeSession) -> None:
    run_now(make_session(purpose="measure_start"))

    assert "1 invocation of Measure start is hidden here. Show all" in page(as_alice)
    assert tile(page(as_alice, measure_start="shown"), "Invocations").startswith("1 ")


def test_failed_rows_say_why_and_are_grouped(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    for region in (7, 8):
        run_now(session, f"Claim {region}", status="failed", error_code="LookupError",
                error_message=f"rate table of region {region} is not available\nmore")  # fmt: skip
    run_now(session, "Hello", status="failed", error_code="RuntimeClientError", error_message="<b>424</b>")

    shown = page(as_alice)
    assert "Claim 7 LookupError: rate table of region 7 is not available" in shown
    assert "×" not in shown
    shown = page(as_alice, show="failed")
    assert "2 × LookupError: rate table of region" in shown and "1 × RuntimeClientError: <b>424</b>" in shown
    of_one = page(as_alice, show="failed", error="RuntimeClientError")
    assert "Claim 7" not in of_one and "Hello RuntimeClientError" in of_one
    assert "Below are those with RuntimeClientError alone. Show all that failed" in of_one


def test_recent_invocations_are_paged(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    for number in range(45):
        run_now(session, f"Prompt {number:02}", minutes_ago=number)
    address, seen = reverse(OPERATE, query={"range": "1h"}), []
    for _ in range(3):
        shown = as_alice.get(address).content.decode()
        seen.append(re.findall(r"Prompt \d\d", shown))
        older = re.search(r'rel="next" href="([^"#]+)#recent"', shown)
        address = html.unescape(older[1]) if older else ""

    assert [len(part) for part in seen] == [20, 20, 5]
    assert [prompt for part in seen for prompt in part] == [f"Prompt {number:02}" for number in range(45)]
    assert address == ""
    assert "Newest" in page(as_alice, range="1h", before="1-1")
