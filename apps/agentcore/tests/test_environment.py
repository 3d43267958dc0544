from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.agentcore.invoking.environment import environment_of
from apps.agents.models import Agent
from apps.sessions.models import Invocation, Session

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
IDLE, LIFETIME = timedelta(minutes=10), timedelta(hours=1)


def expires_at(session: Session) -> datetime | None:
    return environment_of(session, session.sent_runs()).expires_at


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


@pytest.fixture
def session(make_agent: Callable[..., Agent], make_session: Callable[..., Session]) -> Session:
    """A session whose environments live for ten idle minutes and an hour at most."""
    return make_session(agent=make_agent(idle_timeout_ms=600_000, max_lifetime_ms=3_600_000))


def add_run(
    session: Session, begin: float, end: float, *, is_unsent: bool = False, http_status: int | None = 200
) -> None:
    """A run from `begin` to `end`, in minutes after noon."""
    Invocation.objects.create(
        session=session, number=session.invocations.count() + 1, status="completed", prompt="go",
        requested_at=at(begin), invoked_at=at(begin), completed_at=at(end), is_unsent=is_unsent,
        http_status=http_status,
    )  # fmt: skip
    session.last_invoked_at = at(begin)


def test_the_environment_stays_for_the_idle_timeout_after_the_last_run(session: Session) -> None:
    assert expires_at(session) is None

    add_run(session, 0, 2)
    add_run(session, 5, 6)

    assert expires_at(session) == at(6) + IDLE


def test_the_environment_stays_no_longer_than_its_maximum_lifetime(session: Session) -> None:
    for minute in range(0, 56, 5):
        add_run(session, minute, minute + 1)
    assert expires_at(session) == NOON + LIFETIME

    add_run(session, 61, 62)  # served by a new environment, since that one was at its end
    assert expires_at(session) == at(62) + IDLE


def test_a_prompt_that_never_arrived_keeps_no_environment(session: Session) -> None:
    add_run(session, 0, 1)
    add_run(session, 9, 9, is_unsent=True)

    assert expires_at(session) == at(1) + IDLE


def test_a_prompt_that_was_refused_gets_no_environment(session: Session) -> None:
    add_run(session, 0, 1, http_status=403)
    assert expires_at(session) is None

    add_run(session, 2, 3, http_status=None)  # no answer came: one may have been made for it
    assert expires_at(session) == at(3) + IDLE


def test_an_ended_session_has_no_environment_until_the_next_prompt(session: Session) -> None:
    for minute in range(0, 50, 5):
        add_run(session, minute, minute + 1)
    session.ended_at = at(50)
    assert (session.is_ended, expires_at(session)) == (True, None)

    add_run(session, 51, 52)
    assert (session.is_ended, expires_at(session)) == (False, at(52) + IDLE)
    add_run(session, 58, 59)
    assert expires_at(session) == at(59) + IDLE


def test_a_long_conversation_costs_no_more_questions(
    session: Session, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for minute in range(20):
        add_run(session, minute, minute + 0.5)

    with django_assert_num_queries(1):
        assert expires_at(session) == at(19.5) + IDLE
