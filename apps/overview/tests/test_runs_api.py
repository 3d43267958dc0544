"""The list of runs over JSON: it finds what the page finds, by the same names."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.metrics.models import Measurement
from apps.overview.models import Rating
from apps.overview.runs import asked as asking
from apps.overview.tests.test_runs import add_run
from apps.sessions import indexing
from apps.sessions.models import Session
from apps.sessions.services import set_session_tags

pytestmark = pytest.mark.django_db
BEYOND_THE_FILTERS = {"q", "sort", "limit", "after"}


@pytest.fixture
def said(make_agent: Any, make_session: Callable[..., Session], alice: User, bob: User) -> list[Session]:
    """Some run for each value of each filter, and another that it leaves out."""
    one, other = make_agent(name="concierge"), make_agent(name="tutor", available_qualifiers=["DEFAULT", "prod"])
    trip, lesson = make_session(agent=one, title="Trip"), make_session(agent=other, title="Lesson", qualifier="prod")
    measured, foreign = make_session(agent=other, purpose="measure_start"), make_session(agent=one, owner=bob)
    set_session_tags(session=lesson, names=["school"])
    sources = ["api", "task", "demo", "prompt_set", "side_by_side"]
    runs = [
        add_run(trip, f"By {source}", minutes_ago=30 * 4**place, source=source, ttft_ms=90 * place, cost_usd=costs)
        for place, (source, costs) in enumerate(zip(sources, [None, *map(Decimal, "3142")], strict=True))
    ]
    codes: dict[str, Any] = {"status": "failed", "error_code": "RuntimeClientError", "version": "2", "ttft_ms": None}
    runs += [add_run(lesson, "Explain", minutes_ago=5, **codes), add_run(lesson, "Go on", status="stopped")]
    runs += [add_run(lesson, "And", status="interrupted"), add_run(lesson, "So", status="queued", completed_at=None)]
    add_run(measured, "Measured", source="measure")
    add_run(foreign, "Bob asks", minutes_ago=2)
    for run, kind in zip(runs, ["created", "pooled", "reused", "unknown"], strict=False):
        Measurement.objects.create(invocation=run, state="measured", start_kind=kind, log_group="g")
    for run, rating in zip(runs, [{"thumb": "up"}, {"thumb": "down"}, {"thumb": "up", "note": "Good."}], strict=False):
        Rating.objects.create(invocation=run, owner=alice, rated_at=timezone.now(), **rating)
    while indexing.index_texts():
        pass
    return [trip, lesson]


def of_the_page(client: Client, query: dict[str, str]) -> list[str]:
    """The keys of what the page finds, as its file has them."""
    answer = client.get("/runs/csv/", query).getvalue().decode("utf-8-sig")
    return [row["id"] for row in csv.DictReader(io.StringIO(answer)) if row["session_id"]]


def of_the_api(client: Client, query: dict[str, str]) -> list[str]:
    found: list[str] = []
    after = ""
    while True:
        asked = query | {"limit": "3"} | ({"after": after} if after else {})
        answer = client.get("/api/runs", asked)
        assert answer.status_code == 200, answer.content
        found += [str(item["id"]) for item in answer.json()["items"]]
        after = answer.json()["next"]
        if not after:
            return found


def test_the_api_has_the_filters_of_the_page_and_their_values(client: Client, said: list[Session], alice: User) -> None:
    form = asking.filter_form(alice, QueryDict())
    told = client.get("/api/openapi.json").json()["paths"]["/api/runs"]["get"]["parameters"]
    parameters = {parameter["name"]: parameter["schema"] for parameter in told}

    assert set(parameters) == {*form.fields, *BEYOND_THE_FILTERS}
    for name in ("status", "rated", "start", "source", "measure_start", "sort"):
        schemas = parameters[name].get("anyOf", [parameters[name]])
        values = {value for value, _words in form.fields[name].choices}  # type: ignore[attr-defined]
        assert {value for schema in schemas for value in schema.get("enum", [])} == values - {""}, name


@pytest.mark.parametrize("name", [*asking.NAMES, "sort"])
@pytest.mark.parametrize("asks", ["alice", "carol"])
def test_each_value_of_each_filter_finds_the_same_over_the_api(
    client: Client, said: list[Session], request: pytest.FixtureRequest, asks: str, name: str
) -> None:
    user = request.getfixturevalue(asks)
    client.force_login(user)
    everything = of_the_page(client, {})
    values = dict(asking.filter_form(user, QueryDict()).fields[name].choices)  # type: ignore[attr-defined]
    differing = 0
    for value in filter(None, {**values, "2": ""} if name == "version" else values):
        for query in ({name: value}, {name: value, "q": "by"}):
            assert of_the_api(client, query) == of_the_page(client, query), query
        differing += of_the_page(client, {name: value}) != everything
    assert differing or (name == "owner" and not user.is_staff), "no value of it changes what is found"


def test_a_range_of_its_own_and_an_error_that_nothing_has_are_the_same_as_well(
    client: Client, said: list[Session], alice: User
) -> None:
    client.force_login(alice)
    now = timezone.now()
    own = "/".join(f"{now - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S}" for minutes in (130, 20))
    for query in ({"range": own}, {"error": "NoSuchError"}, {"tag": "none has it"}, {"tag": "sch\0ool"}):
        assert of_the_api(client, query) == of_the_page(client, query), query
    assert 0 < len(of_the_api(client, {"range": own})) < len(of_the_api(client, {}))


def test_whose_runs_is_asked_by_staff_alone(client: Client, said: list[Session], alice: User, bob: User) -> None:
    client.force_login(alice)
    assert of_the_api(client, {"owner": str(bob.pk)}) == of_the_api(client, {})


@pytest.mark.parametrize(
    "query",
    [
        {"rated": "x"}, {"start": "x"}, {"source": "measure"}, {"measure_start": "1"}, {"sort": "x"}, {"owner": "x"},
        {"owner": str(2**63)}, {"tag": "x" * 101}, {"version": "x" * 101}, {"qualifier": "x" * 101}, {"range": "x"},
        {"range": "2026-11-20T13:00/2026-11-20T12:00"}, {"range": "/"}, {"after": "k7"}, {"after": "v1.5_7", "q": "by"},
        {"after": "t7-7", "sort": "ttft"},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(
    client: Client, said: list[Session], alice: User, query: dict[str, Any]
) -> None:
    client.force_login(alice)
    assert client.get("/api/runs", query).status_code == 400
