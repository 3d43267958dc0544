"""`manage.py check_aws` against the emulator: as it is, and as AWS behind a proxy (S1-016, S1-040)."""

from __future__ import annotations

import hashlib
import json
import uuid
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command

from apps.agentcore.aws.connection import current_connection
from apps.agents.models import Agent
from apps.aws.agentcore import AgentCoreClient
from apps.aws.arn import RuntimeArn
from apps.aws.tests.emulator_process import Emulator
from apps.awsverify.permissions.check import check_aws
from apps.awsverify.permissions.findings import CheckReport, Finding
from apps.awsverify.permissions.policies import UnknownActionError, policy, statement_for
from loom.tests.recorded_aws import ACCOUNT, REGION, RecordedAws
from loom.tests.running import wait_until

TUTOR = RuntimeArn("aws", REGION, ACCOUNT, "code_tutor-9sVbN3yRfK")
ANALYST = RuntimeArn("aws", REGION, ACCOUNT, "inventory_analyst-Lm6TgC0dWx")
SCORER = RuntimeArn("aws", REGION, ACCOUNT, "sentiment_scorer-Aw8DkP4vGn")
PERMISSIONS = {
    "GetAgentRuntime": "bedrock-agentcore:GetAgentRuntime",
    "ListAgentRuntimeEndpoints": "bedrock-agentcore:ListAgentRuntimeEndpoints",
    "ListAgentRuntimes": "bedrock-agentcore:ListAgentRuntimes",
    "DescribeLogStreams": "logs:DescribeLogStreams",
    "FilterLogEvents": "logs:FilterLogEvents",
}
# What Loom shows where it can, and does without where it cannot.
EXTRAS = {
    "ListAgentRuntimeVersions": "bedrock-agentcore:ListAgentRuntimeVersions",
    "GetMetricData": "cloudwatch:GetMetricData",
}

pytestmark = pytest.mark.django_db


def run_command(**options: Any) -> tuple[str, int]:
    """The command's output and exit status."""
    out = StringIO()
    try:
        call_command("check_aws", stdout=out, **options)
    except SystemExit as stopped:
        return out.getvalue(), int(str(stopped.code))
    return out.getvalue(), 0


def states(report: CheckReport) -> dict[str, str]:
    return {finding.subject: finding.state for finding in report.findings}


def find(report: CheckReport, subject: str, part: str = "") -> Finding:
    return next(found for found in report.findings if found.subject == subject and part in found.message)


async def invoke(arn: RuntimeArn) -> None:
    client = AgentCoreClient(current_connection())
    try:
        response = await client.invoke(
            arn, qualifier="DEFAULT", runtime_session_id=str(uuid.uuid4()), payload=b'{"prompt": "Hi"}'
        )
        async for _ in response.chunks():
            continue
    finally:
        await client.close()


def check_until(arn: RuntimeArn, subject: str, part: str) -> Finding:
    """Check until CloudWatch's delay is over and a finding says `part`."""
    found: list[Finding] = []

    def is_said() -> bool:
        report = check_aws(current_connection(), f"{arn.runtime_arn}/runtime-endpoint/DEFAULT")
        found[:] = [one for one in report.findings if one.subject == subject and part in one.message]
        return bool(found)

    wait_until(is_said, f"{subject} says {part}")
    return found[0]


def test_everything_that_can_be_tried_is_tried_and_the_rest_is_said(recorded_aws: RecordedAws) -> None:
    """S1-016: the permissions that the code uses, by name."""
    report = check_aws(current_connection(), "code_tutor")

    assert report.is_ok and report.statements == []
    assert (report.origin, report.account, report.role) == ("aws", ACCOUNT, "user/emulated")
    assert {subject: state for subject, state in states(report).items() if ":" in subject} == {
        **dict.fromkeys([*PERMISSIONS.values(), *EXTRAS.values()], "ok"),
        "bedrock-agentcore:InvokeAgentRuntime": "untested",
        "bedrock-agentcore:StopRuntimeSession": "untested",
    }
    assert [states(report)[subject] for subject in ("credentials", "status", "MMDSv2", "IAM authorization")] == [
        "ok"
    ] * 4
    assert (
        find(report, "bedrock-agentcore:ListAgentRuntimeEndpoints").message == "DEFAULT → version 5, prod → version 4"
    )
    granted = {action for statement in policy("base")["Statement"] for action in statement["Action"]}
    assert recorded_aws.actions == granted | set(PERMISSIONS.values()) | set(EXTRAS.values())


@pytest.mark.parametrize("operation", PERMISSIONS)
def test_a_refusal_names_the_statement_that_mends_it(
    recorded_aws: RecordedAws, emulator: Emulator, operation: str
) -> None:
    """S1-016, S1-053: the statement is complete: action, account, region."""
    emulator.order(kind="error", operation=operation, code="AccessDeniedException", count=9)

    report = check_aws(current_connection(), TUTOR.runtime_arn)

    missing = [found for found in report.findings if found.state == "missing"]
    assert [found.action for found in missing] == [PERMISSIONS[operation]]
    spans = [statement_for("logs:FilterLogEvents", TUTOR, "spans")] if operation == "FilterLogEvents" else []
    assert report.statements == [statement_for(PERMISSIONS[operation], TUTOR), *spans]
    statement = json.dumps(report.statements)
    assert PERMISSIONS[operation] in statement and "${" not in statement
    if operation != "ListAgentRuntimes":
        assert f":{REGION}:{ACCOUNT}:" in statement
    others = set(PERMISSIONS.values()) - {PERMISSIONS[operation]}
    assert {states(report)[action] for action in others} == {"ok"}


@pytest.mark.parametrize("operation", EXTRAS)
def test_a_refusal_of_what_loom_can_do_without_is_a_warning(
    recorded_aws: RecordedAws, emulator: Emulator, operation: str
) -> None:
    emulator.order(kind="error", operation=operation, code="AccessDeniedException", count=9)

    report = check_aws(current_connection(), TUTOR.runtime_arn)

    refused = find(report, EXTRAS[operation])
    assert (refused.state, refused.action, report.is_ok) == ("warning", EXTRAS[operation], True)
    assert report.statements == [statement_for(EXTRAS[operation], TUTOR)]


def test_a_refusal_fails_the_command_and_prints_what_to_add(recorded_aws: RecordedAws, emulator: Emulator) -> None:
    emulator.order(kind="error", operation="FilterLogEvents", code="AccessDeniedException", count=9)

    text, status = run_command(agent=TUTOR.runtime_arn)

    assert status == 1
    assert f"AWS, {REGION}, account {ACCOUNT}, user/emulated" in text
    assert "  missing   logs:FilterLogEvents                         AccessDeniedException: Emulated" in text
    printed = text[text.index("[\n") : text.rindex("]") + 1]
    assert json.loads(printed) == [
        statement_for("logs:FilterLogEvents", TUTOR), statement_for("logs:FilterLogEvents", TUTOR, "spans"),
    ]  # fmt: skip
    assert "  warning   spans                                        aws/spans: AccessDeniedException" in text


def test_throttling_decides_nothing(emulator: Emulator) -> None:
    emulator.order(kind="error", operation="DescribeLogStreams", code="ThrottlingException", count=4)

    report = check_aws(current_connection(), f"{TUTOR.runtime_arn}/runtime-endpoint/DEFAULT")

    throttled = find(report, "logs:DescribeLogStreams")
    assert (throttled.state, throttled.action) == ("warning", None)
    assert "not decided" in throttled.message
    assert report.is_ok and report.statements == []


def test_a_missing_group_is_no_missing_permission(emulator: Emulator) -> None:
    report = check_aws(
        current_connection(),
        f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:runtime/travel_concierge-Xk29QmT7aB/runtime-endpoint/nowhere",
    )

    group = find(report, "log group")
    assert group.state == "warning"
    assert group.message.endswith("travel_concierge-Xk29QmT7aB-nowhere does not exist yet")
    assert "execution role" in group.advice
    assert (states(report)["logs:FilterLogEvents"], states(report)["logs:DescribeLogStreams"]) == ("ok", "ok")
    assert report.is_ok


async def test_streams_and_markers_that_were_seen_are_told(emulator: Emulator) -> None:
    """What a log holds decides whether a start can be measured."""
    for arn in (TUTOR, ANALYST, SCORER):
        await invoke(arn)

    check = sync_to_async(check_until)
    assert (await check(TUTOR, "start markers", "“Agent invoked” ×")).state == "ok"
    assert (await check(ANALYST, "start markers", "“Returning streaming response” ×")).state == "ok"
    assert (await check(ANALYST, "observability", "an OpenTelemetry stream is there")).state == "ok"
    assert (await check(TUTOR, "observability", "no OpenTelemetry stream")).state == "warning"
    silent = await check(SCORER, "start markers", "none in ")
    assert silent.state == "warning" and "Agent invoked - Start time" in silent.advice


async def test_whether_spans_are_kept_and_may_be_read_is_told_and_how_to_have_them(emulator: Emulator) -> None:
    await invoke(TUTOR)
    check = sync_to_async(check_until)
    assert (await check(TUTOR, "spans", "aws/spans can be read")).state == "ok"
    elsewhere = RuntimeArn("aws", "eu-west-1", ACCOUNT, "release_digest-Hc7MxB5iZt")
    off = await check(elsewhere, "spans", "aws/spans does not exist in eu-west-1: Transaction Search is off")
    assert off.state == "warning" and "xray:UpdateTraceSegmentDestination" in off.advice


def test_credentials_that_are_missing_end_the_check(aws_home: Path, settings: Any) -> None:
    """S1-053."""
    settings.AWS_REGION = "ap-south-2"  # no other test has a client of this connection

    text, status = run_command()

    assert status == 1
    assert "missing   credentials  NoCredentialsError: No usable AWS credentials were found." in text
    assert "`aws sts get-caller-identity`" in text
    assert "bedrock-agentcore:" not in text


def test_an_expired_single_sign_on_names_the_login_command(aws_home: Path, settings: Any) -> None:
    """S1-053: the exact command, with the profile."""
    settings.AWS_PROFILE = "corp-dev"
    (aws_home / ".aws" / "config").write_text(
        "[profile corp-dev]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Developer\n"
        f"region = {REGION}\n"
        "[sso-session corp]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n",
        encoding="utf-8",
    )
    cache = aws_home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    kept = {"startUrl": "https://corp.example.com/start", "accessToken": "x", "expiresAt": "2025-01-01T00:00:00Z"}
    name = hashlib.sha1(b"corp", usedforsecurity=False).hexdigest()
    (cache / f"{name}.json").write_text(json.dumps(kept), encoding="utf-8")

    text, status = run_command()

    assert status == 1
    assert "The AWS single sign-on session has expired or is missing." in text
    assert "Run `aws sso login --profile corp-dev` in a terminal, then try again." in text


def test_an_agent_of_another_account_is_said_to_be_one(recorded_aws: RecordedAws) -> None:
    foreign = TUTOR.runtime_arn.replace(ACCOUNT, "111122223333")

    report = check_aws(current_connection(), foreign)

    assert find(report, "account").message == (
        f"the agent belongs to account 111122223333, the credentials to {ACCOUNT}"
    )
    assert find(report, "bedrock-agentcore:GetAgentRuntime").state == "missing"
    assert report.statements == []


def test_without_an_agent_every_registered_one_is_checked(emulator: Emulator, demo_agent: Any) -> None:
    demo_agent("claims_intake")
    demo_agent("code_tutor")
    Agent.objects.filter(name="code_tutor").update(origin="aws")

    report = check_aws(current_connection())

    assert {found.section for found in report.findings} == {"Account", "claims_intake-eJ5rYq2UoS"}


def test_in_emulator_mode_the_report_says_so(emulator: Emulator) -> None:
    text, status = run_command()

    assert status == 0
    assert text.startswith("Emulated: this looks at the emulator on this machine")
    assert "none needed: the emulator takes any caller" in text
    # Nothing is registered, so the region's first agent stands for all.
    assert "\ntravel_concierge-Xk29QmT7aB\n" in text


def test_an_emulator_that_does_not_run_is_missed(settings: Any) -> None:
    settings.EMULATOR_URL = "http://127.0.0.1:9"

    text, status = run_command()

    assert status == 1
    assert "Is the emulator running?" in text


def test_json_carries_the_same(emulator: Emulator) -> None:
    text, status = run_command(agent="code_tutor", json=True)

    report = json.loads(text)
    assert status == 0 and report["is_ok"] is True
    assert list(report) == ["origin", "region", "account", "role", "is_ok", "findings", "statements"]
    assert report["findings"][0] == {
        "section": "Account", "subject": "credentials", "state": "ok",
        "message": "none needed: the emulator takes any caller", "advice": "", "action": None,
    }  # fmt: skip


def test_another_region_has_other_agents(emulator: Emulator) -> None:
    text, status = run_command(agent="release_digest", region="eu-west-1")
    assert status == 0 and "release_digest-Hc7MxB5iZt" in text

    text, status = run_command(agent="release_digest")
    assert status == 1
    assert f"release_digest is neither registered nor among the agents of {REGION}" in text


def test_what_looks_like_an_arn_and_is_none_is_explained(emulator: Emulator) -> None:
    with pytest.raises(CommandError, match="versions are not part of the ARN"):
        run_command(agent=f"{TUTOR.runtime_arn}:3")


def test_an_action_without_a_policy_is_an_error_of_ours() -> None:
    with pytest.raises(UnknownActionError):
        statement_for("bedrock-agentcore:DeleteAgentRuntime", TUTOR)
