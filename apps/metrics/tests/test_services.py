from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.agents.models import Agent
from apps.metrics.models import Measurement
from apps.metrics.starts.services import create_measurement, create_missing_measurements
from apps.metrics.tests.runs import NOON, at, make_due, make_measurement, make_run
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
MakeAgent = Callable[..., Agent]


def running(session: Session) -> Invocation:
    return start_invocation(session=session, prompt="Two days?", process_id=None)


def finish(invocation: Invocation, **columns: Any) -> bool:
    fields = {"invoked_at": at(0), "first_chunk_at": at(2), "http_status": 200, **columns}
    return finish_invocation(
        None, Pending(invocation.pk, [], fields), status=Invocation.Status.COMPLETED, completed_at=at(3)
    )


def test_the_end_of_a_run_makes_its_measurement(make_session: MakeSession) -> None:
    session = make_session()
    before = timezone.now()
    assert finish(running(session))

    measurement = Measurement.objects.get()
    assert (measurement.state, measurement.tries, measurement.low_ms, measurement.high_ms) == ("waiting", 0, 0, 2000)
    assert (measurement.start_kind, measurement.start_kind_reason) == ("created", "first of its session")
    assert measurement.log_group == session.agent.runtime.log_group
    assert measurement.next_at is not None
    assert before <= measurement.next_at <= timezone.now()


def test_an_end_that_is_not_stored_makes_none(make_session: MakeSession) -> None:
    """Both rows commit or neither does."""
    invocation = running(make_session())

    def break_off(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("INSERT") and "core_notice" in sql:
            assert Measurement.objects.filter(invocation=invocation).exists(), "the measurement is made before"
            raise RuntimeError("the end is not stored")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(break_off), pytest.raises(RuntimeError):
        finish(invocation)

    assert Measurement.objects.count() == 0
    assert Invocation.objects.get().status == Invocation.Status.PENDING


def test_a_run_has_one_measurement_however_often_it_is_made(make_session: MakeSession) -> None:
    invocation = make_run(make_session())
    first = make_due(invocation, tries=3)

    second = make_measurement(invocation)

    assert (second.pk, second.tries) == (first.pk, 3)
    assert Measurement.objects.count() == 1


def test_the_log_group_is_that_of_the_sessions_endpoint(make_session: MakeSession, make_agent: MakeAgent) -> None:
    """S0-066."""
    agent = make_agent(available_qualifiers=["DEFAULT", "prod"])
    measurement = make_measurement(make_run(make_session(agent=agent, qualifier="prod")))

    assert measurement.log_group == f"/aws/bedrock-agentcore/runtimes/{agent.runtime.runtime_id}-prod"


def test_without_a_first_byte_the_end_bounds_the_start(make_session: MakeSession) -> None:
    invocation = make_run(make_session(), first_chunk_at=None, ended_s=3.5)

    assert make_measurement(invocation).high_ms == 3500


def test_missing_measurements_of_young_runs_are_made(make_session: MakeSession) -> None:
    now = at(660)
    young = make_run(make_session(), 60.5, ended_s=0.0)
    make_run(make_session(), 60.0, ended_s=0.0)
    make_run(make_session(), 100.0, status="streaming", completed_at=None)
    make_due(make_run(make_session(), 200.0))

    assert create_missing_measurements(now) == 1
    assert create_missing_measurements(now) == 0
    assert Measurement.objects.filter(invocation=young, state="waiting").exists()
    assert Measurement.objects.count() == 2


@pytest.mark.parametrize("http_status", [400, 401, 402, 403, 404, 409, 429])
def test_a_refused_request_is_not_looked_for(make_session: MakeSession, http_status: int) -> None:
    measurement = make_measurement(
        make_run(make_session(), status="failed", http_status=http_status, first_chunk_at=None)
    )

    assert (measurement.state, measurement.next_at, measurement.is_cold) == ("not_found", None, None)
    assert measurement.error_message == "No agent was started, so there is no start to measure."
    assert measurement.start_kind_reason == "no agent was started: the request was refused"


def test_a_request_that_was_never_sent_is_not_looked_for(make_session: MakeSession) -> None:
    nothing: dict[str, Any] = {"invoked_at": None, "headers_at": None, "first_chunk_at": None, "http_status": None}
    measurement = make_measurement(make_run(make_session(), status="failed", **nothing))

    assert (measurement.state, measurement.next_at, measurement.high_ms) == ("not_found", None, None)


@pytest.mark.parametrize(
    ("http_status", "reason"),
    [
        (None, "no answer came, so nothing shows that an environment was started"),
        (424, "HTTP 424 does not show whether an environment was started"),
        (500, "HTTP 500 does not show whether an environment was started"),
    ],
)
def test_a_failure_that_may_have_run_is_looked_for_and_its_kind_left_open(
    make_session: MakeSession, http_status: int | None, reason: str
) -> None:
    """The first of its session, and yet nothing shows that an environment was made for it."""
    measurement = make_measurement(
        make_run(make_session(), status="failed", http_status=http_status, first_chunk_at=None)
    )

    assert (measurement.state, measurement.start_kind, measurement.start_kind_reason) == ("waiting", "unknown", reason)


def kinds(session: Session) -> list[tuple[str, str]]:
    for invocation in session.invocations.select_related("session__agent").order_by("number"):
        create_measurement(invocation=invocation)
    found = Measurement.objects.filter(invocation__session=session).order_by("invocation__number")
    return list(found.values_list("start_kind", "start_kind_reason"))


def test_the_session_tells_warm_from_cold(make_session: MakeSession, make_agent: MakeAgent) -> None:
    """Sent at 0, 60, 1,060 and 1,120 s to an agent that idles for 900 s; a refused request changes nothing."""
    session = make_session(agent=make_agent(idle_timeout_ms=900_000))
    make_run(session, 0)
    make_run(session, 30, status="failed", http_status=429)
    make_run(session, 60)
    make_run(session, 1_060)
    make_run(session, 1_120)

    assert kinds(session) == [
        ("created", "first of its session"),
        ("unknown", "no agent was started: the request was refused"),
        ("reused", "the run before used the same environment"),
        ("created", "idle for longer than the idle timeout"),
        ("reused", "the run before used the same environment"),
    ]


def test_after_a_failure_that_may_have_taken_the_environment_down_nothing_is_certain(
    make_session: MakeSession,
) -> None:
    session = make_session()
    make_run(session, 0)
    make_run(session, 10, status="failed", http_status=424)
    make_run(session, 20)

    assert kinds(session)[2] == ("unknown", "the run before failed and may have taken its environment down")


def test_a_session_that_was_ended_starts_cold(make_session: MakeSession) -> None:
    session = make_session()
    make_run(session, 0)
    Session.objects.filter(pk=session.pk).update(ended_at=NOON + timedelta(seconds=20))
    make_run(session, 30)
    session.refresh_from_db()

    assert kinds(session)[1] == ("created", "the session was ended before")


def test_a_session_id_from_outside_says_nothing_of_its_first_run(make_session: MakeSession) -> None:
    session = make_session(runtime_session_id="somebody-elses-session-0000000001")
    make_run(session, 0)

    assert kinds(session) == [("unknown", "the session id came from outside, so it may have been used before")]


def test_a_reused_environment_keeps_the_version_it_was_started_with(make_session: MakeSession) -> None:
    """The endpoint leads to version 4 from the second run on; the third comes after the idle timeout."""
    session = make_session()
    for sent_s, version in ((0, "3"), (60, "4"), (5_000, "4"), (5_060, "5")):
        make_run(session, sent_s, version=version)

    assert [kind for kind, _ in kinds(session)] == ["created", "reused", "created", "reused"]
    runs = session.invocations.order_by("number").values_list("version", "measurement__live_version")
    assert list(runs) == [("3", "3"), ("3", "4"), ("4", "4"), ("4", "5")]


def test_in_a_long_conversation_two_earlier_runs_decide(
    make_session: MakeSession, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    session = make_session()
    for number in range(6):
        make_measurement(make_run(session, 10.0 * number))
    last = make_run(session, 60.0)
    last = Invocation.objects.select_related("session__agent__runtime").get(pk=last.pk)

    with django_assert_max_num_queries(3):  # the run before, the one that started the environment, the insert
        create_measurement(invocation=last)
    assert last.measurement.start_kind_reason == "the run before used the same environment"
