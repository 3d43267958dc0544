"""The list of agents: which are found, in which order, what a row shows, and what is done to one or several."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent, FavouriteAgent
from apps.agents.services import set_agent_tags
from apps.core.tags import TAGS_AT_MOST
from apps.metrics.tests.runs import make_measured, make_run
from apps.metrics.weeks.making import first_day, make_weeks
from apps.overview.agents.listing import AGENTS
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db

MakeAgent = Callable[..., Agent]
MakeSession = Callable[..., Session]
LIST = "/agents/"
FIGURES = ("runs", "errors", "ttft_cold", "ttft_warm", "startup", "cost")


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def names(client: Client, **query: str) -> list[str]:
    body = client.get(LIST, query).content.decode().replace("<wbr>", "")
    return re.findall(r'row-link" [^>]*title="([^"]*)"', body)


def found(client: Client, **query: Any) -> list[str]:
    return [agent["name"] for agent in client.get("/api/agents", query).json()]


def cells(client: Client, name: str, **query: str) -> dict[str, str]:
    """The text of each cell of an agent's row, without its drawings, by what it is called."""
    body = client.get(LIST, query).content.decode().replace("<wbr>", "")
    row = next(row for row in body.split("<tr>") if f'title="{name}"' in row)
    without = re.sub(r"<svg.*?</svg>", "", row, flags=re.DOTALL)
    parts = re.findall(r'<td data-label="([^"]*)"[^>]*>(.*?)</td>', without, flags=re.DOTALL)
    return {label: " ".join(html.unescape(re.sub(r"<[^>]*>", " ", cell)).split()) for label, cell in parts}


def drawings(client: Client, name: str) -> list[str]:
    row = next(row for row in client.get(LIST).content.decode().split("<tr>") if f'title="{name}"' in row)
    return [html.unescape(title) for title in re.findall(r"<svg[^>]*role=\"img\"><title>(.*?)</title>", row)]


def run_today(session: Session, ttft_s: float, kind: str, **overrides: Any) -> None:
    """A run of the first moment of today."""
    at = first_day(timezone.now()) + timedelta(days=6)
    token_at, ended_at = (at + timedelta(seconds=seconds) for seconds in (ttft_s, ttft_s + 1))
    times = {"requested_at": at, "invoked_at": at, "headers_at": at, "completed_at": ended_at}
    run = make_run(session, **{**times, "first_chunk_at": token_at, "first_token_at": token_at, **overrides})
    make_measured(run, ttft_s * 500, start_kind=kind)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("name", "Ada bea cid"),
        ("-name", "cid bea Ada"),
        ("status", "cid Ada bea"),
        ("-status", "bea Ada cid"),
        ("place", "bea cid Ada"),
        ("-place", "Ada bea cid"),
        ("active", "bea Ada cid"),
        ("-active", "Ada bea cid"),
        ("registered", "cid bea Ada"),
        ("-registered", "Ada bea cid"),
    ],
)
def test_each_order_is_by_its_own_column_without_regard_to_case_and_with_nothing_last(
    make_agent: MakeAgent, sort: str, order: str
) -> None:
    now = timezone.now()

    def days_ago(count: int) -> Any:
        return now - timedelta(days=count)

    place = {"region": "us-east-1", "account_id": "111122223333"}
    make_agent(name="cid", status="CREATING", registered_at=days_ago(9), last_invoked_at=None)
    make_agent(name="Ada", status="READY", region="us-west-2", registered_at=days_ago(1), last_invoked_at=days_ago(1))
    make_agent(name="bea", status="UPDATING", **place, registered_at=days_ago(5), last_invoked_at=days_ago(3))

    assert [agent.name for agent in AGENTS.find(Agent.objects.all(), AGENTS.wanted(sort=sort))] == order.split()


def test_the_archive_is_ordered_by_when_something_came_into_it(make_agent: MakeAgent) -> None:
    now = timezone.now()
    for name, days in (("bea", 3), ("ada", 2), ("cid", 1)):
        make_agent(name=name, removed_at=now - timedelta(days=days))
    make_agent(name="dan")

    def archived(sort: str) -> list[str]:
        return [agent.name for agent in AGENTS.find(Agent.objects.all(), AGENTS.wanted(state="archived", sort=sort))]

    assert (archived("archived"), archived("-archived")) == (["bea", "ada", "cid"], ["cid", "ada", "bea"])
    assert {sort.removeprefix("-") for sort in AGENTS.columns.orders} == {
        "name", "status", "place", "active", "registered", "archived", *FIGURES
    }  # fmt: skip


@pytest.fixture
def busy(make_session: MakeSession, make_agent: MakeAgent) -> dict[str, Session]:
    """Two agents with runs, and one without."""
    fast, slow = make_session(agent=make_agent(name="fast")), make_session(agent=make_agent(name="slow"))
    make_agent(name="idle")
    for number in range(6):
        run_today(fast, 0.4 + number / 10, "created", cost_usd=Decimal("0.001"), cost_source="reported")
        run_today(slow, 2 + number, "created", status="failed" if number < 2 else "completed", cost_usd=None)
    run_today(slow, 0.3, "reused", cost_usd=Decimal("0.5"), cost_source="estimate")
    run_today(slow, 0.5, "reused", cost_usd=Decimal("0.5"), cost_source="estimate")
    make_weeks(timezone.now())
    return {"fast": fast, "slow": slow}


def test_a_row_shows_its_week_with_n_and_a_drawing_that_says_each_day(
    as_alice: Client, busy: dict[str, Session]
) -> None:
    row = cells(as_alice, "slow")
    assert (row["Runs"], row["Error rate"]) == ("8", "25 % 2 / 8")
    assert (row["TTFT cold"], row["TTFT warm"]) == ("4.00 s n = 6", "300 – 500 ms n = 2")
    assert (row["Startup"], row["Cost"]) == ("2.00 s n = 6", "$1.00 2 estimated, 6 unknown")
    assert cells(as_alice, "idle").keys() == {"Last used", "Runs"}
    errors, cold, warm = drawings(as_alice, "slow")
    assert errors.count("no run") == 6 and errors.endswith("2 of 8 failed")
    assert cold.endswith("4.00 s (2.00 – 7.00 s), n = 6") and warm.endswith("300 – 500 ms, n = 2")
    assert drawings(as_alice, "idle") == []


def test_every_figure_orders_the_list_and_agents_without_it_come_last(
    as_alice: Client, busy: dict[str, Session]
) -> None:
    for figure in FIGURES:
        up, down = ["fast", "slow", "idle"], ["slow", "fast", "idle"]
        if figure == "ttft_warm":
            up = down = ["fast", "idle", "slow"]  # two runs are too few for a median
        assert (figure, names(as_alice, sort=figure), names(as_alice, sort=f"-{figure}")) == (figure, up, down)
        assert found(as_alice, sort=f"-{figure}") == down
    Agent.objects.filter(name="idle").update(last_invoked_at=timezone.now() + timedelta(minutes=1))
    Agent.objects.filter(name="slow").update(last_invoked_at=timezone.now())
    Agent.objects.filter(name="fast").update(last_invoked_at=None)
    assert names(as_alice) == ["idle", "slow", "fast"]  # the last used first
    assert found(as_alice) == ["fast", "idle", "slow"]  # as it was before there were orders
    page = as_alice.get(LIST, {"sort": "-errors"}).content.decode()
    assert 'aria-sort="descending"><a class="sort" href="?sort=errors">Error rate' in page


def test_filters_keep_what_was_chosen_on_the_page_as_over_json(
    as_alice: Client, make_agent: MakeAgent, alice: User, bob: User
) -> None:
    one = make_agent(name="one", owner=alice, region="eu-west-1", version="2")
    make_agent(name="two", owner=bob, status="CREATE_FAILED", version="10", account_id="111122223333")
    make_agent(name="own", kind="local", origin="loom", owner=None)
    gone = make_agent(name="gone", removed_at=timezone.now())
    set_agent_tags(agent=one, names=["School"])
    FavouriteAgent.objects.create(owner=alice, agent=one)
    FavouriteAgent.objects.create(owner=bob, agent=gone)

    for query, wanted in (
        ({"kind": "local"}, ["own"]),
        ({"status": "CREATE_FAILED"}, ["two"]),
        ({"tag": "School"}, ["one"]),
        ({"owner": str(bob.pk)}, ["two"]),
        ({"region": "eu-west-1"}, ["one"]),
        ({"account": "111122223333"}, ["two"]),
        ({"version": "10"}, ["two"]),
        ({"state": "archived"}, ["gone"]),
        ({"q": "tw"}, ["two"]),
        ({"region": "us-east-1", "version": "10"}, ["two"]),
        ({"tag": "School", "kind": "local"}, []),
    ):
        assert (query, names(as_alice, **query), found(as_alice, **query)) == (query, wanted, wanted)
    assert names(as_alice, favourite="yes") == found(as_alice, favourite="true") == ["one"]
    assert names(as_alice, owner="none") == found(as_alice, owner=0) == ["own"]
    assert names(as_alice, owner="nobody") == names(as_alice)  # what cannot be meant is left out
    assert found(as_alice, limit=1, offset=1) == ["own"]
    assert as_alice.get("/api/agents", {"sort": "colour"}).status_code == 400
    page = as_alice.get(LIST).content.decode()
    assert page.index(">Version 2<") < page.index(">Version 3<") < page.index(">Version 10<")
    empty = as_alice.get(LIST, {"tag": "School", "kind": "local"}).content.decode()
    assert "No agent matches" in empty and "Show all agents" in empty


def test_a_star_is_ones_own_and_is_given_and_taken_with_and_without_scripts(
    as_alice: Client, make_agent: MakeAgent, alice: User, bob: User
) -> None:
    agent = make_agent(name="one")
    star = f"/agents/{agent.pk}/star/"

    answer = as_alice.post(star, {"starred": "yes", "next": "/agents/?sort=name"})
    assert answer["Location"] == "/agents/?sort=name" and [row.owner for row in FavouriteAgent.objects.all()] == [alice]
    part = as_alice.post(star, {"starred": "yes"}, headers={"HX-Request": "true"}).content.decode()
    assert 'aria-pressed="true"' in part and FavouriteAgent.objects.count() == 1
    assert found(as_alice, favourite="true") == ["one"]
    as_alice.post(star, {"starred": ""})
    assert not FavouriteAgent.objects.exists()
    put, delete = (
        getattr(as_alice, method)(f"/api/agents/{agent.pk}/star").status_code for method in ("put", "delete")
    )
    assert (put, delete) == (204, 204) and not FavouriteAgent.objects.exists()
    assert as_alice.put("/api/agents/999999/star").status_code == 404


def test_a_row_unfolds_to_the_last_runs_that_the_reader_may_see(
    as_alice: Client, make_session: MakeSession, bob: User
) -> None:
    mine = make_session()
    theirs = make_session(agent=mine.agent, owner=bob)
    now = timezone.now()
    for number in range(6):
        make_run(mine, prompt=f"Mine {number}", requested_at=now - timedelta(minutes=9 - number))
    make_run(theirs, prompt="Secret", requested_at=now, status="failed", error_message="Boom")

    part = as_alice.get(f"/agents/{mine.agent_id}/recent/").content.decode()
    assert re.findall(r"Mine \d", part) == [f"Mine {number}" for number in (5, 4, 3, 2, 1)]
    assert "Secret" not in part and f"/agents/{mine.agent_id}/runs/" in part
    assert "No run of yours is kept" in as_alice.get(f"/agents/{make_session().agent_id}/recent/").content.decode()


def together(client: Client, action: str, *agents: Agent | int, tag: str = "") -> Any:
    keys = [agent.pk if isinstance(agent, Agent) else agent for agent in agents]
    body = {"action": action, "agent_ids": keys, "tag": tag}
    return client.post("/api/agents/together", body, content_type="application/json")


def test_several_agents_are_tagged_and_archived_over_json_with_a_report_of_each(
    as_alice: Client, make_agent: MakeAgent
) -> None:
    one, two = make_agent(name="one"), make_agent(name="two")
    set_agent_tags(agent=two, names=[f"tag {number}" for number in range(TAGS_AT_MOST)])

    report = together(as_alice, "tag", one, two, tag=" School ").json()["items"]
    assert [(item["name"], item["is_done"], item["note"]) for item in report] == [
        ("one", True, "tagged School"), ("two", False, ""),
    ]  # fmt: skip
    assert "20 tags already" in report[1]["error"]
    assert found(as_alice, tag="school") == ["one"]
    taken = together(as_alice, "untag", one, two, tag="SCHOOL").json()["items"]
    assert [item["note"] for item in taken] == ["SCHOOL is taken away", "had no tag SCHOOL"]

    for tag in ("", "  ", "a\0b", "x" * 41):
        assert together(as_alice, "tag", one, tag=tag).status_code == 400
    assert together(as_alice, "archive", one, 999_999).status_code == 404 and len(found(as_alice)) == 2
    assert together(as_alice, "archive", one).json()["items"][0]["note"] == "archived, its history stays"
    assert found(as_alice) == ["two"] and together(as_alice, "refresh", one).status_code == 404


def test_the_file_and_the_api_have_the_figures_too(as_alice: Client, busy: dict[str, Session]) -> None:
    answer = as_alice.get("/agents/csv/", {"sort": "-errors"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert [(row["name"], row["runs_7d"], row["error_rate_7d"]) for row in rows] == [
        ("slow", "8", "0.25"), ("fast", "6", "0.0"), ("idle", "", ""),
    ]  # fmt: skip
    fast, idle, slow = as_alice.get("/api/agents").json()
    assert idle["week"] is None and (fast["kind"], fast["tags"], fast["is_favourite"]) == ("agentcore", [], False)
    week = slow["week"]
    assert (week["runs"], week["error_rate"], week["cost_usd"], week["unknown_costs"]) == (8, 0.25, 1.0, 6)
    assert week["ttft_warm"] == {"n": 2, "min": 300, "max": 500, "p50": None, "p50_low": None, "p50_high": None}
    assert (len(week["days"]), week["days"][6]["failed"], week["ttft_cold"]["p50"]) == (7, 2, 4000)
