"""`manage.py smoke` through a whole Loom on the emulator's agents (S1-041, S1-043)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import User
from apps.aws.arn import RuntimeArn
from apps.aws.connection import Connection
from apps.awsverify.smoke.findings import SmokeRun
from apps.awsverify.smoke.open_points import open_points
from apps.awsverify.smoke.plan import PROMPT, SmokePlan
from apps.awsverify.smoke.report import as_json, write_report
from apps.awsverify.smoke.run import run_smoke
from loom.tests.fixtures import ROOT, Loom, running_loom
from loom.tests.recorded_aws import ACCOUNT, REGION
from loom.tests.running import Running, free_port, wait_until
from loom.tests.visiting import manage, rows
from loom_client import Client

TUTOR = RuntimeArn("aws", REGION, ACCOUNT, "code_tutor-9sVbN3yRfK")
SCORER = RuntimeArn("aws", REGION, ACCOUNT, "sentiment_scorer-Aw8DkP4vGn")
CLAIMS = RuntimeArn("aws", REGION, ACCOUNT, "claims_intake-eJ5rYq2UoS")
QUICK = "--seed 7 --time-scale 0.05 --log-delay-scale 0.02 --clock-skew-ms 0"


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loom]:
    """A Loom whose agents answer twenty times as fast as life."""
    folder = tmp_path_factory.mktemp("loom")
    with running_loom(folder, DATABASE_URL=f"sqlite:///{folder / 'loom.db'}", EMULATOR_OPTIONS=QUICK) as running:
        yield running


def plan_for(loom: Loom, arn: RuntimeArn, **overrides: Any) -> SmokePlan:
    connection = Connection("emulator", REGION, endpoint_url=loom.emulator.url)
    plan = SmokePlan(connection, arn, "DEFAULT", log_wait_s=120, poll_every_s=0.2, pause_s=0.3)
    return replace(plan, **overrides)


def smoke(loom: Loom, plan: SmokePlan) -> tuple[SmokeRun, list[str]]:
    said: list[str] = []
    return run_smoke(plan, Client(loom.url), said.append), said


@pytest.fixture(scope="module")
def whole(quick: Loom) -> tuple[SmokePlan, SmokeRun, list[str]]:
    """One run through everything."""
    quick.emulator.order(kind="silence", seconds=0, count=2)
    # So that the third is not over before it is stopped.
    quick.emulator.order(kind="silence", after_chunks=5, seconds=3_600)
    plan = plan_for(quick, TUTOR)
    return plan, *smoke(quick, plan)


@pytest.fixture(scope="module")
def broken(quick: Loom) -> tuple[SmokePlan, SmokeRun]:
    """A run with an agent that fails half-way."""
    plan = plan_for(quick, CLAIMS, log_wait_s=0)
    return plan, smoke(quick, plan)[0]


def answers(run: SmokeRun) -> dict[str, str | None]:
    """The answers to the open points by the first three words of their question."""
    return {" ".join(point.question.split()[:3]): point.answer for point in open_points(run)}


def test_an_agent_goes_through_everything(quick: Loom, whole: tuple[SmokePlan, SmokeRun, list[str]]) -> None:
    """S1-041: describe, cold and warm, stopped half-way, ended, measured from the log; against what really happened."""
    _, run, said = whole

    assert [(step.name, step.state) for step in run.steps] == [
        ("describe", "ok"), ("cold", "ok"), ("warm 2", "ok"), ("stopped", "ok"), ("recording", "ok"),
        ("endpoint ARN", "ok"), ("Accept: JSON", "ok"), ("end session", "ok"), ("logs", "ok"),
        ("startup latency", "ok"),
    ]  # fmt: skip
    assert said == [str(step) for step in run.steps]
    truth = quick.emulator.invocations(run.runtime_session_id)
    assert run.invocation_count == len(truth) == 5
    assert [record["is_cold"] for record in truth] == [True, False, False, False, False]
    assert [turn.status for turn in run.turns] == ["completed", "completed", "stopped", "completed", "completed"]
    cold, warm, stopped = run.turns[:3]
    assert cold.headers_ms and cold.first_token_ms and cold.total_ms and warm.first_token_ms
    assert 0 < cold.headers_ms <= cold.first_token_ms <= cold.total_ms
    received_at, started_at = (datetime.fromisoformat(truth[0][name]) for name in ("received_at", "started_at"))
    assert cold.first_token_ms > (started_at - received_at).total_seconds() * 1000
    assert cold.chunk_count > 0 and cold.event_counts["text"] > 20
    assert stopped.byte_count < warm.byte_count and truth[2]["client_gone_at"] is not None


def test_the_starts_are_those_that_loom_will_go_on_telling(
    quick: Loom, whole: tuple[SmokePlan, SmokeRun, list[str]]
) -> None:
    """A weaker line comes first now and then; what is reported is settled."""
    _, run, _ = whole

    assert run.log is not None and [start.turn for start in run.log.starts] == ["cold", "warm 2", "stopped"]
    assert {(start.rank, start.state) for start in run.log.starts} == {(1, "measured")}
    assert [start.start_kind for start in run.log.starts[1:]] == ["reused", "reused"]
    first, cold = run.log.starts[0], run.turns[0]
    truth = quick.emulator.invocations(run.runtime_session_id)[0]
    assert first.start_kind == truth["start_kind"]
    assert cold.invoked_at is not None and first.startup_ms is not None
    really_ms = (datetime.fromisoformat(truth["started_at"]) - cold.invoked_at).total_seconds() * 1000
    assert abs(first.startup_ms - really_ms) < 150  # both clocks are this machine's


def test_the_open_points_are_answered_by_what_was_seen(whole: tuple[SmokePlan, SmokeRun, list[str]]) -> None:
    _, run, _ = whole

    seen = answers(run)
    assert seen["Which shape do"] in ("1 named after the session", "1 without the session in the name")
    assert str(seen["Do the headers"]).startswith("by ms: cold ")
    assert seen["Is an endpoint's"] == "yes, HTTP 200"
    assert str(seen["Is the request"]).startswith("no: 5 in responses, ")
    assert str(seen["Is the request"]).endswith(" in the log, 0 in both")
    assert str(seen["Does Accept: application/json"]).startswith("no: 'text/event-stream")
    assert str(seen["How long until"]).startswith("n=")
    assert seen["Which dimensions do"] is None  # the emulator has no metrics
    assert str(seen["How long may"]).count("taken") == 4
    assert next(point.reason for point in open_points(run) if "dimensions" in point.question).startswith("not readable")


def test_no_more_prompts_are_sent_than_were_allowed(quick: Loom) -> None:
    run, _ = smoke(quick, plan_for(quick, TUTOR, prompt_count=2, max_invocations=3))

    assert len(quick.emulator.invocations(run.runtime_session_id)) == run.invocation_count == 3
    assert [step.name for step in run.steps if step.state == "skipped"] == ["endpoint ARN", "Accept: JSON"]
    assert run.is_ok
    assert answers(run)["Is an endpoint's"] is None


def test_an_agent_without_stream_and_marker_fails_nothing_and_measures_nothing(quick: Loom) -> None:
    run, _ = smoke(quick, plan_for(quick, SCORER, log_wait_s=5))

    state = {step.name: step.state for step in run.steps}
    assert (state["cold"], state["stopped"], state["logs"], state["startup latency"]) == (
        "ok", "skipped", "skipped", "skipped"
    )  # fmt: skip
    assert run.turns[0].content_type == "application/json" and run.turns[0].first_token_ms is None
    assert run.turns[0].event_counts["json"] == 1
    assert run.is_ok
    assert str(answers(run)["Does Accept: application/json"]).startswith("not decided")


def test_an_agent_that_fails_half_way_is_sent_one_prompt_only(broken: tuple[SmokePlan, SmokeRun]) -> None:
    """S1-043: an error inside the stream is an error, at HTTP 200 too; the session is ended all the same."""
    _, run = broken

    cold = run.turns[0]
    assert (len(run.turns), cold.http_status, cold.status, cold.error_code) == (1, 200, "failed", "AgentError")
    assert {step.name: step.state for step in run.steps}["end session"] == "ok"
    assert not run.is_ok


@pytest.mark.parametrize(
    ("operation", "code", "step"),
    [
        ("GetAgentRuntime", "AccessDeniedException", "describe"),
        ("InvokeAgentRuntime", "ServiceQuotaExceededException", "cold"),
        ("StopRuntimeSession", "AccessDeniedException", "end session"),
        ("FilterLogEvents", "AccessDeniedException", "logs"),
    ],
)
def test_a_step_that_aws_refuses_fails_with_its_words(quick: Loom, operation: str, code: str, step: str) -> None:
    # Loom reads the log more than once, and for other runs too.
    quick.emulator.order(kind="error", operation=operation, code=code, count=1000 if step == "logs" else 1)
    try:
        run, _ = smoke(quick, plan_for(quick, TUTOR, max_invocations=1))
    finally:
        quick.emulator.clear()

    failed = [found for found in run.steps if found.state == "failed"]
    assert [found.name for found in failed] == [step]
    assert failed[0].message.startswith(f"{code}: Emulated {code}") and failed[0].advice
    assert not run.is_ok


def test_an_unknown_endpoint_costs_nothing(quick: Loom) -> None:
    run, _ = smoke(quick, plan_for(quick, TUTOR, qualifier="staging"))

    assert [(step.name, step.state, step.advice) for step in run.steps] == [
        ("describe", "failed", "Its endpoints are: DEFAULT, prod.")
    ]
    assert run.turns == []


def test_a_loom_that_speaks_to_another_aws_is_not_made_to_send_anything(quick: Loom) -> None:
    run, _ = smoke(quick, plan_for(quick, TUTOR, connection=Connection("aws", REGION)))

    assert [(step.name, step.message, step.advice) for step in run.steps] == [
        ("describe", "Loom speaks to emulator, this command to aws", "Give both the same LOOM_AWS.")
    ]


def test_looms_list_of_agents_is_left_as_it_was(quick: Loom) -> None:
    client = Client(quick.url)
    client.archive(client.find_agent("code_tutor").id)
    try:
        run, _ = smoke(quick, plan_for(quick, TUTOR, qualifier="staging"))

        assert run.agent is not None and run.agent.name == "code_tutor"
        assert "code_tutor" not in [agent.name for agent in client.agents()]
    finally:
        client.register(TUTOR.runtime_arn)


def test_the_report_holds_figures_and_neither_words_nor_accounts(
    whole: tuple[SmokePlan, SmokeRun, list[str]], tmp_path: Path
) -> None:
    """S1-043: a report can be handed on."""
    plan, run, _ = whole
    loom = "the running Loom"

    markdown, values = write_report(plan, run, tmp_path / "a", loom=loom, with_account=False)
    with_account, _ = write_report(plan, run, tmp_path / "b", loom=loom, with_account=True)

    assert [path.suffix for path in (markdown, values)] == [".md", ".json"]
    for path in (markdown, values):
        text = path.read_text(encoding="utf-8")
        assert ACCOUNT not in text and "<account>" in text
    assert ACCOUNT in with_account.read_text(encoding="utf-8")
    assert "**Emulated. These figures come from the emulator" in markdown.read_text(encoding="utf-8")
    stored = json.loads(values.read_text(encoding="utf-8"))
    assert stored["is_emulated"] is True and stored["is_ok"] is True
    assert (stored["conditions"]["prompt"], stored["conditions"]["loom"]) == (PROMPT, loom)
    assert stored["turns"][0]["first_token_ms"] == round(run.turns[0].first_token_ms or 0, 3)
    assert stored["log"]["starts"][0]["marker"] == "Agent invoked"
    agent = stored["agent"]
    assert (agent["name"], agent["idle_timeout_s"], agent["requires_mmdsv2"]) == ("code_tutor", 900, True)
    assert agent["endpoints"].keys() == {"DEFAULT", "prod"}
    # Tables with a cell for every column, whatever stands in the cells.
    lines = [line for line in markdown.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert len(lines) > 20


def test_no_word_of_the_answer_gets_into_the_report(broken: tuple[SmokePlan, SmokeRun]) -> None:
    plan, run = broken

    text = json.dumps(as_json(plan, run, loom="the running Loom"))

    assert "claim" not in text.replace("claims_intake", "").lower()
    assert run.turns[0].byte_count > 100


def test_a_registered_agent_brings_its_payload(quick: Loom) -> None:
    """What the agent expects stands in the registry, and the prompt goes where the template says."""

    def keep(template: dict[str, str]) -> None:
        code = (
            "from apps.agentcore.services import save_invocation_settings\n"
            "from apps.agents.models import Agent\n"
            "agent = Agent.objects.get(name='code_tutor')\n"
            f"save_invocation_settings(agent=agent, payload_template={template}, "
            "read_timeout_ms=agent.runtime.read_timeout_ms, retry_unproven=False)"
        )
        manage(quick, "shell", "-c", code)

    keep({"input": "{{prompt}}", "mode": "short"})
    try:
        run, _ = smoke(quick, plan_for(quick, TUTOR, max_invocations=1))
    finally:
        keep({"prompt": "{{prompt}}"})

    assert run.is_ok
    newest = rows(quick, "agent_sessions.invocation")[-1]
    assert json.loads(newest["payload"]) == {"input": PROMPT, "mode": "short"}


def command(loom: Loom, *options: str) -> subprocess.CompletedProcess[str]:
    """The command itself, beside a running Loom."""
    return subprocess.run(
        [sys.executable, "manage.py", "smoke", *options],
        cwd=ROOT, env=loom.environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_costs_are_said_first_and_the_exit_status_tells(quick: Loom, tmp_path: Path) -> None:
    """It takes the Loom that runs, with a token that is gone afterwards."""
    options = ("--report", str(tmp_path), "--max-invocations", "1", "--poll-every", "0.2")
    good = command(quick, "--agent", "code_tutor", *options)

    assert good.returncode == 0, good.stdout + good.stderr
    first, second, *others = good.stdout.splitlines()
    assert first.startswith(f"Emulated: sends up to 1 prompts of {len(PROMPT)} characters")
    assert "It costs nothing and says nothing about AWS." in first
    assert second == f"Through the running Loom at {quick.url}, with a token of dev@local that ends with this run."
    assert [line for line in others if line.startswith("written: ")] == [
        f"written: {path}" for path in sorted(tmp_path.iterdir(), reverse=True)
    ]
    assert rows(quick, "accounts.token") == []

    assert command(quick, "--agent", "claims_intake", "--log-wait", "0", *options).returncode == 1


def test_a_loom_of_its_own_ends_with_the_command(tmp_path: Path) -> None:
    environment = {
        "BACKEND_PORT": str(free_port()), "DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}", "TMPDIR": str(tmp_path),
        "EMULATOR_OPTIONS": QUICK,
    }  # fmt: skip
    with Running("manage.py", "smoke", "--agent", "code_tutor", environment=environment) as running:
        assert "of this run's own" in running.wait_for_line("Through")
        os.kill(running.process.pid, signal.SIGKILL)

        wait_until(lambda: running.pids() == [], "nothing is left of the Loom")
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"agent": "arn:aws:s3:::bucket"}, "belongs to the service 's3'"),
        ({"agent": "code_tutor", "qualifier": "no-hyphen"}, "must be the name of an endpoint"),
        ({"agent": "code_tutor", "max_invocations": 0}, "begin at 1"),
        ({"agent": "code_tutor", "token": "loom_x"}, "There is a token, but no Loom that runs"),
        ({"agent": "code_tutor", "token": "loom_x", "url": "ftp://loom"}, "address looks like http://"),
        ({"agent": "code_tutor", "token": "loom_x", "url": "http://127.0.0.1:9"}, "Nothing answers at"),
    ],
)
def test_what_cannot_be_done_is_explained(settings: Any, options: dict[str, Any], complaint: str) -> None:
    settings.BACKEND_PORT = free_port()

    with pytest.raises(CommandError, match=complaint):
        call_command("smoke", **options)


def test_what_a_running_loom_does_not_have_or_take_is_explained(quick: Loom, settings: Any) -> None:
    settings.EMULATOR_URL = quick.emulator.url

    with pytest.raises(CommandError, match="us-east-1 has none of this name"):
        call_command("smoke", agent="nobody", url=quick.url, token="")
    with pytest.raises(CommandError, match="does not take the token: This token is not known"):
        call_command("smoke", agent="code_tutor", url=quick.url, token="loom_x")


def test_a_loom_with_another_database_is_told_by_its_refusal(quick: Loom, alice: User) -> None:
    with pytest.raises(CommandError, match="works on another database than this command"):
        call_command("smoke", agent="code_tutor", url=quick.url, user=alice.email)

    assert alice.tokens.count() == 0
