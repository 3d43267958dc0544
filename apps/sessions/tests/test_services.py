from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import InvalidInputError
from apps.core.models import Notice
from apps.sessions.exceptions import AgentUnavailableError, SessionBusyError, UnknownQualifierError
from apps.sessions.models import Invocation, Session
from apps.sessions.selectors import sessions_visible_to
from apps.sessions.services import request_stop, start_invocation, start_session

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


@pytest.mark.parametrize("change", [{"removed_at": timezone.now()}, {"origin": "aws"}, {"authorizer_kind": "jwt"}])
def test_an_agent_that_cannot_answer_is_not_invoked(make_agent: MakeAgent, alice: User, change: dict[str, Any]) -> None:
    with pytest.raises(AgentUnavailableError):
        start_session(agent=make_agent(**change), owner=alice)


def test_an_invocation_is_stored_as_it_will_be_sent(make_agent: MakeAgent, make_session: MakeSession) -> None:
    session = make_session(agent=make_agent(payload_template={"input": {"q": "{{prompt}}"}}))

    invocation = start_invocation(session=session, prompt="Hi “there”", process_id=None)

    assert json.loads(invocation.payload) == {"input": {"q": "Hi “there”"}}
    assert (invocation.number, invocation.status, invocation.version) == (1, "pending", "3")
    assert Notice.objects.filter(topic=session.topic, kind="started").count() == 1


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

    assert request_stop(invocation=invocation) is True
    Invocation.objects.update(status="completed", stop_requested_at=None)
    assert request_stop(invocation=invocation) is False
    invocation.refresh_from_db()
    assert invocation.stop_requested_at is None


def test_sessions_belong_to_their_owner_and_staff_sees_all(
    make_session: MakeSession, alice: User, bob: User, carol: User
) -> None:
    session = make_session()

    assert list(sessions_visible_to(alice)) == [session]
    assert list(sessions_visible_to(bob)) == []
    assert list(sessions_visible_to(carol)) == [session]
