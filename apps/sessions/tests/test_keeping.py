"""Sessions pinned, archived, deleted, brought back, and in the end really deleted, wherever that is broken off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from threading import Barrier, Thread
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection, connections
from django.utils import timezone
from django_q.models import OrmQ

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import LoomError, MissingError
from apps.core.models import Notice
from apps.sessions import keeping, tasks
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.exceptions import SessionBusyError
from apps.sessions.invoking import Request, enqueue, start_invocation
from apps.sessions.models import (
    Invocation,
    QueuedPrompt,
    Recording,
    RecordingBatch,
    SearchDue,
    Session,
    SessionTag,
)
from apps.sessions.selectors import (
    deleted_sessions_visible_to,
    invocations_visible_to,
    recent_sessions_of,
    session_of_agent,
    session_visible_to,
    sessions_visible_to,
)
from apps.sessions.services import set_session_tags, start_session
from apps.sessions.typed_ahead import send_next

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
LATER = settings.DELETED_SESSIONS_KEPT + timedelta(minutes=5)


def add_runs(session: Session, count: int) -> None:
    for _ in range(count):
        run = start_invocation(session=session, prompt="one", process_id=None)
        rest = Pending(run.pk, [{"seq": 1, "offset_ms": 1.0, "kind": "text", "text": "x"}])
        assert finish_invocation(None, rest, status="completed", completed_at=timezone.now())


def delete_long_ago(session: Session) -> None:
    keeping.delete_session(session=session)
    Session.objects.filter(pk=session.pk).update(deleted_at=timezone.now() - LATER)


def names(user: User) -> list[str]:
    return [session.title for session in recent_sessions_of(user)]


def test_pinned_sessions_stand_first_and_archived_ones_not_at_all(make_session: MakeSession, alice: User) -> None:
    agent = make_session(title="0").agent
    sessions = {str(number): make_session(agent=agent, title=str(number)) for number in range(1, 10)}
    assert names(alice) == ["9", "8", "7", "6", "5", "4", "3", "2"]

    keeping.pin_session(session=sessions["1"])
    keeping.pin_session(session=sessions["4"])
    keeping.archive_session(session=sessions["9"])
    assert names(alice) == ["4", "1", "8", "7", "6", "5", "3", "2"]

    keeping.archive_session(session=sessions["4"])
    assert names(alice)[0] == "1" and "4" not in names(alice)
    keeping.revive_session(session=sessions["4"])
    assert not sessions["4"].is_pinned and names(alice)[1:5] == ["8", "7", "6", "5"]
    keeping.pin_session(session=sessions["9"])  # which brings it back
    assert (names(alice)[:2], sessions["9"].archived_at) == (["9", "1"], None)
    keeping.unpin_session(session=sessions["1"])
    assert names(alice) == ["9", "8", "7", "6", "5", "4", "3", "2"]


def test_what_changes_nothing_tells_nobody_and_keeps_the_first_time(make_session: MakeSession) -> None:
    session = make_session()
    keeping.archive_session(session=session)
    first = session.archived_at
    told = Notice.objects.filter(topic=session.topic).count()

    keeping.archive_session(session=session)
    keeping.unpin_session(session=session)

    session.refresh_from_db()
    assert (session.archived_at, Notice.objects.filter(topic=session.topic).count()) == (first, told)


def test_an_archived_session_goes_on(make_session: MakeSession, alice: User) -> None:
    session = make_session()
    keeping.archive_session(session=session)
    add_runs(session, 1)

    assert list(sessions_visible_to(alice)) == [session] and session.invocations.count() == 1


def test_a_deleted_session_is_nobodys_until_it_is_brought_back(
    make_session: MakeSession, alice: User, bob: User, carol: User
) -> None:
    session = make_session(request_key="once")
    add_runs(session, 2)
    run = session.invocations.last()
    QueuedPrompt.objects.create(session=session, position=1, text="later", is_held=True, created_at=timezone.now())
    keeping.delete_session(session=session)

    for user in (alice, bob, carol):
        assert session_visible_to(user, session.public_id) is None
        assert session_of_agent(user, session.agent_id, session.runtime_session_id) is None
        assert not invocations_visible_to(user).filter(pk=run.pk if run else 0).exists()
    assert names(alice) == []
    with pytest.raises(MissingError):  # nor does it go on, whoever still holds it
        start_invocation(session=session, prompt="more", process_id=None)
    with pytest.raises(MissingError):
        enqueue(session=session, request=Request("more"))
    assert send_next(session=session) is None
    with pytest.raises(MissingError):  # by the request that began it
        start_session(agent=session.agent, owner=alice, request_key="once")
    for change in (keeping.pin_session, keeping.archive_session, keeping.revive_session, keeping.delete_session):
        with pytest.raises(MissingError):
            change(session=session)

    long_ago = timezone.now() - LATER
    assert [list(deleted_sessions_visible_to(user, long_ago)) for user in (alice, bob, carol)] == [
        [session], [], [session]
    ]  # fmt: skip
    keeping.restore_session(session=session)
    keeping.restore_session(session=session)  # a second click
    assert session_visible_to(alice, session.public_id) == session
    assert (session.invocations.count(), session.queued_prompts.count()) == (2, 1)
    add_runs(session, 1)


def test_the_registry_counts_the_runs_of_what_is_deleted_no_more_and_again_when_it_is_back(
    make_session: MakeSession,
) -> None:
    kept = make_session()
    gone = make_session(agent=kept.agent)
    add_runs(kept, 1)
    add_runs(gone, 2)

    def counted() -> tuple[int, Any]:
        agent = Agent.objects.get(pk=kept.agent_id)
        return agent.invocation_count, agent.last_invoked_at

    last = [Session.objects.get(pk=session.pk).last_invoked_at for session in (kept, gone)]
    assert counted() == (3, last[1])
    keeping.delete_session(session=Session.objects.get(pk=gone.pk))
    assert counted() == (1, last[0])
    keeping.restore_session(session=Session.objects.get(pk=gone.pk))
    assert counted() == (3, last[1])
    delete_long_ago(Session.objects.get(pk=gone.pk))
    keeping.purge_deleted(timezone.now())
    assert counted() == (1, last[0])


def test_what_answers_is_not_deleted(make_session: MakeSession) -> None:
    session = make_session()
    start_invocation(session=session, prompt="one", process_id=None)

    with pytest.raises(SessionBusyError):
        keeping.delete_session(session=session)
    assert Session.objects.get().deleted_at is None


def test_after_an_hour_it_is_too_late(make_session: MakeSession, alice: User) -> None:
    session = make_session()
    keeping.delete_session(session=session)
    kept = settings.DELETED_SESSIONS_KEPT
    Session.objects.update(deleted_at=timezone.now() - kept + timedelta(seconds=30))
    keeping.restore_session(session=session)
    keeping.delete_session(session=session)
    Session.objects.update(deleted_at=timezone.now() - kept - timedelta(seconds=1))

    with pytest.raises(MissingError, match="any more"):
        keeping.restore_session(session=session)
    assert not deleted_sessions_visible_to(alice, keeping.restorable_since(timezone.now())).exists()
    # Nor is it purged as long as another machine's clock may still let it come back.
    assert keeping.purge_deleted(timezone.now()) == 0 and Session.objects.exists()


# --- really ----------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """What stands for the end of a process: nothing catches it."""


@contextmanager
def killed_at(statement: int) -> Iterator[list[str]]:
    """Die before the statement of this number, as a process that is killed: what is not committed is not there."""
    seen: list[str] = []

    def execute(run: Any, sql: str, *rest: Any) -> Any:
        seen.append(sql)
        if len(seen) == statement:
            raise Killed
        return run(sql, *rest)

    with connection.execute_wrapper(execute):
        yield seen


def furnished(make_session: MakeSession) -> tuple[Session, Session]:
    """A session that was deleted long ago with something of everything, and one that stays, whose run repeats one."""
    gone = make_session(title="gone")
    kept = make_session(agent=gone.agent, title="kept")
    add_runs(gone, 3)
    add_runs(kept, 1)
    set_session_tags(session=gone, names=["rain"])
    first = gone.invocations.order_by("pk").first()
    assert first is not None
    Recording.objects.create(invocation=first, events=[])
    kept.invocations.update(repeated_from=first)
    QueuedPrompt.objects.create(session=gone, position=1, text="later", is_held=True, created_at=timezone.now())
    delete_long_ago(gone)
    return gone, kept


def left() -> tuple[int, ...]:
    models: tuple[Any, ...] = (Session, Invocation, RecordingBatch, Recording, SearchDue, SessionTag, QueuedPrompt)
    return tuple(model.objects.count() for model in models)


def test_wherever_a_purge_is_killed_nothing_is_seen_of_it_and_the_next_one_ends_it(
    make_session: MakeSession, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "RUNS_AT_ONCE", 2)
    monkeypatch.setattr(keeping, "PARTS_AT_ONCE", 1)
    cache.clear()
    statement = 0
    while True:
        statement += 1
        Session.objects.all().delete()
        gone, kept = furnished(make_session)
        with killed_at(statement) as seen:
            try:
                keeping.purge_deleted(timezone.now())
            except Killed:
                is_over = False
            else:
                is_over = True
        assert session_visible_to(alice, gone.public_id) is None
        with pytest.raises(LoomError):
            keeping.restore_session(session=gone)
        keeping.purge_deleted(timezone.now())
        assert left() == (1, 1, 1, 0, 1, 0, 0)
        assert kept.invocations.get().repeated_from_id is None
        if is_over:
            break
    assert len(seen) > 20, "it goes piece by piece"


def test_two_purges_at_once_get_in_nobodys_way(make_session: MakeSession) -> None:
    gone, _kept = furnished(make_session)
    while keeping.purge_piece(gone.pk):  # each may be done by another
        assert keeping.purge_piece(gone.pk) in {True, False}
    assert left() == (1, 1, 1, 0, 1, 0, 0)
    assert not keeping.purge_piece(gone.pk)


def test_a_purge_stops_after_its_time_and_leaves_what_answers(make_session: MakeSession) -> None:
    gone, kept = furnished(make_session)
    assert keeping.purge_deleted(timezone.now(), for_s=-1) == 0
    assert Session.objects.filter(pk=gone.pk).exists()
    # A process of the release before began a run meanwhile.
    Invocation.objects.create(session=gone, number=9, status="streaming", prompt="go", requested_at=timezone.now())
    assert keeping.due_to_be_purged(timezone.now()) == []
    Invocation.objects.filter(number=9).update(status="completed")
    assert keeping.purge_deleted(timezone.now()) == 1
    assert list(Session.objects.all()) == [kept]


def test_the_worker_gets_one_task_where_something_is_due(make_session: MakeSession) -> None:
    session = make_session()
    keeping.delete_session(session=session)
    tasks.enqueue_due_purge()
    assert not OrmQ.objects.exists()
    Session.objects.update(deleted_at=timezone.now() - LATER)
    tasks.enqueue_due_purge()
    tasks.enqueue_due_purge()
    assert [task.name() for task in OrmQ.objects.all()] == [tasks.PURGE_NAME]
    tasks.purge_deleted_sessions()
    assert not Session.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_a_deletion_and_a_prompt_at_the_same_moment_one_wins(make_session: MakeSession) -> None:
    """Twenty times: there is never a run in a session that was deleted."""
    agent = make_session().agent
    for _ in range(20):
        session = make_session(agent=agent)
        refused = at_once(partial(keeping.delete_session, session=session), partial(begin, session.pk))
        row = Session.objects.get(pk=session.pk)
        assert (row.deleted_at is None) is row.invocations.exists()
        assert refused == (["SessionBusyError"] if row.deleted_at is None else ["MissingError"])


def begin(pk: int) -> None:
    start_invocation(session=Session.objects.select_related("agent").get(pk=pk), prompt="go", process_id=None)


def at_once(*acts: Callable[[], object]) -> list[str]:
    """Do all of it at the same moment, each in a thread; the names of the errors that were raised."""
    together = Barrier(len(acts))
    refused: list[str] = []

    def act_together(act: Callable[[], object]) -> None:
        together.wait()
        try:
            act()
        except LoomError as error:
            refused.append(type(error).__name__)
        finally:
            connections.close_all()

    threads = [Thread(target=act_together, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refused
