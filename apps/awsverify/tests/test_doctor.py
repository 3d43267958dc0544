"""Why no lines are found: a table of what may be wrong, against the emulator over HTTP, in all three ways to ask."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.aws.connection import current_connection
from apps.agentcore.models import Runtime
from apps.agents.models import Agent
from apps.aws.clients import client as aws_client
from apps.aws.tests.emulator_process import Emulator
from apps.awsverify.doctor.diagnosis import diagnose, writing_statement
from apps.awsverify.doctor.looking import Asked
from apps.awsverify.doctor.results import LogReport
from apps.awsverify.permissions.policies import statement_for
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]
_numbers = itertools.count(1)
LONG_AGO = timedelta(hours=2)


@pytest.fixture
def session(emulator: Emulator, make_agent: Callable[..., Agent], make_session: MakeSession) -> Session:
    """A session of alice's that was used two hours ago, of an agent that has no log group yet."""
    runtime_id = f"doctor_{next(_numbers)}-LgDr000000"
    arn = f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{runtime_id}"
    session = make_session(agent=make_agent(runtime_id=runtime_id, arn=arn, name=f"doctor_{next(_numbers)}"))
    Session.objects.filter(pk=session.pk).update(
        created_at=timezone.now() - LONG_AGO, last_invoked_at=timezone.now() - LONG_AGO
    )
    session.refresh_from_db()
    return session


def write(session: Session, *messages: str, stream: str | None = None) -> None:
    """Make the group, a stream (as a runtime names it, unless it is given) and lines of half a minute ago."""
    logs: Any = aws_client(current_connection(), "logs", "us-east-1")
    group, now = session.agent.runtime.parsed_arn.log_group(), timezone.now() - timedelta(seconds=30)
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        logs.create_log_group(logGroupName=group)
    if stream == "":
        return
    name = stream or f"{now:%Y/%m/%d}/[runtime-logs-{session.runtime_session_id}]0a1b2c3d-0000-4000-8000-000000000001"
    logs.create_log_stream(logGroupName=group, logStreamName=name)
    events = [
        {"timestamp": int(now.timestamp() * 1000) + place, "message": text} for place, text in enumerate(messages)
    ]
    if events:
        logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=events)


@dataclass(frozen=True)
class Case:
    """What was written, which calls fail and how, and what is found; the checks that are not named are ok."""

    streams: dict[str | None, list[str]] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    failed: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    said: str = ""


ENVIRONMENT = f"{timezone.now():%Y/%m/%d}/[runtime-logs]0a1b2c3d-0000-4000-8000-000000000002"
FINE: dict[str | None, list[str]] = {None: ["INFO hello", "INFO bye"]}
CASES = {
    "all is well": Case(FINE, said="2 of 2 lines do."),
    "no group": Case(
        failed=frozenset({"group"}), unknown=frozenset({"streams", "lines", "session", "delay"}), said="does not exist"
    ),
    "a group without streams": Case(
        {"": []}, failed=frozenset({"streams", "lines"}), unknown=frozenset({"session", "delay"}), said="has no stream"
    ),
    "empty streams": Case(
        {None: []}, failed=frozenset({"lines"}), unknown=frozenset({"session", "delay"}), said="PYTHONUNBUFFERED=1"
    ),
    "streams of another name": Case(
        {"my-own-stream": ["hello"]},
        failed=frozenset({"streams", "session"}), said="of another shape (1): my-own-stream",
    ),
    "lines that name no session": Case(
        {ENVIRONMENT: ["hello"]}, failed=frozenset({"session"}), said="no stream is named after it"
    ),
    "reading refused": Case(
        FINE, {"FilterLogEvents": "AccessDeniedException"},
        failed=frozenset({"read"}), unknown=frozenset({"lines", "session", "delay"}), said="AccessDeniedException",
    ),
    "listing refused": Case(
        FINE, {"DescribeLogStreams": "AccessDeniedException"},
        failed=frozenset({"list"}), unknown=frozenset({"streams"}), said="that Loom uses",
    ),
    "everything refused": Case(
        FINE, {"FilterLogEvents": "AccessDeniedException", "DescribeLogStreams": "AccessDeniedException"},
        failed=frozenset({"read", "list"}), unknown=frozenset({"group", "streams", "lines", "session", "delay"}),
        said="Nobody could be asked",
    ),
    "throttled": Case(
        FINE, {"FilterLogEvents": "ThrottlingException", "DescribeLogStreams": "ThrottlingException"},
        unknown=frozenset({"group", "read", "list", "streams", "lines", "session", "delay"}), said="in a minute",
    ),
    "AWS is ill": Case(
        FINE, {"FilterLogEvents": "ServiceUnavailableException"},
        unknown=frozenset({"read", "lines", "session", "delay"}),
    ),
}  # fmt: skip


def states(report: LogReport) -> dict[str, str]:
    return {check.key: check.state for check in report.checks}


def arrange(session: Session, case: Case, emulator: Emulator) -> None:
    for stream, messages in case.streams.items():
        write(session, *messages, stream=stream)
    for operation, code in case.faults.items():
        emulator.order(kind="error", operation=operation, code=code, count=30)


@pytest.mark.parametrize("name", CASES)
def test_each_cause_is_told_from_the_others(session: Session, emulator: Emulator, name: str) -> None:
    case = CASES[name]
    arrange(session, case, emulator)
    report = diagnose(Asked(session.agent, "DEFAULT", session))

    expected = dict.fromkeys(["group", "read", "list", "streams", "lines", "session", "delay"], "ok")
    expected["spans"] = "unknown"  # no run of it is known
    expected |= dict.fromkeys(case.failed, "failed") | dict.fromkeys(case.unknown, "unknown")
    assert states(report) == expected
    assert case.said in " ".join(f"{check.reason} {check.advice}" for check in report.checks)
    assert report.is_ok == (not case.failed)
    for check in report.checks:
        assert check.reason and (check.advice or check.state != "failed")


def test_a_refusal_comes_with_the_statement_of_the_policies(session: Session, emulator: Emulator) -> None:
    arrange(session, CASES["everything refused"], emulator)
    arn = session.agent.runtime.parsed_arn
    found = {check.key: check for check in diagnose(Asked(session.agent, "DEFAULT", session)).checks if check.statement}

    assert {key: check.grantee for key, check in found.items()} == {"read": "loom", "list": "loom"}
    assert found["read"].statement == statement_for("logs:FilterLogEvents", arn)
    assert f":us-east-1:{arn.account_id}:" in json.dumps(found["read"].statement)
    emulator.clear()
    missing = diagnose(Asked(session.agent, "nowhere"))
    assert [(check.grantee, check.statement) for check in missing.checks if check.statement] == [
        ("agent", writing_statement(arn))
    ]


@pytest.mark.parametrize(("stream", "state"), [("my-own-stream", "ok"), ("my-own", "failed")])
def test_a_stream_that_the_settings_name_has_to_be_there(session: Session, stream: str, state: str) -> None:
    write(session, "hello", stream="my-own-stream")
    Runtime.objects.update(log_stream=stream)
    session.agent.runtime.refresh_from_db()

    assert states(diagnose(Asked(session.agent, "DEFAULT")))["setting"] == state


def make_run(session: Session, **overrides: Any) -> Invocation:
    now = timezone.now()
    fields = {"number": 1, "status": "completed", "prompt": "Hi", "requested_at": now, "invoked_at": now}
    return Invocation.objects.create(session=session, **{**fields, "completed_at": now, **overrides})


def test_of_a_run_of_just_now_nothing_is_decided_by_missing_lines(session: Session) -> None:
    write(session, stream=None)
    young = diagnose(Asked(session.agent, "DEFAULT", session, make_run(session)))
    assert (states(young)["lines"], young.is_ok, young.invocation) == ("unknown", True, 1)

    ended_at = timezone.now() - LONG_AGO
    old = make_run(session, number=2, requested_at=ended_at, invoked_at=ended_at, completed_at=ended_at)
    assert states(diagnose(Asked(session.agent, "DEFAULT", session, old)))["lines"] == "failed"


def test_the_page_shows_each_check_with_what_to_do_and_stands_in_place_of_the_lines(
    client: Client, session: Session, emulator: Emulator
) -> None:
    arrange(session, CASES["reading refused"], emulator)
    client.force_login(session.owner)
    address = reverse("sessions:log-doctor", args=[session.public_id])
    page = client.get(address).content.decode()

    assert "A cause was found" in page and page.count('class="badge badge-bad"') == 1
    assert page.count('class="badge badge-warn"') == 4 and ">unknown<" in page and ">failed<" in page
    assert "&quot;logs:FilterLogEvents&quot;" in page and "For the role or user of Loom" in page
    part = client.get(address, headers={"HX-Request": "true", "HX-Target": "log-doctor"}).content.decode()
    assert part.startswith('<section class="card doctor" id="log-doctor"') and "<title>" not in part
    lost = client.get(
        reverse("sessions:logs", args=[session.public_id]), headers={"HX-Request": "true", "HX-Target": "log-lines"}
    )
    assert f'href="{address}"' in lost.content.decode()


def test_an_endpoint_has_a_page_of_its_own(client: Client, session: Session, bob: User) -> None:
    Agent.objects.filter(pk=session.agent_id).update(available_qualifiers=["DEFAULT", "prod"])
    client.force_login(bob)
    address = reverse("sessions:agent-log-doctor", args=[session.agent_id])

    assert (
        f"{session.agent.runtime.runtime_id}-prod does not exist"
        in client.get(f"{address}?qualifier=prod").content.decode()
    )
    assert f"{session.agent.runtime.runtime_id}-DEFAULT" in client.get(f"{address}?qualifier=x&run=9").content.decode()


def test_a_stranger_learns_nothing_of_a_session(client: Client, session: Session, bob: User) -> None:
    write(session, "hello")
    client.force_login(bob)

    assert client.get(reverse("sessions:log-doctor", args=[session.public_id])).status_code == 404
    address = f"/api/agents/{session.agent_id}/logs/check"
    assert client.get(address, {"session_id": session.runtime_session_id}).status_code == 404
    assert client.get(address).status_code == 200  # the agent is everybody's


def test_the_api_and_the_command_say_the_same(client: Client, session: Session, emulator: Emulator) -> None:
    arrange(session, CASES["reading refused"], emulator)
    run = make_run(session)
    client.force_login(session.owner)
    query = {"session_id": session.runtime_session_id, "invocation": str(run.number)}
    told = client.get(f"/api/agents/{session.agent_id}/logs/check", query).json()
    text, status = run_command(session.agent.name, session=session.runtime_session_id, run=1, json=True)
    printed = json.loads(text)

    assert status == 1 and told["is_ok"] is printed["is_ok"] is False
    assert list(told) == list(printed)
    same = [[(check["key"], check["state"], check["statement"]) for check in one["checks"]] for one in (told, printed)]
    assert same[0] == same[1]
    for wrong in ({"qualifier": "9"}, {"session_id": "x"}, {**query, "invocation": "0"}, {**query, "invocation": "77"}):
        assert client.get(f"/api/agents/{session.agent_id}/logs/check", wrong).status_code in {400, 404}


def run_command(agent: str, **options: Any) -> tuple[str, int]:
    out = StringIO()
    try:
        call_command("check_logs", agent, stdout=out, **options)
    except SystemExit as stopped:
        return out.getvalue(), int(str(stopped.code))
    return out.getvalue(), 0


def test_the_command_tells_people_what_to_do(session: Session, emulator: Emulator) -> None:
    text, status = run_command(session.agent.name)
    assert status == 1 and text.startswith("Emulated: this says nothing about AWS.")
    assert (
        "  failed   Does the log group exist? " in text and "Add to the policy of the agent's execution role:" in text
    )

    write(session, "hello")
    text, status = run_command(session.agent.name)
    assert status == 0 and "→" not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"agent": "nobody"}, "No registered agent"),
        ({"run": 1}, "give --session as well"),
        ({"qualifier": "9"}, "cannot be the name of an endpoint"),
        ({"session": "x" * 36}, "has no session"),
    ],
)
def test_the_command_says_what_was_not_understood(session: Session, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run_command(**{"agent": session.agent.name, **arguments})
