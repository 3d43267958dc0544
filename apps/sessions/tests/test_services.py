from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import InvalidInputError, MissingError
from apps.core.models import Notice
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.exceptions import (
    AgentUnavailableError,
    RequestKeyReusedError,
    SessionBusyError,
    UnknownQualifierError,
)
from apps.sessions.invoking import start_invocation, stop_invocation
from apps.sessions.keeping import delete_session, purge_deleted
from apps.sessions.models import Invocation, RecordingBatch, Session
from apps.sessions.selectors import sessions_visible_to
from apps.sessions.services import rename_session, start_session

MakeAgent = Callable[..., Agent]
MakeSession = Callable[..., Session]


def test_a_session_gets_an_id_that_agentcore_accepts(make_session: MakeSession) -> None:
    """S1-003: 33 characters or more."""
    first, second = make_session(title="  Plan a trip\nwith trains"), make_session()

    assert len(first.runtime_session_id) == 36
    assert first.runtime_session_id != second.runtime_session_id
    assert (first.title, first.is_own_id, first.qualifier) == ("Plan a trip", True, "DEFAULT")


def test_a_session_from_outside_keeps_its_id(make_session: MakeSession) -> None:
    session = make_session(runtime_session_id="from-outside-" + "7" * 30)

    assert (session.runtime_session_id, session.is_own_id) == ("from-outside-" + "7" * 30, False)


@pytest.mark.parametrize("bad", ["", "short", "x" * 32, "x" * 101, "-" + "x" * 40, "x" * 40 + ":", "ä" * 40])
def test_a_malformed_session_id_is_refused(make_session: MakeSession, bad: str) -> None:
    with pytest.raises(InvalidInputError):
        make_session(runtime_session_id=bad)
    assert Session.objects.count() == 0


def test_the_same_outside_id_twice_is_a_conflict(make_agent: MakeAgent, make_session: MakeSession) -> None:
    agent = make_agent()
    make_session(agent=agent, runtime_session_id="x" * 40)

    with pytest.raises(SessionBusyError):
        make_session(agent=agent, runtime_session_id="x" * 40)


@pytest.mark.agentcore
def test_an_unknown_qualifier_is_looked_up_once_and_then_refused(
    demo_agent: Callable[[str], Agent], alice: User
) -> None:
    """S0-102."""
    agent = demo_agent("travel_concierge")
    Agent.objects.update(available_qualifiers=["DEFAULT"])
    agent.refresh_from_db()

    assert start_session(agent=agent, owner=alice, qualifier="prod").qualifier == "prod"
    with pytest.raises(UnknownQualifierError) as refused:
        start_session(agent=agent, owner=alice, qualifier="nowhere")
    assert refused.value.advice == "Its endpoints are: DEFAULT, prod."


@pytest.mark.agentcore
@pytest.mark.parametrize("change", [{"removed_at": timezone.now()}, {"origin": "aws"}, {"authorizer_kind": "jwt"}])
def test_an_agent_that_cannot_answer_is_not_invoked(make_agent: MakeAgent, alice: User, change: dict[str, Any]) -> None:
    with pytest.raises(AgentUnavailableError):
        start_session(agent=make_agent(**change), owner=alice)


@pytest.mark.agentcore
def test_an_invocation_is_sent_as_the_protocol_of_its_agent_asks_for(
    make_agent: MakeAgent, make_session: MakeSession
) -> None:
    session = make_session(agent=make_agent(protocol="AGUI"))

    body = json.loads(start_invocation(session=session, prompt="Hi {{uuid}}", process_id=None).payload)
    assert body["threadId"] == session.runtime_session_id
    assert body["messages"][0]["content"] == "Hi {{uuid}}"


@pytest.mark.agentcore
def test_an_invocation_is_stored_as_it_will_be_sent(make_agent: MakeAgent, make_session: MakeSession) -> None:
    session = make_session(agent=make_agent(payload_template={"input": {"q": "{{prompt}}"}}))

    invocation = start_invocation(session=session, prompt="Hi “there”", process_id=None)

    assert json.loads(invocation.payload) == {"input": {"q": "Hi “there”"}}
    assert (invocation.number, invocation.status, invocation.version) == (1, "pending", "3")
    assert Notice.objects.filter(topic=session.topic, kind=f"started:{invocation.pk}").count() == 1


def test_a_session_answers_one_prompt_at_a_time(make_session: MakeSession) -> None:
    session = make_session()
    first = start_invocation(session=session, prompt="one", process_id=None)

    with pytest.raises(SessionBusyError):
        start_invocation(session=session, prompt="two", process_id=None)
    Invocation.objects.filter(pk=first.pk).update(status="completed")
    assert start_invocation(session=session, prompt="two", process_id=None).number == 2


@pytest.mark.django_db(transaction=True)
def test_of_two_prompts_at_once_one_runs(make_session: MakeSession) -> None:
    session = make_session()
    outcomes: list[str] = []
    gate = threading.Barrier(2)

    def send() -> None:
        gate.wait()
        try:
            start_invocation(session=session, prompt="now", process_id=None)
            outcomes.append("started")
        except SessionBusyError:
            outcomes.append("busy")
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["busy", "started"]
    assert Invocation.objects.count() == 1


def test_a_stop_is_asked_of_a_running_invocation_only(make_session: MakeSession) -> None:
    invocation = start_invocation(session=make_session(), prompt="one", process_id=None)

    assert stop_invocation(invocation=invocation) is True
    Invocation.objects.update(status="completed", stop_requested_at=None)
    assert stop_invocation(invocation=invocation) is False
    invocation.refresh_from_db()
    assert invocation.stop_requested_at is None


def test_sessions_belong_to_their_owner_and_staff_sees_all(
    make_session: MakeSession, alice: User, bob: User, carol: User
) -> None:
    session = make_session()

    assert list(sessions_visible_to(alice)) == [session]
    assert list(sessions_visible_to(bob)) == []
    assert list(sessions_visible_to(carol)) == [session]


@pytest.mark.django_db(transaction=True)
def test_the_same_request_twice_at_once_is_one_run(make_session: MakeSession) -> None:
    session = make_session()
    started: list[int] = []
    gate = threading.Barrier(4)

    def send() -> None:
        gate.wait()
        try:
            run = start_invocation(session=session, prompt="now", process_id=None, request_key="form-1")
            started.append(run.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert started == [Invocation.objects.get().pk] * 4
    assert Notice.objects.filter(topic=session.topic, kind__startswith="started:").count() == 1


def test_a_request_that_comes_again_later_is_the_run_that_it_was(make_session: MakeSession) -> None:
    session = make_session()
    first = start_invocation(session=session, prompt="one", process_id=None, request_key="form-1")
    Invocation.objects.update(status="completed")
    second = start_invocation(session=session, prompt="two", process_id=None, request_key="form-2")

    assert start_invocation(session=session, prompt="one", process_id=None, request_key="form-1") == first
    with pytest.raises(SessionBusyError):
        start_invocation(session=session, prompt="three", process_id=None, request_key="form-3")
    elsewhere = start_invocation(session=make_session(), prompt="one", process_id=None, request_key="form-1")
    assert elsewhere.pk not in {first.pk, second.pk}


def test_a_key_that_comes_with_another_content_is_refused(make_session: MakeSession, make_agent: MakeAgent) -> None:
    session = make_session()
    start_invocation(session=session, prompt="one", process_id=None, request_key="form-1")

    with pytest.raises(RequestKeyReusedError):
        start_invocation(session=session, prompt="one, but edited", process_id=None, request_key="form-1")
    with pytest.raises(RequestKeyReusedError):
        start_invocation(session=session, prompt="one", process_id=None, payload='{"a": 1}', request_key="form-1")
    with pytest.raises(InvalidInputError):
        start_invocation(session=session, prompt="one", process_id=None, request_key="k" * 65)
    assert Invocation.objects.count() == 1


def test_the_same_request_makes_one_session(make_agent: MakeAgent, alice: User, bob: User) -> None:
    agent, other = make_agent(), make_agent()
    session = start_session(agent=agent, owner=alice, title="Ghent", request_key="form-1")

    assert start_session(agent=agent, owner=alice, title="Ghent", request_key="form-1") == session
    assert start_session(agent=agent, owner=bob, title="Ghent", request_key="form-1") != session
    with pytest.raises(RequestKeyReusedError):
        start_session(agent=other, owner=alice, request_key="form-1")
    assert Session.objects.filter(owner=alice).count() == 1


def test_a_payload_of_ones_own_is_sent_as_it_is(make_session: MakeSession) -> None:
    session = make_session()
    payload = '{ "input":{"q": "Hi"},\n "k":1.50 }'

    run = start_invocation(session=session, prompt="Hi", process_id=None, payload=payload)

    assert run.payload == payload
    Invocation.objects.update(status="completed")
    for broken in ('{"a": NaN}', "{'a': 1}", "", '{"a": 1} x'):
        with pytest.raises(InvalidInputError):
            start_invocation(session=session, prompt="Hi", process_id=None, payload=broken)
    assert Invocation.objects.count() == 1


def test_a_session_is_renamed_to_one_line(make_session: MakeSession) -> None:
    session = make_session(title="Ghent")

    rename_session(session=session, title="  Two days\nin Bruges ")

    session.refresh_from_db()
    assert session.title == "Two days"
    assert Notice.objects.filter(topic=session.topic, kind="renamed").exists()
    with pytest.raises(InvalidInputError):
        rename_session(session=session, title="a\0b")


def test_a_deleted_session_takes_its_runs_along_and_the_registry_counts_anew(
    make_agent: MakeAgent, make_session: MakeSession
) -> None:
    agent = make_agent()
    kept, gone = make_session(agent=agent), make_session(agent=agent)
    for session in (kept, gone):
        run = start_invocation(session=session, prompt="one", process_id=None)
        rest = Pending(run.pk, [{"seq": 1, "offset_ms": 1.0, "kind": "text", "text": "x"}])
        assert finish_invocation(None, rest, status="completed", completed_at=timezone.now())

    delete_session(session=gone)

    agent.refresh_from_db()
    assert (agent.invocation_count, agent.last_invoked_at) == (1, kept.invocations.get().requested_at)
    assert list(Session.objects.filter(deleted_at=None)) == [kept]
    with pytest.raises(MissingError):
        start_invocation(session=gone, prompt="two", process_id=None)
    purge_deleted(timezone.now() + timedelta(hours=2))
    assert list(Session.objects.all()) == [kept]
    assert RecordingBatch.objects.count() == 1
    with pytest.raises(MissingError):
        start_invocation(session=gone, prompt="two", process_id=None)
    agent.refresh_from_db()
    assert agent.invocation_count == 1


def test_a_session_that_is_answering_is_not_deleted(make_session: MakeSession) -> None:
    session = make_session()
    start_invocation(session=session, prompt="one", process_id=None)

    with pytest.raises(SessionBusyError):
        delete_session(session=session)
    assert Session.objects.count() == 1
