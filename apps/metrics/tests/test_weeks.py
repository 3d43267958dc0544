"""What the last seven days of each agent come to, as the worker keeps it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from apps.agents.models import Agent
from apps.metrics.figures.store_periods import settle_figures
from apps.metrics.models import AgentWeek, AgentWeeksMade, Measurement
from apps.metrics.spending.days import settle_costs
from apps.metrics.tests.runs import make_measured, make_run
from apps.metrics.weeks.making import NOT_BEFORE, first_day, is_due, make_weeks
from apps.metrics.weeks.shapes import read_week
from apps.metrics.weeks.tasks import enqueue_due_weeks
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
NOW = timezone.now()


def make_started(session: Session, first_byte_s: float, kind: str, *, days_ago: int = 0, **run: Any) -> Measurement:
    """A run of a day (of UTC) whose first token came after `first_byte_s`, with a start of a known kind."""
    sent_at = first_day(NOW) + timedelta(days=6 - days_ago)
    first_at, ended_at = (sent_at + timedelta(seconds=seconds) for seconds in (first_byte_s, first_byte_s + 1))
    times = {"requested_at": sent_at, "invoked_at": sent_at, "headers_at": sent_at, "completed_at": ended_at}
    made = make_run(session, **{**times, "first_chunk_at": first_at, "first_token_at": first_at, **run})
    return make_measured(made, first_byte_s * 800, start_kind=kind)


def test_a_week_has_rates_with_n_medians_from_six_runs_on_and_what_it_cost(make_session: MakeSession) -> None:
    session = make_session()
    for number in range(1, 7):
        make_started(session, number, "created", days_ago=number % 3, cost_usd=Decimal("0.25"), cost_source="estimate")
    for seconds in (0.4, 0.5):
        make_started(session, seconds, "reused", status="failed", cost_usd=None, cost_source="unknown")
    make_started(session, 90, "created", days_ago=7)  # too long ago
    while settle_costs(NOW):
        pass

    make_weeks(NOW)

    row = AgentWeek.objects.get()
    assert (row.run_count, row.error_rate, row.ttft_cold_ms, row.ttft_warm_ms) == (8, 0.25, 3000, None)
    assert (row.startup_ms, row.cost_micros) == (2400, 1_500_000)
    week = read_week(row)
    assert (week.finished, week.failed, week.unknown_costs, week.estimated_costs) == (8, 2, 2, 6)
    assert (week.ttft_cold.n, week.ttft_cold.minimum, week.ttft_cold.maximum) == (6, 1000, 6000)
    assert (week.ttft_warm.n, week.ttft_warm.p50, week.startup_source) == (2, None, "start line")
    assert [(day.finished, day.failed, day.cold.n, day.warm.n) for day in week.days] == [
        *[(0, 0, 0, 0)] * 4, (2, 0, 2, 0), (2, 0, 2, 0), (4, 2, 2, 2),
    ]  # fmt: skip


def test_weeks_are_the_same_from_stored_days_and_only_what_differs_is_written(
    make_session: MakeSession, make_agent: Callable[..., Agent]
) -> None:
    first, second, elsewhere = make_session(), make_session(), make_session()
    make_agent()  # never invoked
    for session in (first, second, elsewhere):
        make_started(session, 2, "created", days_ago=3)
    Agent.objects.filter(pk=elsewhere.agent_id).update(origin="aws")
    assert make_weeks(NOW) == 2
    rows = list(AgentWeek.objects.values())

    while settle_figures(NOW):
        pass
    assert make_weeks(NOW) == 0 and list(AgentWeek.objects.values()) == rows
    make_started(second, 3, "reused", days_ago=1)
    assert make_weeks(NOW) == 1

    assert make_weeks(NOW + timedelta(days=5)) == 2  # the older runs are not of this week any more
    assert [row.agent_id for row in AgentWeek.objects.all()] == [second.agent_id]


def test_they_are_due_when_something_has_changed_and_not_too_often(make_session: MakeSession) -> None:
    session = make_session()
    enqueue_due_weeks()
    enqueue_due_weeks()
    assert OrmQ.objects.count() == 1
    make_weeks(NOW)
    later = NOW + NOT_BEFORE
    assert not is_due(later)

    run = make_run(session, requested_at=NOW, invoked_at=NOW, completed_at=None, status="streaming")
    assert is_due(later) and not is_due(NOW + NOT_BEFORE / 2)
    make_weeks(later)
    assert not is_due(later + NOT_BEFORE)
    run.completed_at, run.status = later, "completed"
    run.save()
    assert is_due(later + NOT_BEFORE)
    make_weeks(later)
    measured = make_measured(run, 100.0)
    assert is_due(later + NOT_BEFORE)
    make_weeks(later)
    Measurement.objects.filter(pk=measured.pk).update(start_kind="created", updated_at=later)
    assert is_due(later + NOT_BEFORE)

    # However many agents there are, they take a twentieth of the worker's time at most.
    AgentWeeksMade.objects.update(took_ms=10_000)
    assert not is_due(later + timedelta(seconds=199)) and is_due(later + timedelta(seconds=201))
