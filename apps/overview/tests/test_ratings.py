"""What people think of answers: kept once for each person and run, taken back, found again in the list of runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.metrics.tests.runs import make_run
from apps.overview.models import Rating
from apps.overview.runs import finding
from apps.overview.runs.rows import read_rows
from apps.overview.services import rate_run
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def kept() -> list[tuple[str, str, str]]:
    return list(Rating.objects.order_by("pk").values_list("owner__email", "thumb", "note"))


def test_an_answer_is_rated_and_the_rating_taken_back(as_alice: Client, make_session: Callable[..., Session]) -> None:
    run = make_run(make_session())
    address = f"/runs/{run.pk}/rating/"
    assert "Rate run 1" in as_alice.get(address).content.decode()

    part = as_alice.post(address, {"thumb": "up", "note": " Knows its trains. "}, headers=HTMX).content.decode()
    assert kept() == [("alice@example.com", "up", "Knows its trains.")]
    assert 'aria-pressed="true" aria-label="Good answer"' in part and "<html" not in part
    assert "Knows its trains." in as_alice.get(address, headers=HTMX).content.decode()

    assert as_alice.post(address, {"thumb": "down", "note": ""})["Location"] == f"/sessions/runs/{run.pk}/"
    assert kept() == [("alice@example.com", "down", "")]
    as_alice.post(address, {"thumb": "", "note": ""}, headers=HTMX)
    assert kept() == []


def test_a_menu_rates_with_one_press_and_keeps_the_note(as_alice: Client, make_session: Callable[..., Session]) -> None:
    address = f"/runs/{make_run(make_session()).pk}/rating/?compact"
    as_alice.post(address, {"thumb": "", "note": "Slow."}, headers=HTMX)

    items = as_alice.get(address, headers=HTMX).content.decode()
    assert 'name="note" value="Slow."' in items and "Change the note" in items and "<textarea" not in items
    items = as_alice.post(address, {"thumb": "down", "note": "Slow."}, headers=HTMX).content.decode()
    assert 'value="" aria-pressed="true"' in items
    assert kept() == [("alice@example.com", "down", "Slow.")]


def test_what_cannot_be_kept_is_told_and_not_lost(as_alice: Client, make_session: Callable[..., Session]) -> None:
    address = f"/runs/{make_run(make_session()).pk}/rating/"

    refused = as_alice.post(address, {"thumb": "up", "note": "x" * 2_001}, headers=HTMX)
    assert (refused.status_code, "at most 2,000 characters" in refused.content.decode()) == (422, True)
    assert "x" * 2_001 in refused.content.decode()
    assert as_alice.post(address, {"thumb": "sideways", "note": ""}).status_code == 422
    assert kept() == []


def test_a_run_is_rated_by_whoever_may_see_it(
    client: Client, make_session: Callable[..., Session], alice: User, bob: User, carol: User
) -> None:
    address = f"/runs/{make_run(make_session()).pk}/rating/"
    for user, status in ((alice, 302), (bob, 404), (carol, 302)):
        client.force_login(user)
        assert client.post(address, {"thumb": "up", "note": user.email}).status_code == status
    assert client.get("/runs/?rated=note").context["page"].count == 1
    client.force_login(bob)
    assert client.get("/runs/?rated=note").context["page"].count == 0
    assert [email for email, _thumb, _note in kept()] == ["alice@example.com", "carol@example.com"]
    client.force_login(alice)
    assert "carol@" not in client.get(address).content.decode()


@pytest.mark.parametrize("few", [100, 0])
def test_runs_are_found_by_their_ratings(
    as_alice: Client, make_session: Callable[..., Session], alice: User, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Few or many: where there are many each run is asked."""
    monkeypatch.setattr(finding, "FEW_TAGGED", few)
    session = make_session()
    runs = [make_run(session, number, prompt=f"{number}?") for number in range(4)]
    for run, thumb, note in ((runs[0], "up", ""), (runs[1], "down", "Slow."), (runs[2], "", "Fine.")):
        rate_run(owner=alice, run=run, thumb=thumb, note=note)

    def found(rated: str) -> list[str]:
        return [row.run.prompt for row in read_rows(as_alice.get(f"/runs/?rated={rated}").context["page"].keys)]

    assert (found("up"), found("down"), found("note")) == (["0?"], ["1?"], ["2?", "1?"])
    assert len(found("")) == len(found("sideways")) == 4
