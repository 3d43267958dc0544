"""Several runs at once over JSON: tagged, deleted, and nothing done where one of them is not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.core.tags import TAGS_AT_MOST
from apps.metrics.tests.runs import make_run
from apps.overview.bulk_api import MOST
from apps.sessions.models import Invocation, Session
from apps.sessions.selectors import tags_by_invocation
from apps.sessions.services import tag_invocations

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def post(client: Client, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    answer = client.post(f"/api{path}", json.dumps(body), content_type="application/json")
    return answer.status_code, answer.json()


def test_runs_are_tagged_once_and_found_by_it_until_it_is_taken_away(
    as_alice: Client, make_session: Callable[..., Session]
) -> None:
    session = make_session()
    one, two = (make_run(session).pk for _ in range(2))
    tag_invocations(invocations=[Invocation.objects.get(pk=one)], name="Rain")
    assert post(as_alice, "/runs/tag", {"run_ids": [two, one, two], "tag": "rain"}) == (
        200, {"tag": "Rain", "run_ids": [two, one]}
    )  # fmt: skip
    found = as_alice.get("/api/runs?tag=Rain").json()["items"]
    assert [(run["id"], run["tags"]) for run in found] == [(two, ["Rain"]), (one, ["Rain"])]
    assert post(as_alice, "/runs/untag", {"run_ids": [one, two], "tag": "rain"}) == (200, {"count": 2})
    assert post(as_alice, "/runs/untag", {"run_ids": [one, two], "tag": "rain"}) == (200, {"count": 0})


def test_where_one_run_has_no_room_none_is_tagged(as_alice: Client, make_session: Callable[..., Session]) -> None:
    full, other = (make_run(make_session()) for _ in range(2))
    for number in range(TAGS_AT_MOST):
        tag_invocations(invocations=[full], name=f"tag {number}")
    status, answer = post(as_alice, "/runs/tag", {"run_ids": [other.pk, full.pk], "tag": "rain"})
    assert (status, answer["error"]) == (400, "invalid")
    assert as_alice.get("/api/runs?tag=rain").json()["items"] == []


def test_what_is_over_is_deleted_and_what_is_not_is_told(
    as_alice: Client, make_session: Callable[..., Session]
) -> None:
    over = make_run(make_session()).pk
    running = make_run(make_session(), status="streaming", completed_at=None).pk
    body = {"run_ids": [running, over]}
    assert post(as_alice, "/runs/delete", body) == (200, {"deleted": [over], "kept": [running]})
    status, answer = post(as_alice, "/runs/delete", body)
    assert (status, answer["message"]) == (404, f"No run {over}.")
    assert set(Invocation.objects.values_list("pk", flat=True)) == {running}


@pytest.mark.parametrize("path", ["/runs/tag", "/runs/untag", "/runs/delete"])
def test_a_run_of_somebody_else_is_not_there_and_nothing_is_done(
    as_alice: Client, bob: User, make_session: Callable[..., Session], path: str
) -> None:
    own, others = make_run(make_session()), make_run(make_session(owner=bob))
    body = {"run_ids": [own.pk, others.pk], **({} if path.endswith("delete") else {"tag": "rain"})}
    assert post(as_alice, path, body)[0] == 404
    assert Invocation.objects.count() == 2 and not any(tags_by_invocation([own.pk]).values())


@pytest.mark.parametrize(
    "body",
    [
        {}, {"run_ids": []}, {"run_ids": [0]}, {"run_ids": [2**63]}, {"run_ids": ["x"]}, {"run_ids": 1},
        {"run_ids": list(range(1, MOST + 2))}, {"run_ids": [1], "tag": ""}, {"run_ids": [1], "tag": "x" * 41},
        {"run_ids": [1], "tag": "a", "tags": ["b"]},
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(as_alice: Client, body: dict[str, Any]) -> None:
    assert post(as_alice, "/runs/tag", body)[0] in ({404} if body.get("tag") == "" else {400})
