"""What comes next in a series, told from its rows alone: each test ends runs as an engine would."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.signals import pre_save
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import ConflictError
from apps.metrics.models import StartSeries, StartSeriesRun
from apps.metrics.series import advancing, services
from apps.metrics.series.advancing import advance_all, advance_series
from apps.metrics.series.selectors import session_rows
from apps.metrics.series.services import Plan, start_series
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.exceptions import SessionInUseError
from apps.sessions.keeping import delete_session, purge_deleted
from apps.sessions.models import Invocation, Session
from apps.sessions.services import delete_invocations
from apps.sessions.tests.memory_host import MemoryHost

pytestmark = pytest.mark.django_db

Begin = Callable[..., StartSeries]


@pytest.fixture
def begin(memory: MemoryHost, make_agent: Callable[..., Agent], alice: User) -> Begin:
    """A series that has begun."""

    def make(**plan: Any) -> StartSeries:
        agent = make_agent(kind="external")
        series = start_series(agent=agent, owner=alice, plan=Plan(**{"prompt": "Two days?", "count": 2, **plan}))
        advance_series(series.pk)
        series.refresh_from_db()
        return series

    return make


def test_what_a_series_that_goes_on_has_sent_is_not_deleted(begin: Begin) -> None:
    series = begin(has_warm_turn=False)
    end_newest(series)
    first = series.runs.select_related("invocation__session").get(position=1).invocation
    with pytest.raises(SessionInUseError):
        delete_session(session=first.session)
    assert delete_invocations(invocations=[first]) == set()

    StartSeries.objects.filter(pk=series.pk).update(state="done")
    delete_session(session=first.session)
    assert [row.position for row in session_rows(series)] == [2]
    purge_deleted(timezone.now() + timedelta(hours=2))
    assert not series.runs.filter(position=1).exists()


def places(series: StartSeries) -> list[tuple[int, bool, str]]:
    """The runs of a series: position, whether it is the warm one, how it stands."""
    rows = series.runs.order_by("position", "is_warm").values_list("position", "is_warm", "invocation__status")
    return [(position, is_warm, status) for position, is_warm, status in rows]


def end_newest(series: StartSeries, status: str = "completed") -> None:
    """End the newest run, as an engine that took it out of the queue, and take the series on."""
    run = Invocation.objects.get(pk=series.runs.order_by("position", "is_warm").last().invocation_id)  # type: ignore[union-attr]
    now = timezone.now()
    fields = {"invoked_at": now, "http_status": 200}
    assert finish_invocation(None, Pending(run.pk, [], fields), status=status, completed_at=now)
    advance_series(series.pk)
    series.refresh_from_db()


def test_each_session_is_a_cold_and_a_warm_run_one_after_the_other(begin: Begin, memory: MemoryHost) -> None:
    series = begin()
    assert (series.state, places(series)) == ("running", [(1, False, "queued")])
    assert series.started_at is not None
    for _ in range(3):
        advance_series(series.pk)  # nothing has ended, so nothing comes next
    assert len(places(series)) == 1

    end_newest(series)
    assert places(series)[1:] == [(1, True, "queued")]
    assert memory.ended == []
    end_newest(series)
    assert places(series)[2:] == [(2, False, "queued")]
    first, second = Session.objects.order_by("pk")
    assert memory.ended == [first.pk]
    end_newest(series)
    end_newest(series)

    assert (series.state, series.message, len(places(series))) == ("done", "", 4)
    assert memory.ended == [first.pk, second.pk]
    assert set(Invocation.objects.values_list("source", flat=True)) == {"measure"}
    assert set(Session.objects.values_list("purpose", flat=True)) == {"measure_start"}


def test_without_a_warm_turn_and_without_ending_sessions(begin: Begin, memory: MemoryHost) -> None:
    series = begin(has_warm_turn=False, ends_session=False)
    end_newest(series)
    end_newest(series)

    assert (series.state, places(series)) == ("done", [(1, False, "completed"), (2, False, "completed")])
    assert memory.ended == []


def test_a_failed_start_has_no_warm_turn_and_three_in_a_row_are_enough(begin: Begin) -> None:
    series = begin(count=9)
    end_newest(series, "failed")
    end_newest(series, "interrupted")
    end_newest(series)  # one that went well, its warm turn, and the count begins anew
    end_newest(series)
    for _ in range(3):
        assert series.state == "running"
        end_newest(series, "failed")

    assert series.state == "failed"
    assert series.message.startswith("3 sessions failed one after the other")
    assert [position for position, _, _ in places(series)] == [1, 2, 3, 3, 4, 5, 6]


def test_a_cancelled_series_stops_its_run_and_is_over(begin: Begin, memory: MemoryHost) -> None:
    series = begin()
    services.cancel_series(series=series)
    advance_series(series.pk)
    series.refresh_from_db()

    assert (series.state, places(series)) == ("cancelled", [(1, False, "stopped")])
    assert (series.message, memory.ended) == ("Cancelled before it began.", [])


def test_a_series_that_is_cancelled_later_keeps_what_was_measured(begin: Begin, memory: MemoryHost) -> None:
    series = begin()
    end_newest(series)
    services.cancel_series(series=series)
    advance_series(series.pk)
    series.refresh_from_db()

    assert (series.state, places(series)) == ("cancelled", [(1, False, "completed"), (1, True, "stopped")])
    assert series.message == "Cancelled. What was measured until then is kept."
    assert memory.ended == [Session.objects.get().pk]


def test_a_series_that_nobody_has_begun_is_cancelled_at_once(
    memory: MemoryHost, make_agent: Callable[..., Agent], alice: User
) -> None:
    series = start_series(agent=make_agent(), owner=alice, plan=Plan(prompt="Two days?", count=2))
    services.cancel_series(series=series)
    advance_series(series.pk)
    series.refresh_from_db()

    assert (series.state, series.message, places(series)) == ("cancelled", "Cancelled before it began.", [])


def test_what_cannot_be_ended_is_counted_and_told(begin: Begin, memory: MemoryHost) -> None:
    memory.refusal = ConflictError("AWS is busy.")
    series = begin(has_warm_turn=False)
    end_newest(series)
    end_newest(series)

    assert (series.state, series.not_ended_count) == ("done", 2)
    assert series.message == "2 sessions could not be ended; AgentCore does so at the idle timeout."


def test_an_agent_that_cannot_be_invoked_any_more_ends_the_series(begin: Begin) -> None:
    series = begin(has_warm_turn=False)
    Agent.objects.filter(pk=series.agent_id).update(removed_at=timezone.now())
    end_newest(series)

    assert series.state == "failed"
    assert "is archived. Bring it back to invoke it." in series.message


def test_the_worker_takes_on_what_nobody_heard_of_and_leaves_the_other_mode_alone(begin: Begin, settings: Any) -> None:
    series = begin(has_warm_turn=False)
    run = Invocation.objects.get()
    finish_invocation(None, Pending(run.pk, [], {}), status="completed", completed_at=timezone.now())
    settings.LOOM_AWS = "aws"
    assert (advance_all(), len(places(series))) == (0, 1)

    settings.LOOM_AWS = "emulator"
    assert (advance_all(), len(places(series))) == (1, 2)


def test_two_processes_that_take_a_series_on_at_once_begin_one_session(begin: Begin) -> None:
    """The second to come finds the place taken, and leaves nothing behind."""
    series = begin(has_warm_turn=False)
    end_newest(series)
    assert places(series)[1:] == [(2, False, "queued")]

    advancing._begin(series, 2)

    assert len(places(series)) == 2
    assert Session.objects.count() == 2


def test_two_processes_that_take_a_series_on_at_once_send_one_warm_turn(begin: Begin) -> None:
    """The second to come finds the session answering, which is no failure of the series."""
    series = begin()
    as_both_saw_it = series.runs.select_related("invocation__session__agent").get()
    end_newest(series)
    assert places(series)[1:] == [(1, True, "queued")]

    advancing._warm(series, as_both_saw_it)

    series.refresh_from_db()
    assert (series.state, len(places(series))) == ("running", 2)


def test_a_kill_between_a_session_and_its_first_prompt_leaves_neither(
    memory: MemoryHost, make_agent: Callable[..., Agent], alice: User
) -> None:
    series = start_series(agent=make_agent(kind="external"), owner=alice, plan=Plan(count=2, prompt="Two days?"))

    def kill(**_: object) -> None:
        raise SystemExit

    pre_save.connect(kill, sender=StartSeriesRun)
    try:
        with pytest.raises(SystemExit):
            advance_series(series.pk)
    finally:
        pre_save.disconnect(kill, sender=StartSeriesRun)

    assert not Session.objects.exists()
    advance_series(series.pk)
    assert Session.objects.count() == series.runs.count() == 1
