"""Runs side by side: which, what they took, and what of them differs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.models import Measurement
from apps.overview.tests.test_runs import add_run
from apps.sessions.models import Invocation, Recording, Session

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]
MakeAgent = Callable[..., Agent]
COMPARE = "/compare/"


def tool(number: int, name: str, value: str) -> list[dict[str, Any]]:
    told = {"tool_use_id": f"t{number}", "offset_ms": float(number)}
    return [
        {"seq": 3 * number, "kind": "tool", "name": name, **told},
        {"seq": 3 * number + 1, "kind": "tool_input", "text": value, **told},
        {"seq": 3 * number + 2, "kind": "tool_result", "status": "success", "text": "ok", **told},
    ]


@pytest.fixture
def pair(client: Client, alice: User, make_agent: MakeAgent, make_session: MakeSession) -> list[Any]:
    """Two runs of alice, who is signed in, of two agents, with answers and tools."""
    client.force_login(alice)
    found = []
    for name, town, cost in (("concierge", "Ghent", Decimal("0.0012")), ("tutor", "Bruges", None)):
        session = make_session(agent=make_agent(name=name))
        run = add_run(
            session, "Which town?", response_text=f"Go to {town} by the first train.", cost_usd=cost, http_status=200,
            cost_source="priced" if cost else "unknown", input_token_count=1_200,
        )  # fmt: skip
        events = [*tool(1, "search", '{"b": 1, "a": 2}'), *tool(2, "book", json.dumps({"town": town}))]
        Recording.objects.create(invocation=run, events=events)
        Measurement.objects.create(invocation=run, state="measured", start_kind="created", log_group="g")
        found.append(run)
    return found


def address(runs: list[Any], **query: Any) -> str:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return f"{COMPARE}?runs={','.join(str(run.pk) for run in runs)}{more}"


def part(client: Client, path: str, name: str) -> str:
    """What the page fetches for one of its parts."""
    return client.get(path, headers={"HX-Request": "true", "HX-Target": name}).content.decode()


def cells(text: str, label: str) -> list[str]:
    found = re.findall(rf'<td data-label="{label}"[^>]*>(.*?)</td>', text, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in found]


def test_runs_stand_side_by_side_with_their_figures_and_differences(client: Client, pair: list[Any]) -> None:
    page = client.get(address(pair)).content.decode()

    assert [page.count(f'id="invocation-{run.pk}"') for run in pair] == [1, 1]
    assert cells(page, "TTFT") == ["100 ms", "100 ms"] and cells(page, "Total") == ["2.00 s", "2.00 s"]
    assert cells(page, "Cost") == ["$0.0012", "no known price"] and cells(page, "Tokens in") == ["1,200", "1,200"]
    assert page.count("cold: created") == 2
    assert re.search(r"<del>.*\[only in 1:.*Ghent .*</del><ins>.*\[only in 2:.*Bruges .*</ins>by the first", page)
    assert 'class="call-pair call-same"' in page and 'class="call-pair call-input"' in page
    assert 'hx-trigger="every 2s' not in page  # all is over, and nothing is looked for


def test_which_two_are_compared_can_be_chosen(client: Client, pair: list[Any]) -> None:
    runs = [*pair, add_run(pair[0].session, "Which town?", response_text="Go to Ypres by the first train.")]
    shown = part(client, address(runs, first=3, second=2), "differences")

    assert re.search(r"only in 3:.*Ypres.*only in 2:.*Bruges", shown)
    same = part(client, address(runs, first=2, second=2), "differences")  # never one with itself
    assert re.search(r"only in 2:.*Bruges.*only in 1:.*Ghent", same)
    assert "Ypres" not in part(client, address(runs, first=9, second="x"), "differences")


@pytest.mark.parametrize("runs", ["", "1", "1,1", "x,y", "1,2,3,4,5,6,7", "-1,2", "٣,2", "9" * 300, f"{10**30},2"])
def test_an_address_that_names_no_two_to_six_runs_says_so(client: Client, pair: list[Any], runs: str) -> None:
    page = client.get(COMPARE, {"runs": runs})

    assert (page.status_code, "2 to 6 different runs" in page.content.decode()) == (400, True)
    refused = client.get("/api/compare", {"runs": runs})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid")


def test_runs_of_somebody_else_are_not_there(client: Client, pair: list[Any], bob: User, carol: User) -> None:
    client.force_login(bob)
    assert client.get(address(pair)).status_code == 404
    assert client.get("/api/compare", {"runs": f"{pair[0].pk},{pair[1].pk}"}).status_code == 404
    client.post(f"{COMPARE}stop/", {"runs": f"{pair[0].pk},{pair[1].pk}"})
    client.force_login(carol)
    assert client.get(address(pair)).status_code == 200
    assert client.get(address([pair[0], Invocation(pk=99_999)])).status_code == 404


def test_one_that_is_answering_is_followed_and_not_compared_yet(client: Client, pair: list[Any]) -> None:
    running = add_run(pair[0].session, "Which town?", status="streaming", completed_at=None)
    page = client.get(address([pair[1], running])).content.decode()

    assert page.count("data-socket=") == 2 and page.count('class="turn-pair is-running"') == 1
    assert "2 has not finished" in page and "Stop all" in page
    assert page.count('hx-trigger="every 2s') == 2  # figures and differences
    client.post(f"{COMPARE}stop/", {"runs": f"{pair[1].pk},{running.pk}"})
    running.refresh_from_db()
    assert running.stop_requested_at is not None


def test_removed_answers_are_not_compared(client: Client, pair: list[Any]) -> None:
    Invocation.objects.filter(pk=pair[0].pk).update(content_removed_at=timezone.now(), response_text="")

    assert "was removed" in part(client, address(pair), "differences")


def test_what_strangers_wrote_stays_text(client: Client, pair: list[Any]) -> None:
    evil = "<script>alert(1)</script> \u202e"
    Invocation.objects.filter(pk=pair[0].pk).update(response_text=evil)
    Recording.objects.filter(invocation=pair[0]).update(events=tool(1, evil, evil))
    shown = part(client, address(pair), "differences")

    assert "<script" not in shown and "&lt;script&gt;" in shown and "\u202e" not in shown


def test_the_api_tells_the_same(client: Client, pair: list[Any]) -> None:
    told = client.get("/api/compare", {"runs": f"{pair[0].pk},{pair[1].pk}"}).json()

    assert [(run["run_id"], run["agent_name"], run["cost_usd"]) for run in told["runs"]] == [
        (pair[0].pk, "concierge", 0.0012), (pair[1].pk, "tutor", None),
    ]  # fmt: skip
    assert [piece["kind"] for piece in told["text"]["pieces"]] == ["same", "removed", "added", "same"]
    assert [found["verdict"] for found in told["tools"]["pairs"]] == ["same", "input"]
    again = client.get("/api/compare", {"runs": f"{pair[0].pk},{pair[1].pk}", "first": "2", "second": "2"})
    assert (again.status_code, again.json()["error"]) == (400, "invalid")


def test_checked_runs_lead_to_the_comparison_and_too_few_back(client: Client, pair: list[Any]) -> None:
    keys = [str(run.pk) for run in pair]
    led = client.post(f"{COMPARE}chosen/", {"row": [*keys, keys[0]]})
    assert led["Location"] == address(pair)

    back = client.post(f"{COMPARE}chosen/", {"row": keys[:1], "next": "/runs/?q=town"}, follow=True)
    assert back.redirect_chain == [("/runs/?q=town", 302)] and "2 to 6 runs to compare; 1" in back.content.decode()


def test_a_start_is_looked_for_a_while_and_then_left(client: Client, pair: list[Any]) -> None:
    Measurement.objects.filter(invocation=pair[0]).update(state="waiting")
    Invocation.objects.filter(pk=pair[0].pk).update(completed_at=timezone.now())
    assert "looked for" in part(client, address(pair), "figures")

    Invocation.objects.filter(pk=pair[0].pk).update(completed_at=timezone.now() - timedelta(hours=1))
    figures = part(client, address(pair), "figures")
    assert "looked for" not in figures and "hx-get" not in figures
