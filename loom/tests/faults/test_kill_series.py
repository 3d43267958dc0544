"""A web process that is killed in the middle of a start series, and the next one, which takes the series on. There is
no worker here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.aws.tests.emulator_process import Emulator
from apps.metrics.benches.results import result_of
from apps.metrics.benches.services import BenchAsked, start_bench
from apps.metrics.models import Bench, Measurement, Plan, StartSeries, StartSeriesRun
from apps.metrics.series.advancing import advance_series
from apps.metrics.series.plans import Target
from apps.metrics.series.running import advance_plan
from apps.metrics.series.services import Plan as SeriesPlan
from apps.metrics.series.services import start_series
from apps.sessions.models import Invocation, Session
from loom.processes.start_all import web_spec
from loom.tests.running import Running, free_port, wait_until
from loom.tests.this_database import url_of_this_database


def web_process(emulator: Emulator) -> Running:
    """A web process on the database and the emulator of this test."""
    environment = {"DATABASE_URL": url_of_this_database(), "EMULATOR_PORT": emulator.url.rpartition(":")[2]}
    return Running(*web_spec({**os.environ}).argv[1:], f"--port={free_port()}", environment=environment)


def state_of(series: StartSeries) -> str:
    return StartSeries.objects.values_list("state", flat=True).get(pk=series.pk)


def sent(emulator: Emulator) -> list[int]:
    """How many prompts the agent really got in each session, in order."""
    ids = Session.objects.order_by("pk").values_list("runtime_session_id", flat=True)
    return [len(emulator.invocations(session_id)) for session_id in ids]


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")
@pytest.mark.django_db(transaction=True)
def test_a_series_outlives_its_process_and_nothing_of_it_is_sent_twice(
    emulator: Emulator, demo_agent: Callable[[str], Agent], alice: User
) -> None:
    agent = demo_agent("code_tutor")
    emulator.order(kind="silence", after_chunks=1, seconds=0)  # the first session's
    emulator.order(kind="silence", after_chunks=3, seconds=1200)
    series = start_series(agent=agent, owner=alice, plan=SeriesPlan(count=3, prompt="Two days?", has_warm_turn=False))
    advance_series(series.pk)
    with web_process(emulator):
        second = Invocation.objects.filter(
            pk__in=StartSeriesRun.objects.filter(position=2).values("invocation"), first_chunk_at__isnull=False
        )
        wait_until(second.exists, "the second session answers")
    # Leaving the block killed it, with no time to say anything.
    assert state_of(series) == "running"

    with web_process(emulator):
        wait_until(lambda: state_of(series) != "running", "the series is over")

    series.refresh_from_db()
    assert (series.state, series.message) == ("done", "")
    runs = [run.invocation for run in series.runs.select_related("invocation")]
    assert [run.status for run in runs] == ["completed", "interrupted", "completed"]
    assert [Measurement.objects.filter(invocation=run).exists() for run in runs] == [True] * 3
    assert sent(emulator) == [1, 1, 1]


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")
@pytest.mark.django_db(transaction=True)
def test_a_bench_outlives_its_process_and_nothing_of_it_is_sent_twice(
    emulator: Emulator, demo_agent: Callable[[str], Agent], alice: User
) -> None:
    target = Target(demo_agent("travel_concierge"))
    emulator.order(kind="silence", after_chunks=1, seconds=0)
    emulator.order(kind="silence", after_chunks=3, seconds=1200)  # the second run, in whose midst it is killed
    asked = BenchAsked(target, target, "Two days?", rungs=(1, 2), pairs=8, warm_up=0, start="cold")
    bench = start_bench(owner=alice, asked=asked)
    advance_plan(bench.plan_id)
    runs = bench.plan.runs
    with web_process(emulator):
        second = runs.filter(place=2, invocation__first_chunk_at__isnull=False)
        wait_until(second.exists, "the second run answers")

    with web_process(emulator):
        wait_until(lambda: Plan.objects.get(pk=bench.plan_id).state != "running", "the bench is over")

    statuses = list(runs.order_by("place").values_list("invocation__status", flat=True))
    assert statuses == ["completed", "interrupted", *["completed"] * 30]
    assert sent(emulator) == [1] * 32
    result = result_of(Bench.objects.select_related("plan__budget").get(pk=bench.plan_id))
    assert result.is_whole
    assert sum(side.failed for side in result.rungs[0].sides) == 1
