from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.tasks import async_task

from apps.aws.tests.emulator_process import Emulator
from apps.metrics.models import Measurement
from apps.metrics.starts.tasks import enqueue_due_sweep, sweep_measurements
from apps.metrics.tests.runs import make_due, make_run
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]


def queued() -> list[str]:
    return [task.name() for task in OrmQ.objects.order_by("pk")]


def test_nothing_is_queued_while_nothing_is_due(make_session: MakeSession) -> None:
    make_due(make_run(make_session()), next_at=timezone.now() + timedelta(hours=1))
    make_due(make_run(make_session()), state="measured", next_at=None)
    enqueue_due_sweep()

    assert queued() == []


def test_what_is_due_is_handed_to_the_cluster_once(make_session: MakeSession) -> None:
    """However often the ticker ticks before a worker takes it."""
    make_due(make_run(make_session()))
    for _ in range(3):
        enqueue_due_sweep()

    assert queued() == ["sweep measurements"]
    task = OrmQ.objects.get().task
    assert (task["func"], task["args"], task["save"], task["ack_failure"]) == (sweep_measurements, (), False, True)


def test_other_tasks_do_not_hold_it_back(make_session: MakeSession) -> None:
    async_task(timezone.now, q_options={"task_name": "something else"})
    make_due(make_run(make_session()))
    enqueue_due_sweep()

    assert queued() == ["something else", "sweep measurements"]


@pytest.mark.parametrize(("taken_s_ago", "count"), [(0, 1), (31, 2)])
def test_one_that_a_worker_is_at_counts_until_its_lease_would_run_out(
    make_session: MakeSession, taken_s_ago: float, count: int
) -> None:
    """A worker that was killed leaves its task locked for minutes."""
    make_due(make_run(make_session()))
    enqueue_due_sweep()
    assert get_broker().dequeue() is not None
    taken_at = timezone.now() - timedelta(seconds=taken_s_ago)
    OrmQ.objects.update(lock=taken_at + timedelta(seconds=Conf.RETRY))
    enqueue_due_sweep()

    assert len(queued()) == count


def test_the_tick_makes_a_missing_measurement_and_looks_for_it(make_session: MakeSession) -> None:
    ended_at = timezone.now() - timedelta(minutes=2)
    invocation = make_run(make_session(), invoked_at=ended_at - timedelta(seconds=3), completed_at=ended_at)
    enqueue_due_sweep()

    assert Measurement.objects.get().invocation == invocation
    assert queued() == ["sweep measurements"]


def test_the_task_looks_once_at_the_connection_of_the_settings(emulator: Emulator, make_session: MakeSession) -> None:
    """The agent is none of the emulator's, so it has no log group there."""
    measurement = make_due(make_run(make_session()))
    sweep_measurements()

    measurement.refresh_from_db()
    assert (measurement.tries, measurement.error_code) == (1, "ResourceNotFoundException")
