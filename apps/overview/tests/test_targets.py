"""Targets compared over their past runs: what is told of each, when a difference is told, and what is refused."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.figures.store_periods import settle_figures
from apps.metrics.tests.runs import NOON, make_measured, make_run
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]
MakeAgent = Callable[..., Agent]
PAGE, API = "/compare/targets/", "/api/compare"
DAY = {"from": "2026-11-20T00:00", "to": "2026-11-21T00:00"}


def fill(
    session: Session, version: str, ttfts_s: list[float], start: str = "reused", **fields: Any
) -> list[Invocation]:
    """Completed runs of a version with these times to the first token, one a minute."""
    found = []
    for number, ttft_s in enumerate(ttfts_s):
        run = make_run(session, 60.0 * number, first_byte_s=ttft_s, ended_s=ttft_s + 1, version=version, **fields)
        make_measured(run, 200.0, start_kind=start)
        found.append(run)
    return found


@pytest.fixture
def session(client: Client, alice: User, make_agent: MakeAgent, make_session: MakeSession) -> Session:
    """Of an agent with thirty warm runs in version 3 and as many in 4, half a second slower."""
    client.force_login(alice)
    session = make_session(agent=make_agent(name="concierge"))
    fill(session, "3", [1.0 + 0.01 * n for n in range(30)], input_token_count=1_000)
    fill(session, "4", [1.5 + 0.01 * n for n in range(30)], input_token_count=2_000, cost_usd=Decimal("0.0015"),
         cost_source="priced")  # fmt: skip
    return session


def named(session: Session, *versions: str) -> list[str]:
    return [f"{session.agent.pk}:{session.qualifier}:{version}" for version in versions]


def asked(client: Client, targets: list[str], **query: Any) -> Any:
    return client.get(API, {"target": targets, **DAY, **query})


def page_of(client: Client, targets: list[str], **query: Any) -> str:
    answer = client.get(PAGE, {"target": targets, **DAY, **query})
    assert answer.status_code == 200
    return answer.content.decode()


def row_of(page: str, label: str, section: str) -> list[str]:
    """The cells of a line of the table, without their elements."""
    part = page[page.index(f">{section}<") :]
    row = re.search(rf'<th scope="row"[^>]*>{label}</th>(.*?)</tr>', part, re.DOTALL)
    assert row is not None
    cells = re.findall(r"<td>(.*?)</td>", row[1], re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in cells]


def test_two_versions_are_told_apart_with_an_interval_and_an_effect(client: Client, session: Session) -> None:
    found = asked(client, named(session, "3", "4")).json()
    first, second = found["targets"]

    assert (found["metric"], found["start"], found["needs"]) == ("ttft", "warm", {"p50": 6, "p90": 36, "p95": 72})
    assert [(one["n"], one["version"], one["run_count"]) for one in (first, second)] == [(30, "3", 30), (30, "4", 30)]
    assert (first["p50"]["value"], second["p50"]["value"]) == (1140.0, 1640.0)
    apart = second["difference"]
    assert apart["value"] == 500 and 350 < apart["low"] < 500 < apart["high"] < 650 and apart["is_certain"]
    assert second["effect"] == {"longer": 1.0, "cliffs_delta": 1.0, "size": "large"}
    assert (first["difference"], first["warm"]["obstacle"], first["cold"]["n"]) == (None, "first", 0)
    assert second["warm"]["p90"] is None  # needs 36
    assert first["error_rate"]["n"] == 30 and second["error_rate"]["difference"]["is_certain"] is False

    page = page_of(client, named(session, "3", "4"))
    assert row_of(page, "p50", "Warm starts")[1].startswith("1.64 s 1.59 s – 1.70 s +500 ms +422 ms … +578 ms")
    assert row_of(page, "In pairs", "Warm starts") == ["–", "longer in 100 of 100: large δ = +1.00"]
    assert row_of(page, "p90", "Warm starts") == ["needs 36", "needs 36"]
    assert row_of(page, "p50", "Cold starts") == ["–", "–"]
    assert page.count('class="target-curve target-2"') == 3  # the line, and two legends


def test_what_cannot_be_told_is_not_told(client: Client, session: Session) -> None:
    fill(session, "5", [1.0 + 0.01 * n for n in range(1, 31)])
    fill(session, "6", [3.0] * 5)
    cells = row_of(page_of(client, named(session, "3", "5", "6")), "p50", "Warm starts")

    assert re.search(r"cannot be told −\d+ ms … \+\d+ ms$", cells[1])
    assert cells[2] == "3.00 s needs 6 of both"
    found = asked(client, named(session, "3", "5", "6")).json()["targets"]
    assert found[1]["difference"]["is_certain"] is False and found[1]["effect"]["size"] == "negligible"
    assert (found[2]["p50"], found[2]["difference"], found[2]["warm"]["obstacle"]) == (None, None, "few")


def test_cold_and_warm_are_never_mixed(client: Client, session: Session) -> None:
    fill(session, "4", [6.0] * 10, start="created")
    second = asked(client, named(session, "3", "4"), start="warm").json()["targets"][1]

    assert (second["warm"]["n"], second["cold"]["n"], second["cold"]["p50"]["value"]) == (30, 10, 6000.0)
    assert second["cold"]["difference"] is None and second["p50"]["value"] == 1640.0


def test_starts_told_by_different_lines_are_not_compared(
    client: Client, session: Session, make_session: MakeSession
) -> None:
    for version, rank in (("7", 1), ("8", 2)):
        for number in range(8):
            run = make_run(make_session(agent=session.agent), 60.0 * number, version=version)
            make_measured(run, 700.0, start_kind="created", marker_rank=rank)
    second = asked(client, named(session, "7", "8"), metric="startup", start="cold").json()["targets"][1]

    assert (second["n"], second["difference"], second["cold"]["obstacle"]) == (8, None, "source")
    page = page_of(client, named(session, "7", "8"), metric="startup")
    assert "told by another line than the first" in row_of(page, "p50", "Cold starts")[1]


def test_error_rates_differ_with_an_interval(client: Client, session: Session) -> None:
    for number in range(20):
        make_run(session, 60.0 * number, version="4", status="failed", error_code="LookupError", first_token_at=None)
    second = asked(client, named(session, "3", "4")).json()["targets"][1]

    rate = second["error_rate"]
    assert (rate["count"], rate["n"], rate["value"], rate["difference"]["is_certain"]) == (20, 50, 0.4, True)
    assert re.match(r"40 % .* \+40\.0 points \+\d+\.\d points … ", row_of(page_of(client, named(session, "3", "4")), "Error rate", "All runs")[1])  # fmt: skip # noqa: E501


def test_tokens_and_cost_are_those_of_the_newest_runs_and_nothing_unknown_is_a_zero(
    client: Client, session: Session
) -> None:
    first, second = (one["usage"] for one in asked(client, named(session, "3", "4")).json()["targets"])

    assert (first["tokens_in"]["p50"]["value"], second["tokens_in"]["difference"]["value"]) == (1000, 1000)
    assert (first["cost"]["n"], first["cost"]["p50"], second["cost"]["p50"]["value"]) == (0, None, 0.0015)
    page = page_of(client, named(session, "3", "4"))
    assert row_of(page, "Cost", "The newest 300 completed runs")[0] == "–"
    assert "$0.0015" in row_of(page, "Cost", "The newest 300 completed runs")[1]


def test_a_target_may_have_a_period_of_its_own(client: Client, session: Session) -> None:
    earlier, later = (f"{named(session, '')[0]}@2026-11-20T{hours}" for hours in ("12:00/2026-11-20T12:10", "12:10/2026-11-20T12:30"))  # fmt: skip # noqa: E501
    found = asked(client, [earlier, later]).json()["targets"]

    assert [one["n"] for one in found] == [20, 40]
    assert [one["target"] for one in found] == [earlier, later]
    assert page_of(client, [earlier, later]).count("2026-11-20 12:10 – 2026-11-20 12:30 UTC") == 2


def test_the_same_is_told_of_stored_hours(client: Client, session: Session, make_session: MakeSession) -> None:
    other = make_session(agent=session.agent, purpose=Session.Purpose.PROMPT_SET)
    fill(other, "4", [9.0] * 10)  # what a prompt set sent is not what somebody asked
    before = asked(client, named(session, "3", "4", "*")).json()
    assert settle_figures(NOON + timedelta(hours=30)) > 0

    assert asked(client, named(session, "3", "4", "*")).json() == before
    assert [one["n"] for one in before["targets"]] == [30, 30, 60]


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (["{}:DEFAULT:3"], "2 to 6 different targets"),
        (["{}:DEFAULT:3", "{}:DEFAULT:3"], "2 to 6 different targets"),
        ([f"{{}}:DEFAULT:{n}" for n in range(7)], "2 to 6 different targets"),
        (["{}:DEFAULT:3", ":DEFAULT:3"], "names no target"),
        (["{}:DEFAULT:3", "1" * 301], "names no target"),
        (["{}:DEFAULT:3", "{}:DEFAULT:4@yesterday"], "period of a target was not understood"),
    ],
)
def test_targets_that_cannot_be_compared_are_refused(
    client: Client, session: Session, targets: list[str], said: str
) -> None:
    texts = [text.format(session.agent.pk) for text in targets]
    refused = asked(client, texts)

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid") and said in refused.json()["message"]
    if "2 to 6" not in said:
        page = client.get(PAGE, {"target": texts})
        assert page.status_code == 400 and said in page.content.decode()
    assert client.get(f"{PAGE}csv/", {"target": texts}).status_code == 302


def test_what_is_missing_or_asked_for_senselessly_is_refused(
    client: Client, session: Session, make_agent: MakeAgent
) -> None:
    assert asked(client, [*named(session, "3"), "99999:DEFAULT:3"]).status_code == 404
    assert client.get(PAGE, {"target": "nothere::"}).status_code == 404
    assert asked(client, named(session, "3", "4"), metric="mood").status_code == 400
    assert asked(client, named(session, "3", "4"), runs="1,2").status_code == 400
    assert client.get(API, {"target": named(session, "3", "4"), "from": "soon"}).status_code == 400
    make_agent(name="concierge")
    assert "several agents" in asked(client, ["concierge::3", "concierge::4"]).json()["message"]


def test_an_agent_may_be_named_and_one_of_the_other_aws_is_not_there(
    client: Client, session: Session, settings: Any
) -> None:
    assert [one["agent_id"] for one in asked(client, ["concierge:*:3", "concierge"]).json()["targets"]] == [
        session.agent.pk
    ] * 2
    settings.LOOM_AWS = "aws"
    assert asked(client, named(session, "3", "4")).status_code == 404


def test_targets_are_found_by_words_added_and_taken_away(client: Client, session: Session) -> None:
    page = page_of(client, named(session, "3"), q="CONC 4")
    assert re.findall(r'target-options"[^>]*>.*?</ul>', page, re.DOTALL)[0].count("<li>") == 1
    added = re.search(r'<li><a href="(/compare/targets/\?[^"]*)"', page)
    assert added is not None
    both = client.get(added[1].replace("&amp;", "&")).content.decode()
    assert both.count('<li><span class="beside-number') == 2 and "Take away 2" in both
    assert "has all of these words" in page_of(client, [], q="nobody")


def test_a_changed_version_is_one_click_from_before_and_after(client: Client, session: Session) -> None:
    page = page_of(client, [])
    change = re.search(r'<a href="([^"]*)">[^<]*<svg.*?</svg><b>concierge</b>.*?from 3 to 4', page, re.DOTALL)
    assert "Version changed" in page and change is not None

    led = client.get(re.findall(r'href="(/compare/targets/[^"]*)"', change[0])[-1].replace("&amp;", "&"))
    assert row_of(led.content.decode(), "n", "Warm starts") == ["30", "30"]


def test_the_file_has_a_line_for_each_target_cold_and_warm(client: Client, session: Session) -> None:
    answer = client.get(f"{PAGE}csv/", {"target": named(session, "3", "4"), **DAY})
    lines = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))

    assert [(line["version"], line["start"], line["n"]) for line in lines] == [
        ("3", "cold", "0"), ("3", "warm", "30"), ("4", "cold", "0"), ("4", "warm", "30"),
    ]  # fmt: skip
    assert (lines[3]["p50"], lines[3]["p50_difference"], lines[3]["cliffs_delta"]) == ("1640.0", "500.0", "1.0")


def test_nobody_sees_what_strangers_wrote_as_markup(client: Client, session: Session) -> None:
    evil = "<b>4"
    fill(session, evil, [1.0] * 6)
    page = page_of(client, named(session, "3", evil))

    assert "<b>4" not in page and "&lt;b&gt;4" in page


def test_where_nothing_ran_it_says_so(client: Client, session: Session) -> None:
    page = client.get(PAGE, {"target": named(session, "3", "4"), "from": "2026-01-01T00:00", "to": "2026-01-02T00:00"})
    assert "None of them has runs in this range" in page.content.decode()
