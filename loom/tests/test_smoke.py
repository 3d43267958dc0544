"""`manage.py smoke` against the emulator's agents (S1-041, S1-043)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.agentcore.connection import current_connection
from apps.agents.models import Agent
from apps.aws.arn import RuntimeArn
from apps.awsverify.permissions.choice import Choice
from apps.awsverify.smoke.findings import SmokeRun
from apps.awsverify.smoke.open_points import open_points
from apps.awsverify.smoke.plan import PROMPT, Budget, SmokePlan
from apps.awsverify.smoke.report import as_json, without_accounts, write_report
from apps.awsverify.smoke.run import run_smoke
from loom.tests.fixtures import Emulator
from loom.tests.recorded_aws import ACCOUNT, REGION

TUTOR = RuntimeArn("aws", REGION, ACCOUNT, "code_tutor-9sVbN3yRfK")
SCORER = RuntimeArn("aws", REGION, ACCOUNT, "sentiment_scorer-Aw8DkP4vGn")
CLAIMS = RuntimeArn("aws", REGION, ACCOUNT, "claims_intake-eJ5rYq2UoS")

pytestmark = pytest.mark.django_db


def plan_for(arn: RuntimeArn, **overrides: Any) -> SmokePlan:
    """A plan as quick as the emulator allows; its clocks differ by some milliseconds, so the pause may be short."""
    plan = SmokePlan(current_connection(), Choice(arn), "DEFAULT", log_wait_s=30, poll_every_s=0.2, pause_s=0.3)
    return replace(plan, **overrides)


def smoke(plan: SmokePlan) -> tuple[SmokeRun, list[str]]:
    said: list[str] = []
    return asyncio.run(run_smoke(plan, said.append)), said


def answers(run: SmokeRun) -> dict[str, str | None]:
    """The answers to the open points by the first three words of their question."""
    return {" ".join(point.question.split()[:3]): point.answer for point in open_points(run)}


def test_an_agent_goes_through_everything(emulator: Emulator) -> None:
    """S1-041: describe, cold and warm, stopped half-way, ended, measured from the log; against what really happened."""
    emulator.order(kind="silence", seconds=0, count=2)
    emulator.order(kind="silence", after_chunks=5, seconds=3_600)  # so that the third is not over before it is stopped
    run, said = smoke(plan_for(TUTOR))

    assert [(step.name, step.state) for step in run.steps] == [
        ("describe", "ok"), ("cold", "ok"), ("warm 2", "ok"), ("stopped", "ok"), ("endpoint ARN", "ok"),
        ("Accept: JSON", "ok"), ("end session", "ok"), ("logs", "ok"), ("startup latency", "ok"),
    ]  # fmt: skip
    assert said == [str(step) for step in run.steps]
    truth = emulator.invocations(run.runtime_session_id)
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
    assert run.log is not None and [start.turn for start in run.log.starts] == [turn.name for turn in run.turns]
    assert {start.rank for start in run.log.starts} == {1}
    first = run.log.starts[0]
    assert cold.invoked_at is not None and first.startup_ms is not None
    really_ms = (datetime.fromisoformat(truth[0]["started_at"]) - cold.invoked_at).total_seconds() * 1000
    assert abs(first.startup_ms - really_ms) < 150  # the environment's clock is off by some tens of milliseconds


def test_the_open_points_are_answered_by_what_was_seen(emulator: Emulator) -> None:
    run, _ = smoke(plan_for(TUTOR))

    seen = answers(run)
    assert seen["Which shape do"] in ("1 named after the session", "1 without the session in the name")
    assert str(seen["Do the headers"]).startswith("by ms: cold ")
    assert seen["Is an endpoint's"] == "yes, HTTP 200"
    assert seen["Is the request"] == "no: 5 in responses, 5 in the log, 0 in both"
    assert str(seen["Does Accept: application/json"]).startswith("no: 'text/event-stream")
    assert str(seen["How long until"]).startswith("n=")
    assert seen["Which dimensions do"] is None  # the emulator has no metrics
    assert str(seen["How long may"]).count("taken") == 4
    assert next(point.reason for point in open_points(run) if "dimensions" in point.question).startswith("not readable")


def test_no_more_prompts_are_sent_than_were_allowed(emulator: Emulator) -> None:
    run, _ = smoke(plan_for(TUTOR, prompt_count=2, max_invocations=3))

    assert len(emulator.invocations(run.runtime_session_id)) == run.invocation_count == 3
    assert [step.name for step in run.steps if step.state == "skipped"] == ["endpoint ARN", "Accept: JSON"]
    assert run.is_ok
    assert answers(run)["Is an endpoint's"] is None


def test_a_budget_that_is_spent_gives_nothing_more() -> None:
    budget = Budget(2)

    assert [budget.spend() for _ in range(4)] == [True, True, False, False]
    assert budget.spent == 2


def test_an_agent_without_stream_and_marker_fails_nothing_and_measures_nothing(emulator: Emulator) -> None:
    run, _ = smoke(plan_for(SCORER, log_wait_s=1))

    state = {step.name: step.state for step in run.steps}
    assert (state["cold"], state["stopped"], state["logs"], state["startup latency"]) == (
        "ok", "skipped", "skipped", "skipped"
    )  # fmt: skip
    assert run.turns[0].content_type == "application/json" and run.turns[0].first_token_ms is None
    assert run.is_ok
    assert str(answers(run)["Does Accept: application/json"]).startswith("not decided")


def test_an_agent_that_fails_half_way_is_sent_one_prompt_only(emulator: Emulator) -> None:
    """S1-043: an error inside the stream is an error, at HTTP 200 too; the session is ended all the same."""
    run, _ = smoke(plan_for(CLAIMS))

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
def test_a_step_that_aws_refuses_fails_with_its_words(emulator: Emulator, operation: str, code: str, step: str) -> None:
    emulator.order(kind="error", operation=operation, code=code)

    run, _ = smoke(plan_for(TUTOR, max_invocations=1))

    failed = [found for found in run.steps if found.state == "failed"]
    assert [found.name for found in failed] == [step]
    assert failed[0].message.startswith(f"{code}: Emulated {code}") and failed[0].advice
    assert not run.is_ok


def test_an_unknown_endpoint_costs_nothing(emulator: Emulator) -> None:
    run, _ = smoke(plan_for(TUTOR, qualifier="staging"))

    assert [(step.name, step.state, step.advice) for step in run.steps] == [
        ("describe", "failed", "Its endpoints are: DEFAULT, prod.")
    ]
    assert emulator.invocations(run.runtime_session_id) == []


def test_the_report_holds_figures_and_neither_words_nor_accounts(emulator: Emulator, tmp_path: Path) -> None:
    """S1-043: a report can be handed on."""
    plan = plan_for(TUTOR, prompt_count=1, max_invocations=1)
    run, _ = smoke(plan)

    markdown, values = write_report(plan, run, tmp_path / "a", with_account=False)
    with_account, _ = write_report(plan, run, tmp_path / "b", with_account=True)

    assert [path.suffix for path in (markdown, values)] == [".md", ".json"]
    for path in (markdown, values):
        text = path.read_text(encoding="utf-8")
        assert ACCOUNT not in text and "<account>" in text
    assert ACCOUNT in with_account.read_text(encoding="utf-8")
    assert "**Emulated. These figures come from the emulator" in markdown.read_text(encoding="utf-8")
    stored = json.loads(values.read_text(encoding="utf-8"))
    assert stored["is_emulated"] is True and stored["is_ok"] is True
    assert stored["conditions"]["prompt"] == PROMPT
    assert stored["turns"][0]["first_token_ms"] == round(run.turns[0].first_token_ms or 0, 3)
    assert stored["log"]["starts"][0]["marker"] == "Agent invoked"
    # Tables with a cell for every column, whatever stands in the cells.
    lines = [line for line in markdown.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert len(lines) > 20


def test_no_word_of_the_answer_gets_into_the_report(emulator: Emulator) -> None:
    plan = plan_for(CLAIMS, max_invocations=1)
    run, _ = smoke(plan)

    text = json.dumps(as_json(plan, run))

    assert "claim" not in text.replace("claims_intake", "").lower()
    assert run.turns[0].byte_count > 100


@pytest.mark.parametrize(
    ("text", "blotted"),
    [
        ("arn:aws:iam::444455556666:role/x", "arn:aws:iam::<account>:role/x"),
        ("account 444455556666.", "account <account>."),
        ("bucket-111122223333-us-east-1", "bucket-<account>-us-east-1"),
        ("5f1b1a52-4c0e-4d7a-9a55-444455556666", "5f1b1a52-4c0e-4d7a-9a55-444455556666"),
        ("4444555566667", "4444555566667"),
    ],
)
def test_account_ids_are_blotted_out_and_other_numbers_are_not(text: str, blotted: str) -> None:
    assert without_accounts(text, "111122223333") == blotted


def test_costs_are_said_first_and_the_exit_status_tells(emulator: Emulator, tmp_path: Path) -> None:
    out = StringIO()
    call_command("smoke", agent="code_tutor", report=tmp_path, max_invocations=1, poll_every=0.2, stdout=out)

    first, *others = out.getvalue().splitlines()
    assert first.startswith(f"Emulated: sends up to 1 prompts of {len(PROMPT)} characters")
    assert "It costs nothing and says nothing about AWS." in first
    assert [line for line in others if line.startswith("written: ")] == [
        f"written: {path}" for path in sorted(tmp_path.iterdir(), reverse=True)
    ]

    with pytest.raises(SystemExit) as stopped:
        call_command("smoke", agent="claims_intake", report=tmp_path, max_invocations=1, poll_every=0.2, stdout=out)
    assert stopped.value.code == 1


def test_on_aws_the_costs_name_the_account(settings: Any) -> None:
    settings.LOOM_AWS, settings.AWS_PROFILE = "aws", None

    costs = plan_for(TUTOR, max_invocations=4).costs()

    assert costs.startswith("This sends up to 4 prompts")
    assert f"The account {ACCOUNT} pays" in costs


def test_a_registered_agent_brings_its_payload(emulator: Emulator, demo_agent: Any, tmp_path: Path) -> None:
    """What the agent expects stands in the registry, and the prompt goes where the template says."""
    agent = demo_agent("code_tutor")
    Agent.objects.filter(pk=agent.pk).update(payload_template={"input": "{{prompt}}", "mode": "short"})
    out = StringIO()

    call_command("smoke", agent=TUTOR.runtime_arn, report=tmp_path, max_invocations=1, poll_every=0.2, stdout=out)

    assert "  ok       cold " in out.getvalue()
    choice = Choice(TUTOR, {"input": "{{prompt}}", "mode": "short"})
    assert json.loads(SmokePlan(current_connection(), choice, "DEFAULT").payload) == {"input": PROMPT, "mode": "short"}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"agent": "nobody"}, "us-east-1 has none of this name"),
        ({"agent": "arn:aws:s3:::bucket"}, "belongs to the service 's3'"),
        ({"agent": "code_tutor", "qualifier": "no-hyphen"}, "must be the name of an endpoint"),
        ({"agent": "code_tutor", "max_invocations": 0}, "begin at 1"),
    ],
)
def test_what_cannot_be_done_is_explained(emulator: Emulator, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        call_command("smoke", **options)
