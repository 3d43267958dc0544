"""What the index of words finds, on both databases: what looking into every text would find."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core import search
from apps.core.search import Found, find, words_of
from apps.sessions import indexing
from apps.sessions.engine.housekeeping import remove_expired_content
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.keeping import delete_session, purge_deleted
from apps.sessions.models import Invocation, SearchDue, SearchProgress, SearchText, Session
from apps.sessions.services import rename_session

MakeSession = Callable[..., Session]
SIGNS = "abcAB 東京都é%_\\\"'*-+():^{}\n"
PIECES = [*SIGNS, "NEAR", "AND", "needle", "東京都", "M-118", "rate table"]


def add_run(session: Session, prompt: str, **fields: Any) -> Invocation:
    number = session.invocations.count() + 1
    fields = {"status": "completed", "completed_at": timezone.now(), **fields}
    return Invocation.objects.create(
        session=session, number=number, prompt=prompt, requested_at=timezone.now(), **fields
    )


def index_all() -> None:
    while indexing.index_texts():
        pass


def found(text: str, limit: int = 1_000, below: int | None = None) -> Found:
    return find(Invocation.objects.all(), "search_text", words_of(text), limit=limit, below=below)


@pytest.fixture
def said(database: None, django_db_blocker: Any) -> None:
    """Three hundred runs that say random things, indexed, on either database."""
    with django_db_blocker.unblock():
        agent = Agent.objects.create(name="any", origin="emulator", kind="memory", registered_at=timezone.now())
        owner = User.objects.create(email="search@example.com")
        session = Session.objects.create(
            agent=agent, owner=owner, runtime_session_id="s" * 36, created_at=timezone.now()
        )
        choose = random.Random(7)
        Invocation.objects.bulk_create(
            Invocation(
                session=session,
                number=number,
                status="completed",
                prompt="".join(choose.choices(PIECES, k=choose.randint(1, 30))),
                requested_at=timezone.now(),
                completed_at=timezone.now(),
            )
            for number in range(1, 301)
        )
        index_all()


QUERIES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)


@pytest.mark.slow("two databases are made, with all migrations")
def test_the_index_finds_what_looking_into_every_text_finds(
    said: None, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is typed: quotes, stars and operators are signs like others. Also in pages, and without an index."""

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(QUERIES)
    def compare(typed: str) -> None:
        expected = Invocation.objects.order_by("-pk")
        for word in typed.split():
            expected = expected.filter(prompt__icontains=word)
        assert found(typed) == Found(list(expected.values_list("pk", flat=True)), None)

    with django_db_blocker.unblock():
        assert search.has_index(SearchText)
        compare()
        follow_pages()
        look_into_the_newest(monkeypatch)


def follow_pages() -> None:
    """Pages of what was found follow each other without a gap."""
    whole = found("needle").keys
    assert len(whole) > 50
    page = found("needle", limit=7)
    keys = page.keys
    while page.older is not None:
        page = found("needle", limit=7, below=page.older)
        keys += page.keys
    assert keys == whole


def look_into_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the database may not create what it needs: nothing fails, and what was left out is said."""
    whole = found("needle").keys
    search.drop_index(SearchText)
    newest = sorted(Invocation.objects.values_list("pk", flat=True))[-100:]
    with monkeypatch.context() as patched:  # for this part alone
        patched.setattr(search, "NEWEST_LOOKED_AT", 100)

        some = found("needle")

        assert not indexing.index_state().has_index
        assert some.keys == [key for key in whole if key >= newest[0]] and some.older == newest[0]
        assert some.keys + found("needle", below=some.older).keys == [key for key in whole if key >= newest[0] - 100]
    indexing.restart(from_scratch=True)
    index_all()
    assert search.has_index(SearchText) and found("needle").keys == whole


@pytest.mark.django_db
def test_the_end_of_a_run_has_all_that_it_said_indexed(make_session: MakeSession) -> None:
    session = make_session(title="Trip to Lyon")
    run = add_run(session, "When does it leave?", status="pending", completed_at=None)
    events: list[Any] = [
        {"seq": 1, "offset_ms": 1.0, "kind": "tool", "tool_use_id": "t", "name": "rail_timetable"},
        {"seq": 2, "offset_ms": 2.0, "kind": "text", "text": "At 08:12."},
    ]
    fields = {
        "response_text": "At 08:12, STRASSE.",
        "error_code": "RuntimeClientError",
        "error_message": "rate table 7",
    }

    finish_invocation(None, Pending(run.pk, events, fields), status="failed", completed_at=timezone.now())

    assert indexing.index_state().waiting == 1
    assert indexing.index_texts() >= 1
    for words in ("LEAVE? 08:12", "timetable", "runtimeclient", "rate table", "lyon", "straße"):
        assert found(words).keys == [run.pk], words
    assert found("brussels").keys == [] and indexing.index_state().waiting == 0


@pytest.mark.django_db
def test_runs_from_before_the_index_are_indexed_newest_first_and_what_was_interrupted_goes_on(
    make_session: MakeSession,
) -> None:
    session = make_session(title="")
    runs = [add_run(session, f"needle {number}") for number in range(5)]

    assert indexing.index_older(runs_at_once=2) == 2
    assert found("needle").keys == [runs[4].pk, runs[3].pk] and indexing.index_state().below == runs[3].pk
    assert [indexing.index_older(runs_at_once=2) for _ in range(3)] == [2, 1, 0]
    assert found("needle").keys == [run.pk for run in reversed(runs)] and indexing.index_state().below == 0


@pytest.mark.django_db
def test_a_long_answer_is_found_by_its_beginning_and_ends_a_batch(make_session: MakeSession) -> None:
    session = make_session(title="")
    long = "x" * (indexing.TEXT_LENGTH - 4)
    runs = [add_run(session, "go", response_text=f"{long}tail and beyond") for _ in range(5)]

    assert 0 < indexing.index_older() < len(runs)
    index_all()

    assert len(found("xxtail").keys) == len(runs) and found("beyond").keys == []


@pytest.mark.django_db
def test_a_new_title_is_found_in_place_of_the_old_one(make_session: MakeSession) -> None:
    session = make_session(title="Trip to Ghent")
    run = add_run(session, "go")
    index_all()

    rename_session(session=session, title="Trip to Lyon")
    index_all()

    assert found("ghent").keys == [] and found("lyon").keys == [run.pk]


@pytest.mark.django_db
def test_a_deleted_session_is_not_found_in_the_same_moment_and_leaves_nothing_in_the_index(
    make_session: MakeSession, client: Client, alice: User
) -> None:
    session = make_session(title="needle")
    add_run(session, "needle")
    index_all()
    add_run(session, "another needle")
    indexing.mark_sessions_due([session.pk])

    delete_session(session=session)

    asked = {"q": "needle"}
    client.force_login(alice)
    for address in ("/sessions/", "/runs/", "/palette/results/"):
        assert "/sessions/" + str(session.public_id) not in client.get(address, asked).content.decode()
    purge_deleted(timezone.now() + timedelta(hours=2))
    assert found("needle").keys == [] and not SearchDue.objects.exists()
    if connection.vendor == "sqlite":  # nor in the index itself, which the texts are not asked for
        assert search._candidates(SearchText, ["needle"], None, 10) == []


@pytest.mark.django_db
def test_what_is_removed_after_its_time_is_not_found_any_more_nor_its_title(
    make_session: MakeSession, settings: Any
) -> None:
    session = make_session(title="needle in the title")
    now = timezone.now()
    add_run(session, "needle", completed_at=now - timedelta(days=9))
    young = add_run(session, "a young one")
    index_all()
    assert len(found("title").keys) == 2
    settings.CONTENT_RETENTION_DAYS = 7

    remove_expired_content(now)
    assert found("needle prompt").keys == [] and SearchText.objects.count() == 1
    index_all()

    assert found("needle").keys == [] and found("young").keys == [young.pk]


@pytest.mark.django_db
def test_a_run_that_another_release_ended_is_indexed_too(make_session: MakeSession) -> None:
    index_all()
    run = add_run(make_session(), "needle")
    index_all()
    assert found("needle").keys == []

    assert indexing.mark_missing(timezone.now()) == 1
    index_all()

    assert found("needle").keys == [run.pk] and indexing.mark_missing(timezone.now()) == 0


@pytest.mark.django_db
def test_the_size_of_the_index_is_measured_now_and_then(make_session: MakeSession) -> None:
    add_run(make_session(), "needle")
    index_all()
    now = timezone.now()

    size = indexing.measure_index(now)

    assert size and indexing.index_state().size == size and indexing.measure_index(now) is None
    assert SearchProgress.objects.get().measured_at == now
