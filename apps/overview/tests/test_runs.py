"""The list of all runs: what is found, by whom, in which order and in which pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.metrics.models import Measurement
from apps.overview.models import SavedView
from apps.overview.runs import finding
from apps.sessions import indexing
from apps.sessions.models import Invocation, Session
from apps.sessions.services import set_session_tags

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]
RUNS = "/runs/"
NOW = timezone.now().replace(microsecond=0)


def add_run(session: Session, prompt: str, *, minutes_ago: float = 1, ttft_ms: int | None = 100, **fields: Any) -> Any:
    at = NOW - timedelta(minutes=minutes_ago)
    given = {
        "status": "completed",
        "invoked_at": at,
        "first_token_at": None if ttft_ms is None else at + timedelta(milliseconds=ttft_ms),
        "completed_at": at + timedelta(seconds=2),
        "version": "1",
        **fields,
    }
    number = session.invocations.count() + 1
    return Invocation.objects.create(session=session, number=number, prompt=prompt, requested_at=at, **given)


def prompts(client: Client, **query: Any) -> list[str]:
    page = client.get(RUNS, query).content.decode()
    titles = re.findall(r'<b dir="auto" class="excerpt">(.*?)</b>', page)
    return [re.sub(r"</?mark>", "", title) for title in titles]


def further(client: Client, **query: Any) -> str:
    """The place at which the next page begins."""
    found = re.search(r'rel="next" href="[^"]*?after=([^"&]+)', client.get(RUNS, query).content.decode())
    return found[1] if found else ""


def all_pages(client: Client, **query: Any) -> list[str]:
    found, after = prompts(client, **query), further(client, **query)
    while after:
        found += prompts(client, after=after, **query)
        after = further(client, after=after, **query)
    return found


@pytest.fixture
def said(client: Client, make_agent: Any, make_session: MakeSession, alice: User, bob: User) -> dict[str, Any]:
    """Runs of two agents, of alice and of bob, and one of Measure start; alice is signed in."""
    concierge, tutor = make_agent(name="concierge"), make_agent(name="tutor", available_qualifiers=["DEFAULT", "prod"])
    trip = make_session(agent=concierge, title="Trip")
    lesson = make_session(agent=tutor, title="Lesson", qualifier="prod")
    set_session_tags(session=lesson, names=["school"])
    measured = make_session(agent=tutor, purpose="measure_start", title="")
    foreign = make_session(agent=concierge, owner=bob, title="Bob’s")
    runs = {
        "cold": add_run(trip, "By train to Ghent", minutes_ago=60, ttft_ms=3_000),
        "warm": add_run(trip, "And back", minutes_ago=50, ttft_ms=200, version="2", source="api"),
        "failed": add_run(
            lesson, "Explain", minutes_ago=40, ttft_ms=None, status="failed",
            error_code="RuntimeClientError", error_message="rate table of region 7 is not available\nmore",
        ),
        "answered": add_run(
            lesson, "Generators", minutes_ago=3_000, ttft_ms=50, response_text="They yield *coroutines* too"
        ),
        "measured": add_run(measured, "Measured", minutes_ago=20, source="measure"),
        "foreign": add_run(foreign, "Bob asks for Ghent", minutes_ago=10),
    }  # fmt: skip
    for name, kind in (("cold", "created"), ("warm", "reused")):
        Measurement.objects.create(invocation=runs[name], state="measured", start_kind=kind, log_group="g")
    while indexing.index_texts():
        pass
    client.force_login(alice)
    return {"runs": runs, "concierge": concierge, "tutor": tutor, "trip": trip, "lesson": lesson}


ALL = ["Explain", "And back", "By train to Ghent", "Generators"]


@pytest.mark.parametrize("few", [200, 0], ids=["few sessions", "many sessions"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ALL),
        ({"agent": "tutor"}, ["Explain", "Generators"]),
        ({"qualifier": "prod"}, ["Explain", "Generators"]),
        ({"version": "2"}, ["And back"]),
        ({"status": "failed"}, ["Explain"]),
        ({"status": "completed"}, ["And back", "By train to Ghent", "Generators"]),
        ({"status": "running"}, []),
        ({"error": "any"}, ["Explain"]),
        ({"error": "RuntimeClientError"}, ["Explain"]),
        ({"error": "NoSuchError"}, []),
        ({"start": "cold"}, ["By train to Ghent"]),
        ({"start": "warm"}, ["And back"]),
        ({"source": "api"}, ["And back"]),
        ({"source": "manual"}, ["Explain", "By train to Ghent", "Generators"]),
        ({"tag": "school"}, ["Explain", "Generators"]),
        ({"tag": "that nothing has any more"}, []),
        ({"range": "24h"}, ALL[:3]),
        ({"measure_start": "shown"}, ["Measured", *ALL]),
        ({"measure_start": "only"}, ["Measured"]),
        ({"owner": "bob"}, ALL),
        ({"agent": "x", "status": "x", "sort": "x", "after": "x", "range": "x"}, ALL),
        ({"sort": "ttft"}, ["Generators", "And back", "By train to Ghent", "Explain"]),
        ({"sort": "-ttft"}, ["By train to Ghent", "And back", "Generators", "Explain"]),
        ({"q": "COROUTINES"}, ["Generators"]),
        ({"q": "rate region"}, ["Explain"]),
        ({"q": "runtimeclient"}, ["Explain"]),
        ({"q": "trip"}, ["And back", "By train to Ghent"]),
        ({"q": "trip", "start": "cold"}, ["By train to Ghent"]),
        ({"q": "trip", "sort": "ttft"}, ["And back", "By train to Ghent"]),
        ({"q": "ghent"}, ["By train to Ghent"]),
        ({"q": "gh"}, ["By train to Ghent"]),
        ({"q": '"ghent" OR NEAR('}, []),
        ({"q": "%_*"}, []),
    ],
)
def test_each_filter_keeps_what_it_names_of_what_one_may_see(
    client: Client, said: dict[str, Any], query: dict[str, str], expected: list[str], few: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(finding, "FEW_SESSIONS", few)
    asked = dict(query)
    if asked.get("agent") == "tutor":
        asked["agent"] = str(said["tutor"].pk)

    assert prompts(client, **asked) == expected


@pytest.mark.parametrize("sort", ["", "ttft", "-ttft", "total", "-total", "tokens_in", "-tokens_out"])
@pytest.mark.parametrize("text", ["", "needle"])
@pytest.mark.parametrize("few", [200, 0], ids=["few sessions", "many sessions"])
def test_pages_follow_each_other_without_a_gap_whatever_the_order(
    client: Client, make_session: MakeSession, alice: User, sort: str, text: str, few: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Also where several have the same figure, or none."""
    monkeypatch.setattr(finding, "FEW_SESSIONS", few)
    monkeypatch.setattr(finding, "PAGE_SIZE", 3)
    session = make_session()
    for number in range(11):
        tokens = (None, 7, 0, 7)[number % 4]
        add_run(
            session, f"needle {number:02}", minutes_ago=number // 2, ttft_ms=(None, 70, 20, 70)[number % 4],
            input_token_count=tokens, output_token_count=tokens,
        )  # fmt: skip
    while indexing.index_texts():
        pass
    client.force_login(alice)

    found = all_pages(client, sort=sort, q=text)

    assert sorted(found) == [f"needle {number:02}" for number in range(11)]


def test_a_page_looks_so_far_back_and_says_so_and_the_next_goes_on(
    client: Client, said: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "FEW_SESSIONS", 0)
    monkeypatch.setattr(finding, "LOOKED_AT", 2)

    page = client.get(RUNS, {"version": "2"}).content.decode()

    assert "Older ones have not been looked at yet." in page and "Look further back" in page
    assert all_pages(client, version="2") == ["And back"]
    assert all_pages(client) == ALL


def test_what_was_searched_for_is_marked_where_it_stands(client: Client, said: dict[str, Any]) -> None:
    answer = client.get(RUNS, {"q": "Coroutines"}).content.decode()
    assert re.search(r"<small dir=\"auto\">answer: They yield \*<mark>coroutines</mark>\* too</small>", answer)
    assert "<mark>Ghent</mark>" in client.get(RUNS, {"q": "ghent"}).content.decode()
    failed = client.get(RUNS, {"status": "failed"}).content.decode()
    assert "RuntimeClientError: rate table of region 7 is not available" in failed and "more" not in prompts(client)


def test_what_an_agent_says_is_text_in_the_excerpt(client: Client, said: dict[str, Any]) -> None:
    Invocation.objects.filter(pk=said["runs"]["warm"].pk).update(response_text="<script>needle</script>")
    indexing.mark_sessions_due([said["trip"].pk])
    indexing.index_texts()

    page = client.get(RUNS, {"q": "needle"}).content.decode()

    assert "&lt;script&gt;<mark>needle</mark>&lt;/script&gt;" in page


def test_staff_sees_the_runs_of_all_and_whose_they_are(client: Client, said: dict[str, Any], carol: User) -> None:
    client.force_login(carol)

    assert prompts(client)[0] == "Bob asks for Ghent" and len(prompts(client)) == 5
    bob = str(User.objects.get(email__startswith="bob").pk)
    assert prompts(client, owner=bob) == ["Bob asks for Ghent"]
    assert "bob@" in client.get(RUNS).content.decode()


def test_runs_of_measure_start_are_hidden_and_the_page_says_so(client: Client, said: dict[str, Any]) -> None:
    page = client.get(RUNS).content.decode()

    assert "Runs of Measure start are hidden." in page
    assert "are hidden" not in client.get(RUNS, {"measure_start": "shown"}).content.decode()


def test_above_ten_thousand_runs_and_a_thousand_by_words_are_not_counted(
    client: Client, said: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert re.search(r"\b4\s+runs", client.get(RUNS).content.decode())
    monkeypatch.setattr(finding, "COUNTED_TO", 3)
    monkeypatch.setattr(finding, "FOUND_COUNTED_TO", 3)
    for query in ({}, {"q": "t"}, {"sort": "ttft"}):
        assert re.search(r"\b3\+\s+runs", client.get(RUNS, query).content.decode()), query


def test_a_list_without_runs_says_what_to_do_next(client: Client, alice: User) -> None:
    client.force_login(alice)
    page = client.get(RUNS).content.decode()

    assert "No runs yet" in page and "Pick an agent" in page
    assert "No run matches" in client.get(RUNS, {"q": "anything"}).content.decode()


def test_htmx_gets_the_table_alone(client: Client, said: dict[str, Any]) -> None:
    headers = {"HX-Request": "true", "HX-Target": "run-table"}
    fragment = client.get(RUNS, {"q": "ghent"}, headers=headers).content.decode()

    assert "<html" not in fragment and 'id="run-table"' in fragment and "By train" in fragment


def test_a_view_is_saved_found_again_replaced_and_removed(client: Client, said: dict[str, Any], bob: User) -> None:
    client.post("/runs/views/", {"name": " Failed  ones ", "query": "status=failed&after=k1&evil=1"})

    view = SavedView.objects.get()
    assert (view.name, view.query) == ("Failed ones", "status=failed")
    assert 'href="/runs/?status=failed"' in client.get(RUNS).content.decode()
    client.post("/runs/views/", {"name": "Failed ones", "query": "q=rate"})
    assert SavedView.objects.get().query == "q=rate"
    assert 'href="/runs/?q=rate"' in client.get(RUNS).content.decode()
    client.force_login(bob)
    assert "q=rate" not in client.get(RUNS).content.decode()
    assert client.post(f"/runs/views/{view.pk}/remove/").status_code == 404
    client.force_login(view.owner)
    assert client.post(f"/runs/views/{view.pk}/remove/").status_code == 302 and not SavedView.objects.exists()


def test_a_view_without_a_name_is_refused_in_words(client: Client, said: dict[str, Any]) -> None:
    for name in ("", "  ", "x" * 61):
        answer = client.post("/runs/views/", {"name": name, "query": ""}, follow=True).content.decode()
        assert "name" in answer and not SavedView.objects.exists()


def test_the_api_lists_runs_page_by_page(client: Client, said: dict[str, Any]) -> None:
    first = client.get("/api/runs", {"limit": 3}).json()

    assert [item["prompt"] for item in first["items"]] == ALL[:3]
    rest = client.get("/api/runs", {"limit": 3, "after": first["next"]}).json()
    assert [item["prompt"] for item in rest["items"]] == ALL[3:] and rest["next"] is None
    run, session = said["runs"]["cold"], said["trip"]
    assert first["items"][2] == {
        "id": run.pk,
        "agent_id": session.agent_id,
        "agent_name": "concierge",
        "session_id": session.runtime_session_id,
        "session_public_id": str(session.public_id),
        "number": 1,
        "status": "completed",
        "prompt": "By train to Ghent",
        "started_at": first["items"][2]["started_at"],
        "time_to_first_token_ms": 3_000.0,
        "total_latency_ms": 2_000.0,
        "input_tokens": None,
        "output_tokens": None,
        "cost_usd": None,
        "cost_source": None,
        "tags": [],
    }


def test_what_a_run_cost_is_told_as_it_is_known_and_never_as_nothing(client: Client, said: dict[str, Any]) -> None:
    known = {
        "cold": (Decimal("0.000142"), "estimate", None, "up to $0.000142"),
        "warm": (Decimal("0.001500"), "priced", "opus", "$0.0015"),
        "failed": (None, "unknown", "nova <b>", "no price for nova &lt;b&gt;"),
        "answered": (None, None, None, "–"),
    }
    for name, (usd, source, model, _words) in known.items():
        changed = {"cost_usd": usd, "cost_source": source, "model": model}
        Invocation.objects.filter(pk=said["runs"][name].pk).update(**changed)
    page = client.get(RUNS).content.decode()
    told = re.findall(r'<td data-label="Cost"[^>]*>(.*?)</td>', page)

    assert told == [known[name][3] for name in ("failed", "warm", "cold", "answered")]
    assert prompts(client, sort="-cost") == ["And back", "By train to Ghent", "Generators", "Explain"]
    assert prompts(client, sort="cost")[:2] == ["By train to Ghent", "And back"]
    items = {item["id"]: item for item in client.get("/api/runs").json()["items"]}
    for name, (usd, source, _model, _words) in known.items():
        item = items[said["runs"][name].pk]
        assert (item["cost_usd"], item["cost_source"]) == (None if usd is None else float(usd), source)


def test_runs_and_their_figures_lead_to_each_other(client: Client, said: dict[str, Any]) -> None:
    agent = said["tutor"].pk
    own = "2026-11-20T12:00/2026-11-20T13:00"
    for asked, figures in (
        ({}, ""),
        ({"agent": agent, "version": "2", "range": "7d"}, f"?agent={agent}&amp;version=2&amp;range=7d"),
        ({"version": "2", "error": "any"}, "?show=failed"),  # there a version is one of an agent
        ({"measure_start": "shown", "status": "failed"}, "?measure_start=shown&amp;show=failed"),
        ({"range": own}, "?range=custom&amp;from=2026-11-20T12%3A00&amp;to=2026-11-20T13%3A00"),
    ):
        Invocation.objects.update(requested_at=NOW, version="2", status="failed", error_code="Fall")
        if asked.get("range") == own:
            Invocation.objects.update(requested_at=datetime(2026, 11, 20, 12, 30, tzinfo=UTC))
        page = client.get(RUNS, asked).content.decode()
        assert f'<a class="link" href="/operate/{figures}">Figures in Operate</a>' in page, asked
    assert "2026-11-20 12:00 – 2026-11-20 13:00 UTC</option>" in page


@pytest.mark.parametrize("few", [200, 0])
def test_a_range_of_its_own_holds_what_was_asked_for_in_it(
    client: Client, make_session: MakeSession, alice: User, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are newer than it."""
    monkeypatch.setattr(finding, "FEW_SESSIONS", few)
    monkeypatch.setattr(finding, "LOOKED_AT", 2)
    session = make_session()
    for number in range(8):
        add_run(session, f"run {number}", minutes_ago=10 * number)
    client.force_login(alice)
    start, end = (NOW - timedelta(minutes=minutes) for minutes in (45, 25))

    assert prompts(client, range=f"{start:%Y-%m-%dT%H:%M:%S}/{end:%Y-%m-%dT%H:%M:%S}") == ["run 3", "run 4"]
    assert len(all_pages(client, range=f"{end:%Y-%m-%dT%H:%M:%S}/{start:%Y-%m-%dT%H:%M:%S}")) == 8  # senseless


def test_the_api_searches_and_filters(client: Client, said: dict[str, Any]) -> None:
    def found(**query: Any) -> list[str]:
        return [item["prompt"] for item in client.get("/api/runs", query).json()["items"]]

    assert found(q="coroutines") == ["Generators"] and found(q="coroutines", agent=said["concierge"].pk) == []
    assert found(status="failed") == ["Explain"] and found(q="trip", limit=1) == ["And back"]
    for bad in (
        {"status": "odd"},
        {"limit": 0},
        {"after": "x"},
        {"after": "v1e999_1"},
        {"agent": 2**63},
        {"q": "x" * 201},
    ):
        assert client.get("/api/runs", bad).status_code == 400, bad
