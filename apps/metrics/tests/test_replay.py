"""The page of a replay: what it says of runs of every kind, and who finds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.metrics.tests.runs import make_run
from apps.sessions.models import Invocation, Recording, Session

pytestmark = pytest.mark.django_db
NOTHING = "There is nothing to replay."


def recorded(session: Session, *events: dict[str, Any], **overrides: Any) -> Invocation:
    run = make_run(session, first_byte_s=0.2, ended_s=6, last_sequence=len(events), **overrides)
    Recording.objects.create(invocation=run, events=[{"seq": seq, **event} for seq, event in enumerate(events, 1)])
    return run


def text(offset_ms: float, words: str) -> dict[str, Any]:
    return {"offset_ms": offset_ms, "kind": "text", "text": words}


TOOL = {"offset_ms": 300, "kind": "tool", "tool_use_id": "a", "name": "find_trains"}


@pytest.fixture
def run(make_session: Callable[..., Session]) -> Invocation:
    return recorded(make_session(), text(200, "The **train**"), TOOL, text(5900, " leaves."), prompt="When?")


def page_of(run: Invocation, **query: object) -> str:
    address = reverse("sessions:replay", args=[run.session.public_id, run.number])
    return f"{address}?{'&'.join(f'{name}={value}' for name, value in query.items())}" if query else address


def film_address(run: Invocation) -> str:
    return reverse("sessions:replay-film", args=[run.session.public_id, run.number])


def opened(client: Client, run: Invocation, **query: object) -> str:
    client.force_login(run.session.owner)
    return client.get(page_of(run, **query)).content.decode()


def test_the_page_shows_the_whole_answer_without_a_script_and_says_so(client: Client, run: Invocation) -> None:
    html = opened(client, run)
    assert "The <strong>train</strong>" in html
    assert "Without it the whole answer stands here at once." in html
    assert f'data-film="{film_address(run)}"' in html


def test_first_token_tools_and_stalls_are_marked(client: Client, run: Invocation) -> None:
    html = opened(client, run)
    for at, words in (("200.0", "First token"), ("300", "find_trains"), ("300", "Stall of 5.60 s")):
        assert f'data-go="{at}"><span>{words}</span>' in html
    assert html.count('class="mark-') == 3


def test_the_film_is_for_who_may_see_the_run(client: Client, run: Invocation, bob: User) -> None:
    client.force_login(run.session.owner)
    told = client.get(film_address(run)).json()
    assert [frame["at"] for frame in told["frames"]] == [200, 300, 5900, 6000]
    client.force_login(bob)
    assert client.get(film_address(run)).status_code == 404
    assert client.get(page_of(run)).status_code == 404


def test_its_statements_do_not_grow_with_its_events(
    client: Client, run: Invocation, django_assert_num_queries: Callable[..., Any]
) -> None:
    client.force_login(run.session.owner)
    long = recorded(run.session, *(text(float(number), "word ") for number in range(500)))
    client.get(page_of(run))
    for one in (run, long):
        with django_assert_num_queries(4):  # web session, user, run, recording
            told = client.get(film_address(one)).content
        with django_assert_num_queries(3):  # it is over: what was made is kept
            assert client.get(film_address(one)).content == told


def test_a_film_that_is_kept_goes_with_what_was_recorded(client: Client, run: Invocation, bob: User) -> None:
    client.force_login(run.session.owner)
    assert client.get(film_address(run)).json()["frames"]
    Recording.objects.filter(invocation=run).delete()
    Invocation.objects.filter(pk=run.pk).update(content_removed_at=timezone.now(), last_sequence=0)
    assert all("closed" not in frame for frame in client.get(film_address(run)).json()["frames"])
    run.session.owner = bob
    run.session.save()
    assert client.get(film_address(run)).status_code == 404


def test_the_timeline_and_the_menu_of_a_run_lead_to_it(client: Client, run: Invocation) -> None:
    client.force_login(run.session.owner)
    for name in ("sessions:timeline", "sessions:turn-menu-fragment"):
        address = reverse(name, args=[run.session.public_id, run.number])
        assert f'href="{page_of(run)}"' in client.get(address, headers={"HX-Request": "true"}).content.decode()


def test_another_run_is_played_beside_it_by_choice_and_by_id(client: Client, run: Invocation) -> None:
    other = recorded(run.session, text(100, "A bus."), prompt="And else?")
    for query in ({"with": other.pk}, {"id": other.pk}, {"with": "", "id": f"+{other.pk}+"}):
        html = opened(client, run, **query)
        assert html.count("data-film=") == 2
        assert "A bus." in html
    assert f'<option value="{other.pk}" selected>2 of this session, 6.00 s: And else?</option>' in html


@pytest.mark.parametrize("wanted", ["99999999", "x", "-1", "٣", "9" * 40, "1;drop"])
def test_a_run_that_is_not_there_is_said_and_the_first_is_played_all_the_same(
    client: Client, run: Invocation, wanted: str
) -> None:
    client.force_login(run.session.owner)
    response = client.get(page_of(run, id=wanted))
    assert response.status_code == 422
    html = response.content.decode()
    assert "There is no such run." in html
    assert html.count("data-film=") == 1


def test_a_strangers_run_is_no_other_than_one_that_is_not_there(
    client: Client, run: Invocation, make_session: Callable[..., Session], bob: User
) -> None:
    theirs = recorded(make_session(owner=bob), text(100, "Secret."))
    html = opened(client, run, id=theirs.pk)
    assert "There is no such run." in html
    assert "Secret." not in html
    assert f'value="{theirs.pk}">' not in html.split("<select")[-1] or "<select" not in html
    assert "That is this run itself." in opened(client, run, id=run.pk)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"status": "failed", "error_message": "It broke."}, "It failed after 6.00 s"),
        ({"status": "stopped"}, "It was stopped after 6.00 s"),
        ({"status": "interrupted"}, "It was interrupted"),
        ({"lost_event_count": 2}, "2 events at its end could not be stored"),
    ],
)
def test_how_it_ended_is_said_and_what_came_is_played(
    client: Client, run: Invocation, columns: dict[str, Any], words: str
) -> None:
    Invocation.objects.filter(pk=run.pk).update(**columns)
    html = opened(client, run)
    assert words in html
    assert "data-film=" in html
    assert ("It broke." in html) == ("error_message" in columns)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"content_removed_at": timezone.now()}, "Its recording was removed"),
        ({"invoked_at": None, "status": "failed"}, "The prompt was never sent."),
        ({}, "Nothing of it was recorded."),
        ({"status": "streaming", "completed_at": None}, "This run still goes on."),
    ],
)
def test_where_there_is_nothing_to_replay_the_page_says_why(
    client: Client, make_session: Callable[..., Session], columns: dict[str, Any], words: str
) -> None:
    run = make_run(make_session(), last_sequence=0, **columns)
    html = opened(client, run)
    assert words in html
    assert 'data-widget="replay"' not in html
    assert "replay.js" not in html


def test_a_json_answer_appears_in_one_piece(client: Client, make_session: Callable[..., Session]) -> None:
    answer = {"offset_ms": 400, "kind": "json", "value": {"result": "yes"}, "text": "yes"}
    run = recorded(make_session(), answer, first_token_at=None)
    assert "The answer came as one JSON body" in opened(client, run)
    assert [frame["at"] for frame in client.get(film_address(run)).json()["frames"]] == [400]


def test_an_answer_beside_tools_alone_says_so(client: Client, make_session: Callable[..., Session]) -> None:
    run = recorded(make_session(), TOOL)
    assert "No text was answered" in opened(client, run)
