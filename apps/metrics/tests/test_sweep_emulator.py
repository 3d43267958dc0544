"""What is measured against what really happened: real invocations of the emulator, whose clocks agree with ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.aws.connection import current_connection
from apps.agentcore.services import refresh_agent, register_agent
from apps.agentcore.tests.runtimes import create_runtime, update_runtime
from apps.agents.models import Agent
from apps.aws.logs.reading import RuntimeLogs
from apps.aws.tests.emulator_process import Emulator
from apps.metrics.models import Measurement
from apps.metrics.selectors import startup_of
from apps.metrics.starts.panel import latency_panels
from apps.metrics.starts.sweep import sweep
from apps.metrics.startup import MAX_TRIES
from apps.metrics.tests.row_by_row import figures, invocations_in_figures
from apps.metrics.tests.runs import invoke
from apps.sessions.models import Invocation, Session
from apps.sessions.services import start_session

pytestmark = pytest.mark.django_db

DemoAgent = Callable[[str], Agent]
DEPLOYED = {"metadataConfiguration": {"requireMMDSV2": True}}

# The SDK writes milliseconds, twice: when the line was written, and how long ago the request came.
RESOLUTION_MS = 3.0


def sweep_until_done() -> None:
    """Sweep as the worker does, as often as it would in a minute; half a minute apart, which nobody waits for."""
    now = timezone.now()
    for number in range(MAX_TRIES):
        sweep(now=now + timedelta(seconds=30 * number), logs=RuntimeLogs(current_connection()))


def reloaded(invocation: Invocation) -> Invocation:
    return Invocation.objects.select_related("session__agent", "measurement").get(pk=invocation.pk)


def true_startup_ms(emulator: Emulator, invocation: Invocation) -> float:
    """started_at of the emulator − invoked_at of the row."""
    truth = emulator.invocations(invocation.session.runtime_session_id)[invocation.number - 1]
    assert invocation.invoked_at is not None
    return (datetime.fromisoformat(truth["started_at"]) - invocation.invoked_at) / timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("name", "rank"),
    [
        ("inventory_analyst", 2),
        ("travel_concierge", 2),
        ("contract_reviewer", 2),
        ("claims_intake", 2),
        ("code_tutor", 1),
    ],
)
def test_the_startup_latency_is_what_really_passed(
    emulator: Emulator, demo_agent: DemoAgent, alice: User, name: str, rank: int
) -> None:
    """S0-002, S0-058, S0-059, S0-063; for agents with a start line of their own and with the SDK's lines only."""
    invocation = invoke(start_session(agent=demo_agent(name), owner=alice))
    sweep_until_done()

    run = reloaded(invocation)
    assert (run.measurement.state, run.measurement.marker_rank) == ("measured", rank)
    assert run.measurement.tries == (1 if rank == 1 else MAX_TRIES)
    measured_ms = startup_of(run)
    assert measured_ms is not None
    assert measured_ms == pytest.approx(true_startup_ms(emulator, run), abs=RESOLUTION_MS)


def test_an_agent_that_answers_one_json_body_through_the_sdk(emulator: Emulator, alice: User) -> None:
    """Its line comes at the end and says how long it took (rank 3); there is no first token before the end."""
    from_elsewhere = "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/release_digest-Hc7MxB5iZt"
    invocation = invoke(start_session(agent=register_agent(arn=from_elsewhere, user=alice), owner=alice))
    sweep_until_done()

    run = reloaded(invocation)
    assert (run.measurement.state, run.measurement.marker_rank) == ("measured", 3)
    assert startup_of(run) == pytest.approx(true_startup_ms(emulator, run), abs=RESOLUTION_MS)


def test_an_agent_whose_lines_say_nothing_is_not_found_and_in_no_figure(demo_agent: DemoAgent, alice: User) -> None:
    invocation = invoke(start_session(agent=demo_agent("sentiment_scorer"), owner=alice))
    sweep_until_done()

    measurement = reloaded(invocation).measurement
    assert (measurement.state, measurement.tries, measurement.agent_started_at) == ("waiting", MAX_TRIES, None)
    assert measurement.next_at is not None
    assert measurement.next_at > timezone.now() + timedelta(minutes=10)
    found = figures(invocations_in_figures())
    assert (found.invocation_count, found.startup_cold.summary.n, found.cold_states) == (1, 0, {"not_found": 1})


def kinds(emulator: Emulator, session: Session) -> tuple[list[str], list[str]]:
    """The start kinds of a session's runs, as measured and as they were."""
    measured = Measurement.objects.filter(invocation__session=session).order_by("invocation__number")
    truth = emulator.invocations(session.runtime_session_id)
    return list(measured.values_list("start_kind", flat=True)), [record["start_kind"] for record in truth]


@pytest.mark.parametrize("first", ["created", "pooled"])
def test_the_log_stream_shows_how_each_turn_got_its_environment(
    emulator: Emulator, demo_agent: DemoAgent, alice: User, first: str
) -> None:
    """The environment disappears between the third and the fourth turn, which Loom could not know."""
    agent = demo_agent("code_tutor")
    session = start_session(agent=agent, owner=alice)
    emulator.order(kind="start_kind", start_kind=first, runtime_id=agent.runtime.runtime_id)
    for _ in range(3):
        invoke(session)
    emulator.advance(1_000)
    emulator.order(kind="start_kind", start_kind="created", runtime_id=agent.runtime.runtime_id)
    invoke(session)
    invoke(session)
    without_logs = kinds(emulator, session)[0]
    sweep_until_done()

    measured, real = kinds(emulator, session)
    assert without_logs == ["created", "reused", "reused", "reused", "reused"]
    assert measured == real == [first, "reused", "reused", "created", "reused"]


def versions(emulator: Emulator, session: Session) -> tuple[list[str], list[str]]:
    """The versions of a session's runs, as Loom has them and as they were."""
    runs = session.invocations.order_by("number").values_list("version", flat=True)
    return list(runs), [record["version"] for record in emulator.invocations(session.runtime_session_id)]


def test_a_warm_session_keeps_its_version_when_the_runtime_is_updated(emulator: Emulator, alice: User) -> None:
    """Also when its environment was taken away meanwhile, which only the log stream shows."""
    arn = create_runtime("us-east-1", "keeps_versions")
    emulator.advance(10)
    agent = register_agent(arn=arn, user=alice)
    old, new = (start_session(agent=agent, owner=alice) for _ in range(2))
    invoke(old)
    update_runtime(arn, **DEPLOYED)
    emulator.advance(10)
    refresh_agent(agent=agent)
    invoke(reread(old))
    invoke(reread(new))
    assert versions(emulator, old) == (["1", "1"], ["1", "1"])  # before any log was read
    emulator.advance(1_000)
    emulator.order(kind="start_kind", start_kind="created", runtime_id=agent.runtime.runtime_id)
    invoke(reread(old))
    invoke(reread(old))
    sweep_until_done()

    for session, expected in ((old, ["1", "1", "2", "2"]), (new, ["2"])):
        stored, real = versions(emulator, session)
        assert stored == real == expected


def reread(session: Session) -> Session:
    return Session.objects.get(pk=session.pk)


def test_over_the_runs_of_an_environment_the_interval_closes_around_the_truth(
    emulator: Emulator, demo_agent: DemoAgent, alice: User
) -> None:
    """After five turns the clock of its environment is known well enough to say more than sent and first byte do."""
    session = start_session(agent=demo_agent("code_tutor"), owner=alice)
    invocations = [invoke(session, f"Explain closures, part {number}") for number in range(6)]
    sweep_until_done()

    panels = {panel.invocation: panel for panel in latency_panels(session)}
    for invocation in invocations:
        panel = panels[invocation.number]
        assert panel.low_ms is not None and panel.high_ms is not None and panel.first_byte_ms is not None
        assert panel.low_ms <= true_startup_ms(emulator, invocation) <= panel.high_ms
        # The runs of an environment may tell no more than a quick run does alone.
        assert panel.interval_run_count in {1, 6}
    cold = panels[1]
    assert cold.interval_run_count == 6
    assert cold.low_ms and cold.high_ms and cold.first_byte_ms
    assert cold.high_ms - cold.low_ms < cold.first_byte_ms


def test_the_turns_of_a_session_have_each_their_own_start(
    emulator: Emulator, demo_agent: DemoAgent, alice: User
) -> None:
    """Sent one right after the other's end, and looked for all at once."""
    session = start_session(agent=demo_agent("travel_concierge"), owner=alice)
    invocations = [invoke(session) for _ in range(4)]
    sweep_until_done()

    for invocation in map(reloaded, invocations):
        assert startup_of(invocation) == pytest.approx(true_startup_ms(emulator, invocation), abs=RESOLUTION_MS)
    found = figures(invocations_in_figures(agent_id=session.agent.pk))
    assert (found.startup_cold.summary.n, found.startup_warm.summary.n) == (1, 3)
    assert found.startup_cold.source == "SDK line"


def test_a_refused_invocation_waits_for_no_log(emulator: Emulator, demo_agent: DemoAgent, alice: User) -> None:
    agent = demo_agent("travel_concierge")
    emulator.order(kind="error", code="AccessDeniedException", runtime_id=agent.runtime.runtime_id)
    invocation = invoke(start_session(agent=agent, owner=alice))

    assert (invocation.status, invocation.http_status) == ("failed", 403)
    assert (invocation.measurement.state, invocation.measurement.next_at) == ("not_found", None)
