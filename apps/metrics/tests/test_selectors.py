from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.agents.models import Agent
from apps.metrics.figures.pages.tiles import missing_starts
from apps.metrics.figures.statistics import Percentile
from apps.metrics.models import Measurement
from apps.metrics.starts.panel import latency_panel, latency_panels
from apps.metrics.tests.row_by_row import figures, invocations_in_figures
from apps.metrics.tests.runs import at, make_due, make_measured, make_measurement, make_run
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
MakeAgent = Callable[..., Agent]


def reloaded(invocation: Invocation) -> Invocation:
    return Invocation.objects.select_related("session__agent", "measurement").get(pk=invocation.pk)


WAITING: dict[str, Any] = {"state": "waiting", "tries": 3}
PROVISIONAL: dict[str, Any] = {"tries": 3, "marker_rank": 2, "agent_started_at": at(1.5)}


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (WAITING, "waiting"),
        ({"tries": 3, "error_code": "ThrottlingException"}, "waiting"),
        (PROVISIONAL, "provisional"),
        ({**PROVISIONAL, "tries": 12}, "provisional"),
        ({**PROVISIONAL, "state": "measured"}, "measured"),
        ({**PROVISIONAL, "agent_started_at": at(-0.2)}, "clock_skew"),
        ({**PROVISIONAL, "state": "measured", "agent_started_at": at(2.1)}, "clock_skew"),
        ({**PROVISIONAL, "state": "measured", "agent_started_at": at(0)}, "clock_skew"),
        ({"tries": 12}, "not_found"),
        ({"tries": 12, "error_code": "AccessDeniedException"}, "failed"),
        ({"state": "not_found", "tries": 14}, "not_found"),
        ({"state": "not_found", "tries": 0}, "none"),
        ({"state": "failed", "tries": 14, "error_code": "AccessDeniedException"}, "failed"),
    ],
)
def test_one_word_says_where_the_search_stands(make_session: MakeSession, row: dict[str, Any], state: str) -> None:
    invocation = make_run(make_session())
    make_due(invocation, **row)

    panel = latency_panel(reloaded(invocation))
    assert panel.state == state
    assert panel.startup_ms == (1500.0 if state in {"measured", "provisional"} else None)


def test_while_a_run_goes_on_and_right_after(make_session: MakeSession) -> None:
    session = make_session()
    ended = make_run(session)
    running = make_run(session, 10, status="streaming", completed_at=None)

    assert latency_panel(reloaded(running)).state == "running"
    assert latency_panel(reloaded(ended)).state == "waiting"


def test_a_panel_says_all_that_is_known(make_session: MakeSession) -> None:
    """S0-060: the client's duration is (done − invoke) × 1000."""
    session = make_session()
    invocation = make_run(session, first_byte_s=1.9, ended_s=3.25)
    make_measured(invocation, 1_500, log_stream="stream", tries=2)

    panel = latency_panel(reloaded(invocation))
    assert (panel.invocation, panel.ttft_ms, panel.total_ms, panel.startup_ms) == (1, 1900.0, 3250.0, 1500.0)
    assert (panel.low_ms, panel.high_ms, panel.tries, panel.max_tries) == (0.0, 1900.0, 2, 12)
    assert (panel.marker, panel.marker_rank, panel.start_kind) == ("Agent invoked", 1, "created")
    assert (panel.log_group, panel.log_stream, panel.is_emulated) == (session.agent.runtime.log_group, "stream", True)


def test_the_newest_twenty_panels_in_one_query(make_session: MakeSession) -> None:
    session = make_session()
    for number in range(25):
        make_due(make_run(session, 10.0 * number))

    with CaptureQueriesContext(
        connection,
    ) as queries:
        panels = latency_panels(session)
    assert [panel.invocation for panel in panels] == list(range(25, 5, -1))
    assert len(queries) == 1


def cold(session: Session, startup_ms: float, **overrides: Any) -> Measurement:
    return make_measured(make_run(session), startup_ms, start_kind="created", **overrides)


def warm(session: Session, sent_s: float, startup_ms: float, **overrides: Any) -> Measurement:
    invocation = make_run(session, sent_s, first_byte_s=0.4)
    return make_measured(invocation, startup_ms, start_kind="reused", **overrides)


def test_a_first_run_that_failed_is_a_cold_one_that_was_not_measured(make_session: MakeSession) -> None:
    """Of thirty: "23 of 30 cold runs measured, 4 not found, 3 failed"; a refused request started nothing."""
    agent = make_session().agent
    for number in range(23):
        make_measured(make_run(make_session(agent=agent)), 1_000.0 + number)
    for _ in range(4):
        make_due(make_run(make_session(agent=agent)), state="not_found", tries=14, next_at=None)
    for http_status, status in ((424, "failed"), (500, "failed"), (None, "interrupted")):
        make_due(make_run(make_session(agent=agent), status=status, http_status=http_status, first_chunk_at=None))
    refused = make_session(agent=agent)
    make_measurement(make_run(refused, status="failed", http_status=429, first_chunk_at=None))
    # A later run of a session that failed may have been a warm one.
    make_due(make_run(refused, 10, status="failed", http_status=424, first_chunk_at=None))

    found = figures(invocations_in_figures(agent_id=agent.pk))
    assert missing_starts(found) == "23 of 30 cold runs measured, 4 not found, 3 failed"


def test_cold_and_warm_are_never_mixed(make_session: MakeSession) -> None:
    agent = make_session().agent
    for number in range(6):
        session = make_session(agent=agent)
        kind = "pooled" if number == 5 else "created"
        make_measured(make_run(session), 1_000.0 + 100 * number, start_kind=kind)
        warm(session, 10, 100.0 + number)
    make_measured(make_run(make_session(agent=agent)), 700, start_kind="unknown")

    found = figures(invocations_in_figures(agent_id=agent.pk))
    assert (found.invocation_count, found.ttft_unknown_count) == (13, 1)
    assert (found.ttft_cold.n, found.ttft_cold.minimum, found.ttft_cold.maximum) == (6, 2000.0, 2000.0)
    assert (found.ttft_warm.n, found.ttft_warm.minimum, found.ttft_warm.maximum) == (6, 400.0, 400.0)
    startup = found.startup_cold.summary
    assert (startup.n, startup.minimum, startup.maximum) == (6, 1000.0, 1500.0)
    assert startup.p50 == Percentile(1200.0, 1000.0, 1500.0)
    assert (found.startup_warm.summary.n, found.startup_warm.summary.maximum) == (6, 105.0)


def test_below_six_runs_there_is_no_percentile(make_session: MakeSession) -> None:
    agent = make_session().agent
    for number in range(5):
        cold(make_session(agent=agent), 1_000.0 + number)

    startup = figures(invocations_in_figures()).startup_cold.summary
    assert (startup.n, startup.minimum, startup.maximum, startup.p50) == (5, 1000.0, 1004.0, None)


def test_only_what_is_measured_enters_and_the_rest_is_counted(make_session: MakeSession) -> None:
    """Not the first line of a stream, not the provisional, not the impossible."""
    agent = make_session().agent

    def another() -> Session:
        return make_session(agent=agent)

    cold(another(), 1_000)
    cold(another(), 300, marker_rank=4, marker="First log event")
    cold(another(), 1_100, state="waiting", marker_rank=2)
    cold(another(), -200)
    cold(another(), 2_100)
    make_due(make_run(another()), tries=2)
    make_due(make_run(another()), state="not_found", tries=14)
    make_due(make_run(another()), tries=12, error_code="AccessDeniedException")
    make_due(make_run(another(), status="failed", http_status=429))

    found = figures(invocations_in_figures())
    assert found.startup_cold.summary.n == 1
    assert found.cold_states == {
        "measured": 1, "weak": 1, "provisional": 1, "clock_skew": 2, "waiting": 1, "not_found": 1, "failed": 1,
    }  # fmt: skip


def test_sources_are_never_pooled(make_session: MakeSession) -> None:
    """An application's own line and the SDK's are written at different moments."""
    agent = make_session().agent
    for number, rank in enumerate([1, 2, 3, 3, 1]):
        cold(make_session(agent=agent), 1_000.0 + number, marker_rank=rank)

    found = figures(invocations_in_figures()).startup_cold
    assert (found.source, found.summary.n, found.summary.minimum, found.other_count) == ("SDK line", 3, 1001.0, 2)


def test_origins_agents_and_times_are_never_mixed(make_session: MakeSession, settings: Any) -> None:
    here, other = make_session(), make_session()
    cold(here, 1_000)
    cold(other, 1_000)
    elsewhere = make_session()
    cold(elsewhere, 1_000)
    Agent.objects.filter(pk=elsewhere.agent.pk).update(origin="aws")

    assert figures(invocations_in_figures()).invocation_count == 2
    assert figures(invocations_in_figures(agent_id=here.agent.pk)).invocation_count == 1
    assert figures(invocations_in_figures(since=at(0))).invocation_count == 2
    assert figures(invocations_in_figures(since=at(0.001))).invocation_count == 0
    settings.LOOM_AWS = "aws"
    assert figures(invocations_in_figures()).invocation_count == 1


def test_the_error_rate_leaves_out_the_stopped_and_the_running(make_session: MakeSession) -> None:
    """(failed + interrupted) / (finished − stopped)."""
    session = make_session()
    for status in ("completed", "completed", "completed", "failed", "interrupted", "stopped", "stopped"):
        make_run(session, status=status)
    make_run(session, status="streaming", completed_at=None)

    found = figures(invocations_in_figures())
    assert (found.invocation_count, found.unfinished_count, found.stopped_count, found.failed_count) == (8, 1, 2, 2)
    assert (found.finished_count, found.error_rate) == (5, 0.4)


def test_without_a_run_there_is_no_error_rate(make_session: MakeSession) -> None:
    assert figures(invocations_in_figures()).error_rate is None
    make_run(make_session(), status="stopped")
    assert figures(invocations_in_figures()).error_rate is None
