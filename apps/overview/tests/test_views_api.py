"""Ratings and saved views over JSON: kept, replaced, refused in words, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.metrics.tests.runs import make_run
from apps.overview.models import Rating, SavedView
from apps.overview.services import VIEWS_AT_MOST
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def call(client: Client, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = "" if body is None else json.dumps(body)
    answer = client.generic(method, f"/api{path}", data, content_type="application/json")
    return answer.status_code, answer.json() if answer.content else None


def test_a_rating_is_replaced_as_a_whole_and_found_in_the_list(
    as_alice: Client, make_session: Callable[..., Session]
) -> None:
    path = f"/runs/{make_run(make_session()).pk}/rating"
    assert call(as_alice, "PUT", path, {"thumb": "up", "note": " 東京 is right. "})[1]["note"] == "東京 is right."
    assert as_alice.get("/runs/?rated=up").context["page"].count == 1
    status, kept = call(as_alice, "PUT", path, {"thumb": "down"})
    assert (status, kept["thumb"], kept["note"]) == (200, "down", "")
    assert call(as_alice, "GET", path)[1] == kept
    assert call(as_alice, "PUT", path, {})[1]["rated_at"] is None
    assert not Rating.objects.exists()


@pytest.mark.parametrize(
    "body",
    [{"thumb": "sideways"}, {"note": "x" * 2_001}, {"note": "\0"}, {"note": None}, {"thumbs": "up"}, [], "up", 1, None],
)
def test_a_rating_that_cannot_be_kept_is_refused_and_the_one_before_stays(
    as_alice: Client, make_session: Callable[..., Session], body: Any
) -> None:
    path = f"/runs/{make_run(make_session()).pk}/rating"
    before = call(as_alice, "PUT", path, {"thumb": "up", "note": "Yes."})[1]
    answer = as_alice.generic("PUT", f"/api{path}", json.dumps(body), content_type="application/json")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid")
    assert call(as_alice, "GET", path)[1] == before


def test_others_neither_rate_a_run_they_do_not_see_nor_read_what_somebody_thinks(
    client: Client, make_session: Callable[..., Session], alice: User, bob: User, carol: User
) -> None:
    path = f"/runs/{make_run(make_session()).pk}/rating"
    client.force_login(alice)
    call(client, "PUT", path, {"note": "Mine."})
    client.force_login(bob)
    assert {call(client, method, path, {})[0] for method in ("GET", "PUT", "DELETE")} == {404}
    client.force_login(carol)  # of the staff: sees the run, and has a rating of her own
    assert call(client, "GET", path)[1]["note"] == ""
    assert call(client, "DELETE", path)[0] == 204
    client.force_login(alice)
    assert call(client, "GET", path)[1]["note"] == "Mine."


def test_a_view_is_saved_replaced_and_removed(as_alice: Client, alice: User, bob: User) -> None:
    made = call(as_alice, "POST", "/views", {"name": " Failed  here ", "query": "?q=東京&status=failed&after=t1-2"})
    assert (made[0], made[1]["name"]) == (201, "Failed here")
    assert as_alice.get(made[1]["url"]).context["page"].count == 0
    again = call(as_alice, "POST", "/views", {"name": "Failed here"})[1]
    assert (again["id"], again["query"], again["url"]) == (made[1]["id"], "", "/runs/")
    assert call(as_alice, "GET", "/views") == (200, [again])
    as_alice.force_login(bob)
    assert call(as_alice, "GET", "/views") == (200, [])
    assert call(as_alice, "DELETE", f"/views/{again['id']}")[0] == 404
    as_alice.force_login(alice)
    assert [call(as_alice, "DELETE", f"/views/{again['id']}")[0] for _ in range(2)] == [204, 404]


@pytest.mark.parametrize(
    "body",
    [
        {"name": " "}, {"name": "x" * 61}, {}, {"name": "All", "query": "colour=red"}, {"name": "All", "quary": ""},
        {"name": "All", "query": "q=" + "x" * 2_000}, [],
    ],
)  # fmt: skip
def test_a_view_that_cannot_be_saved_is_refused_in_words(as_alice: Client, body: Any) -> None:
    status, answer = call(as_alice, "POST", "/views", body)
    assert (status, answer["error"], bool(answer["message"])) == (400, "invalid", True)
    assert not SavedView.objects.exists()


def test_there_are_so_many_views_and_no_more(as_alice: Client) -> None:
    for number in range(VIEWS_AT_MOST):
        assert call(as_alice, "POST", "/views", {"name": str(number)})[0] == 201
    status, answer = call(as_alice, "POST", "/views", {"name": "one more"})
    assert (status, answer["details"]["advice"]) == (400, "Remove one that you do not need.")
    assert call(as_alice, "POST", "/views", {"name": "0", "query": "q=x"})[0] == 201


@pytest.mark.parametrize("body", ['{"isFresh": true}', "[]", '"{\\"is_fresh\\": true}"', "5"])
def test_a_prompt_is_not_repeated_by_a_body_that_was_meant_otherwise(
    as_alice: Client, make_session: Callable[..., Session], body: str
) -> None:
    run = make_run(make_session())
    answer = as_alice.generic("POST", f"/api/runs/{run.pk}/repeat", body, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid")
    assert Invocation.objects.count() == 1
