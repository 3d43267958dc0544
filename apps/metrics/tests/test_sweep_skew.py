"""Runs whose lines another clock put far from where they belong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.metrics.starts.panel import latency_panel
from apps.metrics.starts.sweep import sweep
from apps.metrics.tests.cloudwatch import CloudWatch
from apps.metrics.tests.conftest import LogsOf
from apps.metrics.tests.runs import at, make_due, make_run
from apps.metrics.tests.test_sweep import state_of, write
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]


def skewed(make_session: MakeSession, logs_of: LogsOf, offset_s: float, *, at_s: list[float], **of: Any) -> list[Any]:
    """The measurements of a session's runs, sent every 20 s, whose clock is off; `at_s` of the lines from the send."""
    cloudwatch, session = CloudWatch(), make_session(**of)
    rows = [make_due(make_run(session, 20.0 * number)) for number in range(len(at_s))]
    for number, seconds in enumerate(at_s):
        write(cloudwatch, rows[number].invocation, 20.0 * number + seconds + offset_s)
    logs = logs_of(cloudwatch)
    for number in range(12):
        sweep(now=at(60 + 10 * number), logs=logs)
    return [state_of(row) for row in rows]


@pytest.mark.parametrize("offset_s", [-300.0, -33.0, -6.0, -2.5, 4.0, 7.0, 47.0, 299.0])
def test_a_clock_that_is_far_off_is_said_to_be(make_session: MakeSession, logs_of: LogsOf, offset_s: float) -> None:
    """Up to what AWS lets a caller's clock differ; for each run of the session by its own line."""
    states = skewed(make_session, logs_of, offset_s, at_s=[1.5, 0.2, 0.3])

    expected = [20.0 * number + seconds + offset_s for number, seconds in enumerate([1.5, 0.2, 0.3])]
    assert [(state, rank, started_at) for state, rank, started_at, _ in states] == [
        ("measured", 1, at(seconds)) for seconds in expected
    ]
    assert [latency_panel(run).state for run in Invocation.objects.all()] == ["clock_skew"] * 3


def test_who_else_used_a_session_from_outside_is_no_clock(make_session: MakeSession, logs_of: LogsOf) -> None:
    session_id = "somebody-elses-session-0000000001"
    states = skewed(make_session, logs_of, -40.0, at_s=[1.5], runtime_session_id=session_id)

    assert states[0][:3] == ("waiting", None, None)


def test_a_line_that_fits_the_run_before_is_not_taken_for_a_clock(make_session: MakeSession, logs_of: LogsOf) -> None:
    """Only the first run wrote a line; of the second nothing is known."""
    cloudwatch, session = CloudWatch(), make_session()
    rows = [make_due(make_run(session, 20.0 * number)) for number in range(2)]
    write(cloudwatch, rows[0].invocation, 1.5)
    logs = logs_of(cloudwatch)
    for number in range(12):
        sweep(now=at(60 + 10 * number), logs=logs)

    assert [state_of(row)[:3] for row in rows] == [("measured", 1, at(1.5)), ("waiting", None, None)]
    assert latency_panel(rows[1].invocation).state == "not_found"
