from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import InvalidInputError
from apps.metrics.models import Measurement, StartSeries
from apps.metrics.series.advancing import advance_series
from apps.metrics.series.pool import Pool, knee_of, pool_of
from apps.metrics.series.services import Plan, cancel_series, estimate_usd, start_series
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.models import Invocation
from apps.sessions.tests.memory_host import MemoryHost

Begin = Callable[..., StartSeries]


def test_the_knee_is_where_the_latencies_jump() -> None:
    assert knee_of([400, 420, 430, *range(2_800, 3_400, 20)]) == 3
    assert knee_of(list(range(2_800, 3_400, 20))) is None
    assert knee_of([2_800, 2_810, 2_820, 2_830, 2_840, 2_850, 2_860, 9_000]) is None  # one slow start makes none
    assert knee_of([]) is None


def test_forty_drawn_starts_have_their_knee_at_the_size_of_the_pool() -> None:
    draw = random.Random(3)

    def starts(p75_ms: float, sigma: float, count: int) -> list[float]:
        return [draw.lognormvariate(math.log(p75_ms) - 0.674 * sigma, sigma) for _ in range(count)]

    for size in (1, 2, 3, 5, 8) * 100:
        found = knee_of(sorted(starts(420, 0.12, size) + starts(2_850, 0.16, 40 - size)))
        assert found is not None and abs(found - size) <= 1
    assert [knee_of(sorted(starts(2_850, 0.16, 40))) for _ in range(100)].count(None) >= 95


@pytest.fixture
def begin(memory: MemoryHost, make_agent: Callable[..., Agent], alice: User) -> Begin:
    def make(**plan: Any) -> StartSeries:
        asked = Plan(**{"prompt": "Two days?", "count": 12, "is_at_once": True, **plan})
        series = start_series(agent=make_agent(kind="external"), owner=alice, plan=asked)
        advance_series(series.pk)
        series.refresh_from_db()
        return series

    return make


def end_run(series: StartSeries, position: int, ms: float, status: str = "completed", stream: str = "") -> None:
    """End the run of a session after so long, and say which environment the logs tell."""
    run = series.runs.get(position=position).invocation
    sent_at = timezone.now()
    ended_at = sent_at + timedelta(milliseconds=ms)
    fields = {"invoked_at": sent_at, "http_status": 200, "first_token_at": ended_at}
    assert finish_invocation(None, Pending(run.pk, [], fields), status=status, completed_at=ended_at)
    if stream:
        Measurement.objects.create(invocation=run, start_kind=stream, log_stream=f"{stream}-{run.pk}", log_group="x")
    advance_series(series.pk)
    series.refresh_from_db()


def pool(series: StartSeries) -> Pool:
    found = pool_of(series)
    assert found is not None
    return found


@pytest.mark.django_db
def test_all_sessions_begin_together_and_end_with_the_last(begin: Begin, memory: MemoryHost) -> None:
    series = begin()
    assert series.runs.count() == 12
    assert set(Invocation.objects.values_list("status", flat=True)) == {"queued"}
    for position in range(1, 12):
        end_run(series, position, 400 if position < 4 else 2_800 + position)
    assert (series.state, memory.ended) == ("running", [])

    end_run(series, 12, 2_900)

    assert (series.state, len(memory.ended)) == ("done", 12)
    found = pool(series)
    assert (found.sent_count, found.knee, found.size, found.by, found.is_least) == (12, 3, 3, "latency", False)
    assert not series.runs.filter(is_warm=True).exists()


@pytest.mark.django_db
def test_the_logs_have_the_word_where_they_tell_of_every_start(begin: Begin) -> None:
    series = begin(count=10)
    for position in range(1, 11):
        end_run(series, position, 2_000, stream="pooled" if position in (2, 7) else "created")

    assert (pool(series).knee, pool(series).size, pool(series).by) == (None, 2, "logs")


@pytest.mark.django_db
def test_a_pool_that_served_all_is_told_as_the_least(begin: Begin) -> None:
    series = begin(count=2)
    for position in (1, 2):
        end_run(series, position, 400, stream="pooled")

    assert (pool(series).size, pool(series).is_least) == (2, True)


@pytest.mark.django_db
def test_without_logs_and_without_a_knee_nothing_is_said(begin: Begin) -> None:
    series = begin(count=10)
    for position in range(1, 11):
        end_run(series, position, 2_000 + position)

    assert (pool(series).size, pool(series).by) == (None, "")


@pytest.mark.django_db
def test_a_cancelled_one_stops_what_is_out_and_keeps_what_it_found(begin: Begin) -> None:
    series = begin(count=8)
    end_run(series, 1, 400)
    cancel_series(series=series)
    advance_series(series.pk)
    series.refresh_from_db()

    assert series.state == "cancelled"
    assert set(Invocation.objects.values_list("status", flat=True)) == {"completed", "stopped"}
    assert pool(series).sent_count == 1


@pytest.mark.django_db
def test_one_that_nobody_answers_has_failed(begin: Begin) -> None:
    series = begin(count=2)
    for position in (1, 2):
        end_run(series, position, 400, "failed")

    assert (series.state, series.message.startswith("None of the sessions was answered")) == ("failed", True)


@pytest.mark.django_db
def test_what_it_may_cost_is_shown_first_and_held_against_the_limit(
    client: Client, alice: User, make_agent: Callable[..., Agent]
) -> None:
    agent, many = make_agent(), Plan(count=50, prompt="Hi", is_at_once=True)
    client.force_login(alice)
    query: dict[str, str | int] = {
        "count": 50,
        "is_at_once": "on",
        "has_warm_turn": "on",
        "ends_session": "on",
        "max_cost_usd": 1,
    }
    shown = client.get(f"/operate/agents/{agent.pk}/start-series/estimate/", query).content.decode()
    assert f"${estimate_usd(agent=agent, plan=many)}" in shown and "1 answer" in shown

    for plan in (
        Plan(count=51, prompt="Hi", is_at_once=True),
        Plan(count=50, prompt="Hi", is_at_once=True, max_cost_usd=estimate_usd(agent=agent, plan=many) / 2),
    ):
        with pytest.raises(InvalidInputError):
            start_series(agent=agent, owner=alice, plan=plan)
    assert not StartSeries.objects.exists()
