"""Whether an agent's own spans come, and what to change: told beside the lines, which are found without them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.aws.tests.loopback import loopback
from apps.awsverify.doctor.diagnosis import diagnose
from apps.awsverify.doctor.looking import Asked
from apps.awsverify.doctor.results import LogCheck
from apps.awsverify.doctor.text import as_text
from apps.awsverify.permissions.policies import statement_for
from apps.metrics.tests.cloudwatch import CloudWatch
from apps.metrics.traces.reading import MAX_PAGES
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db
TRACE = "5759e988bd862e3fe1be46a994272793"
GROUP = "aws/spans"


@pytest.fixture
def cloudwatch(settings: Any) -> Iterator[CloudWatch]:
    """What `check_logs` asks."""
    found = CloudWatch()
    with loopback(found) as server:
        settings.EMULATOR_URL = server.url
        yield found


@pytest.fixture
def run(make_session: Callable[..., Session]) -> Invocation:
    """A run of an hour ago, whose trace is known."""
    session, at = make_session(), timezone.now() - timedelta(hours=1)
    Session.objects.filter(pk=session.pk).update(last_invoked_at=at)
    session.refresh_from_db()
    return Invocation.objects.create(
        session=session, number=1, status="completed", prompt="Hi", requested_at=at, invoked_at=at,
        completed_at=at + timedelta(seconds=3), trace_id=f"Root=1-{TRACE[:8]}-{TRACE[8:]};Sampled=1",
    )  # fmt: skip


def span(run: Invocation, number: int = 1) -> str:
    start_ns = int(run.requested_at.timestamp()) * 10**9
    return json.dumps(
        {
            "traceId": TRACE, "spanId": f"{number:016x}", "name": "invoke_agent",
            "startTimeUnixNano": start_ns, "endTimeUnixNano": start_ns + 10**9,
        }
    )  # fmt: skip


def spans_of(run: Invocation, *, is_of_run: bool = True) -> LogCheck:
    session = run.session
    report = diagnose(Asked(session.agent, "DEFAULT", session, run if is_of_run else None))
    (check,) = [check for check in report.checks if check.key == "spans"]
    assert check.state != "failed"  # lines are found without
    return check


@pytest.mark.parametrize("is_of_run", [True, False], ids=["of a run", "of its session"])
@pytest.mark.parametrize("is_own", [False, True], ids=["the account's group", "the runtime's stream"])
def test_spans_that_came_are_counted_and_their_place_is_named(
    cloudwatch: CloudWatch, run: Invocation, is_of_run: bool, is_own: bool
) -> None:
    group = run.session.agent.runtime.parsed_arn.log_group() if is_own else GROUP
    cloudwatch.write(group, "spans", run.requested_at, span(run))
    check = spans_of(run, is_of_run=is_of_run)
    assert (check.state, check.reason) == ("ok", f"Those of 1 of the 1 newest runs are in {group}.")


def test_of_an_endpoint_those_of_its_newest_runs_are_looked_for(cloudwatch: CloudWatch, run: Invocation) -> None:
    cloudwatch.write(GROUP, "default", run.requested_at, span(run))
    report = diagnose(Asked(run.session.agent, "DEFAULT"))
    assert {check.key: check.state for check in report.checks}["spans"] == "ok"
    assert "ok       Do the agent’s own spans come? Those of 1 of the 1 newest runs" in as_text(report)
    others = diagnose(Asked(run.session.agent, "canary"))
    assert {check.key: check.state for check in others.checks}["spans"] == "unknown"


@pytest.mark.parametrize(
    ("code", "said", "advice"),
    [
        ("ResourceNotFoundException", "Transaction Search is off", "switch it on in CloudWatch"),
        ("AccessDeniedException", "AccessDeniedException", "Add the statement below"),
        ("InvalidOperationException", "InvalidOperationException", ""),
    ],
)
def test_what_keeps_them_away_is_told_with_what_to_change(
    cloudwatch: CloudWatch, run: Invocation, code: str, said: str, advice: str
) -> None:
    cloudwatch.error = (code, "No.")
    check = spans_of(run)
    assert said in check.reason and advice in check.advice
    arn = run.session.agent.runtime.parsed_arn
    denied = code == "AccessDeniedException"
    assert check.statement == (statement_for("logs:FilterLogEvents", arn, "spans") if denied else None)
    assert not denied or GROUP in json.dumps(check.statement)


def test_an_agent_that_sends_none_is_told_what_to_deploy_it_with(cloudwatch: CloudWatch, run: Invocation) -> None:
    assert "AGENT_OBSERVABILITY_ENABLED=true" in spans_of(run).advice
    now = timezone.now()
    Invocation.objects.filter(pk=run.pk).update(completed_at=now)
    run.refresh_from_db()
    assert "so far" in spans_of(run).reason
    run.trace_id = ""
    assert "no run of this time whose trace is known" in spans_of(run).reason


def test_more_lines_than_are_read_decide_nothing(cloudwatch: CloudWatch, run: Invocation) -> None:
    cloudwatch.page_size = 1
    for _ in range(MAX_PAGES + 1):
        cloudwatch.write(GROUP, "default", run.requested_at, "a line of another session")
    cloudwatch.before = lambda operation, parameters: parameters.pop("filterPattern", None)
    assert "there are more" in spans_of(run).reason
