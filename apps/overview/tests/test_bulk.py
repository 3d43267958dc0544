"""What is done to several runs of the list, as a browser without scripts does it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.models import Tag
from apps.core.tables.bulk import ROWS_AT_ONCE
from apps.core.tags import TAGS_AT_MOST
from apps.metrics.models import Measurement
from apps.overview.runs import finding
from apps.overview.tests.test_runs import add_run, prompts
from apps.sessions import indexing
from apps.sessions.models import Invocation, InvocationTag, SearchText, Session
from apps.sessions.services import delete_invocations, set_session_tags, tag_invocations

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]
BULK = "/runs/bulk/"


@pytest.fixture
def session(client: Client, make_session: MakeSession, alice: User) -> Session:
    client.force_login(alice)
    return make_session(title="Trip")


def send(client: Client, action: str, *runs: Any, **more: str) -> Any:
    return client.post(BULK, {"action": action, "row": [getattr(run, "pk", run) for run in runs], **more})


def text_of(response: Any) -> str:
    body = response.content.decode().partition("<main")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def tags_of(run: Invocation) -> list[str]:
    return sorted(run.tags.values_list("name", flat=True))


def test_runs_are_tagged_found_by_it_and_untagged(client: Client, session: Session) -> None:
    first, second, other = (add_run(session, f"run {number}", minutes_ago=number) for number in range(3))

    tagged = send(client, "tag", first, second, tag="  Good   one ", next="/runs/?sort=ttft")
    assert (tagged.status_code, tagged["Location"]) == (302, "/runs/?sort=ttft")
    assert said(tagged) == ["2 runs are tagged Good one."]
    assert [tags_of(run) for run in (first, second, other)] == [["Good one"], ["Good one"], []]
    assert prompts(client, tag="Good one") == ["run 0", "run 1"]
    page = client.get("/runs/").content.decode()
    assert 'href="/runs/?tag=Good%20one"' in page and '<option value="Good one">Good one</option>' in page

    send(client, "tag", first, tag="GOOD ONE")
    assert InvocationTag.objects.count() == 2 and Tag.objects.count() == 1
    assert said(send(client, "untag", first, other, tag="good one"))[-1] == "good one is taken from 1 run."
    assert prompts(client, tag="Good one") == ["run 1"]


@pytest.mark.parametrize(("few", "tagged_at_most"), [(200, 2_000), (0, 2_000), (200, 0)])
def test_a_tag_is_the_run_s_own_or_that_of_its_session(
    client: Client, session: Session, make_session: MakeSession, few: int, tagged_at_most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """However many have it, and together with what else is asked for."""
    monkeypatch.setattr(finding, "FEW_SESSIONS", few)
    monkeypatch.setattr(finding, "FEW_TAGGED", tagged_at_most)
    school = make_session(title="Lesson")
    set_session_tags(session=school, names=["school"])
    add_run(school, "by its session", minutes_ago=1)
    own = add_run(session, "of its own", minutes_ago=2, ttft_ms=300)
    add_run(session, "of none", minutes_ago=3)
    failed = add_run(session, "failed", minutes_ago=4, status="failed")
    tag_invocations(invocations=[own, failed], name="school")
    while indexing.index_texts():
        pass

    assert prompts(client, tag="school") == ["by its session", "of its own", "failed"]
    assert prompts(client, tag="school", status="failed") == ["failed"]
    assert prompts(client, tag="school", q="own") == ["of its own"]
    assert prompts(client, tag="school", sort="-ttft", status="completed") == ["of its own", "by its session"]


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("", "Type the word that the runs are to be found by."),
        ("   ", "Type the word that the runs are to be found by."),
        ("x" * 41, "at most 40 characters"),
        ("a\tb\x07", "A tag cannot have control characters."),
    ],
)
def test_a_tag_that_cannot_be_one_is_asked_for_again_and_the_checked_are_kept(
    client: Client, session: Session, tag: str, message: str
) -> None:
    runs = [add_run(session, "one"), add_run(session, "two")]
    asked = send(client, "tag", *runs, tag=tag, next="/runs/?q=o")
    page = asked.content.decode()

    assert asked.status_code == 422 and message in text_of(asked)
    assert {f'name="row" value="{run.pk}"' in page for run in runs} == {True}
    assert 'name="next" value="/runs/?q=o"' in page and not InvocationTag.objects.exists()


def test_a_run_has_no_more_tags_than_there_may_be(client: Client, session: Session) -> None:
    full, other = add_run(session, "full"), add_run(session, "other")
    for number in range(TAGS_AT_MOST):
        tag_invocations(invocations=[full], name=f"tag {number}")

    refused = send(client, "tag", full, other, tag="more")
    assert refused.status_code == 422 and f"1 of these runs have {TAGS_AT_MOST} tags already" in text_of(refused)
    assert tags_of(other) == []
    assert send(client, "tag", full, other, tag="tag 3").status_code == 302


def test_deleting_is_asked_about_and_says_what_goes_and_what_stays(client: Client, session: Session) -> None:
    over, other = add_run(session, "over", minutes_ago=2), add_run(session, "other", minutes_ago=1)
    running = add_run(session, "running", status="streaming", completed_at=None, minutes_ago=0)
    Measurement.objects.create(invocation=over, state="measured", log_group="g")
    while indexing.index_texts():
        pass
    back = "/runs/?status=completed"

    asked = send(client, "delete", over, running, next=back)
    told = text_of(asked)
    assert "Delete this run?" in told and "1 of them stays: it, or the" in told and "It goes for good" in told
    assert Invocation.objects.count() == 3

    form = asked.content.decode().partition('action="/runs/bulk/"')[2].partition("</form>")[0]
    sent: dict[str, list[str]] = {}
    for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form):
        sent.setdefault(name, []).append(value)
    done = client.post(BULK, sent)

    assert (done.status_code, done["Location"]) == (302, back)
    assert said(done) == [
        "1 run is deleted, with its recording and measurements.",
        "1 run was not deleted: it, or what has sent it, is not over, or it is gone already. Stop it first.",
    ]
    assert set(Invocation.objects.values_list("pk", flat=True)) == {other.pk, running.pk}
    assert not Measurement.objects.exists() and not SearchText.objects.filter(pk=over.pk).exists()
    agent = Agent.objects.get(pk=session.agent_id)
    assert (agent.invocation_count, agent.last_invoked_at) == (1, other.requested_at)
    assert Session.objects.filter(pk=session.pk).exists()


def test_where_nothing_can_go_nothing_is_offered(client: Client, session: Session) -> None:
    running = add_run(session, "running", status="queued", completed_at=None)
    asked = send(client, "delete", running)

    assert "None of these can be deleted yet" in text_of(asked) and 'value="delete"' in asked.content.decode()
    assert "button-danger" not in asked.content.decode()
    send(client, "delete", running, is_confirmed="yes")
    assert Invocation.objects.filter(pk=running.pk).exists()


def test_the_last_run_of_an_agent_leaves_it_uninvoked(session: Session) -> None:
    run = add_run(session, "only")
    Agent.objects.filter(pk=session.agent_id).update(invocation_count=1, last_invoked_at=run.requested_at)

    assert delete_invocations(invocations=[run]) == {run.pk}
    assert delete_invocations(invocations=[run]) == set()
    agent = Agent.objects.get(pk=session.agent_id)
    assert (agent.invocation_count, agent.last_invoked_at) == (0, None)


@pytest.mark.parametrize("action", ["tag", "untag", "delete"])
def test_runs_of_others_are_as_if_not_checked(
    client: Client, session: Session, make_session: MakeSession, bob: User, carol: User, action: str
) -> None:
    foreign = add_run(make_session(owner=bob), "Bob asks")
    tag_invocations(invocations=[foreign], name="his")
    nothing = ["Nothing is checked. Check the rows that it is to be done to."]

    assert said(send(client, action, foreign, tag="his", is_confirmed="yes")) == nothing
    assert tags_of(Invocation.objects.get(pk=foreign.pk)) == ["his"]
    assert "his" not in re.findall(r'<option value="(\w+)"', client.get("/runs/").content.decode())
    client.force_login(carol)
    assert said(send(client, action, foreign, tag="his", is_confirmed="yes")) != nothing


@pytest.mark.parametrize(
    ("action", "rows", "message"),
    [
        ("delete", [], "Nothing is checked."),
        ("delete", [99_999, 0], "Nothing is checked."),
        ("tag", list(range(1, ROWS_AT_ONCE + 2)), "51 rows are checked. Check at most 50"),
        ("archive", [1], "Nothing was done: the button was not understood."),
        ("", [1], "Nothing was done: the button was not understood."),
    ],
)
def test_what_cannot_be_meant_changes_nothing_and_says_so(
    client: Client, session: Session, action: str, rows: list[int], message: str
) -> None:
    add_run(session, "one")
    response = send(client, action, *rows, tag="x", is_confirmed="yes", next="https://example.com/")

    assert (response.status_code, response["Location"]) == (302, "/runs/")
    [told] = said(response)
    assert told.startswith(message)
    assert Invocation.objects.count() == 1 and not InvocationTag.objects.exists()


def test_the_page_says_which_run_a_box_is_of(client: Client, session: Session) -> None:
    run = add_run(session, "By <b>train</b>")
    page = client.get("/runs/").content.decode()

    box = f'<input type="checkbox" name="row" value="{run.pk}" form="runs-bulk" aria-label="Check run 1: By &lt;b&gt;'
    assert box in page and 'id="runs-bulk"' in page and page.count("csrfmiddlewaretoken") >= 2
