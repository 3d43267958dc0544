"""Agents of two accounts beside those of Loom's own: prompts, logs, spans and checks, each by its own credentials."""

from __future__ import annotations

import html
from datetime import timedelta
from io import StringIO

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.account_exceptions import AccountDisabledError
from apps.agentcore.accounts import services
from apps.agentcore.invoking.host import AgentCoreHost
from apps.agentcore.logs.reading import read_logs
from apps.agentcore.models import AwsAccount
from apps.agentcore.services import register_agent
from apps.agents.models import Agent
from apps.aws.tests.two_accounts import (
    EXTERNAL_ID,
    OWN_ACCOUNT,
    REGION,
    SECOND_ACCOUNT,
    THIRD_ACCOUNT,
    TwoAccounts,
    role_of,
)
from apps.metrics.models import Measurement
from apps.metrics.starts.services import create_measurement
from apps.metrics.starts.tasks import sweep_measurements
from apps.metrics.tests.cloudwatch import start_line, stream_of
from apps.metrics.traces.tasks import fetch_spans
from apps.sessions.engine.run import Run
from apps.sessions.engine.run_stream import LiveStream
from apps.sessions.exceptions import AgentUnavailableError
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, Session
from apps.sessions.services import start_session

ACCOUNTS = (OWN_ACCOUNT, SECOND_ACCOUNT, THIRD_ACCOUNT)


def add(account_id: str, external_id: str = EXTERNAL_ID) -> AwsAccount:
    return services.add_account(
        label=f"account {account_id[:4]}", role_arn=role_of(account_id).arn, external_id=external_id, regions=[REGION]
    )


@pytest.fixture
def agents(cloud: TwoAccounts, transactional_db: None) -> list[Agent]:
    """One of Loom's own account and one of each other, all of one name."""
    add(SECOND_ACCOUNT)
    add(THIRD_ACCOUNT)
    arns = [cloud.add_runtime(account_id, "tutor", suffix=f"AbCdEf{account_id[:4]}") for account_id in ACCOUNTS]
    found = [register_agent(arn=arn.runtime_arn, user=None) for arn in arns]
    cloud.calls.clear()
    return found


def new_run(agent: Agent, owner: User) -> Run:
    invocation = start_invocation(session=start_session(agent=agent, owner=owner), prompt="go", process_id=None)
    return Run(invocation, LiveStream(invocation.pk))


async def test_every_prompt_goes_by_the_role_of_its_agents_account(
    cloud: TwoAccounts, agents: list[Agent], alice: User
) -> None:
    """S0-113: the agents beside each other, over one host; a session is ended by the same role."""
    runs = [await sync_to_async(new_run)(agent, alice) for agent in agents]
    host = AgentCoreHost()
    await host.open()
    ends = [await host.run(run) for run in runs]
    await host.close()

    assert [end.status for end in ends] == ["completed"] * 3
    assert [run.summary()["response_text"] for run in runs] == [f"answered in {account_id}" for account_id in ACCOUNTS]
    invoked = [call for call in cloud.calls if call.service == "bedrock-agentcore"]
    assert [call.account_id for call in invoked] == list(ACCOUNTS)


async def test_a_prompt_to_an_account_that_refuses_fails_and_the_next_one_to_another_is_answered(
    cloud: TwoAccounts, agents: list[Agent], alice: User
) -> None:
    cloud.trusts[role_of(SECOND_ACCOUNT).arn] = "another id"
    _own, second, third = [await sync_to_async(new_run)(agent, alice) for agent in agents]
    host = AgentCoreHost()
    await host.open()
    refused, answered_end = await host.run(second), await host.run(third)
    await host.close()

    assert (refused.status, refused.code, "external id" in refused.advice) == ("failed", "AccessDenied", True)
    assert answered_end.status == "completed"


async def test_an_account_that_is_disabled_meanwhile_ends_a_run_unsent(agents: list[Agent], alice: User) -> None:
    run = await sync_to_async(new_run)(agents[1], alice)
    account = await AwsAccount.objects.aget(account_id=SECOND_ACCOUNT)
    await sync_to_async(services.change_account)(account=account, is_enabled=False)
    host = AgentCoreHost()
    await host.open()
    end = await host.run(run)
    await host.close()

    assert (end.status, end.code, end.is_unsent) == ("failed", "account_disabled", True)
    with pytest.raises(AgentUnavailableError, match="which is disabled"):
        await sync_to_async(host.check)(await Agent.objects.select_related("runtime").aget(pk=agents[1].pk))


def finished_run(agent: Agent, owner: User) -> Invocation:
    """A run that was sent ten seconds ago, with its measurement due."""
    sent_at = timezone.now() - timedelta(seconds=10)
    session = start_session(agent=agent, owner=owner)
    run = Invocation.objects.create(
        session=session, number=1, status="completed", prompt="go", requested_at=sent_at, invoked_at=sent_at,
        headers_at=sent_at, first_chunk_at=sent_at + timedelta(seconds=3), completed_at=sent_at + timedelta(seconds=4),
        trace_id=f"{agent.pk:032x}",
    )  # fmt: skip
    create_measurement(invocation=run)
    Measurement.objects.filter(invocation=run).update(next_at=timezone.now())
    return run


def write_start(cloud: TwoAccounts, run: Invocation) -> None:
    session: Session = run.session
    assert run.invoked_at is not None
    at_ms = int((run.invoked_at.timestamp() + 1) * 1000)
    stream = stream_of(session.runtime_session_id)
    line = start_line(run.invoked_at + timedelta(seconds=1))
    cloud.write_log(session.agent.runtime.parsed_arn, stream, at_ms, line)


def test_logs_are_swept_in_each_account_by_its_role_and_one_that_refuses_keeps_none_waiting(
    cloud: TwoAccounts, agents: list[Agent], alice: User
) -> None:
    runs = [finished_run(agent, alice) for agent in agents]
    for run in runs:
        write_start(cloud, run)
    cloud.trusts[role_of(SECOND_ACCOUNT).arn] = "another id"
    services.change_account(account=AwsAccount.objects.get(account_id=SECOND_ACCOUNT), external_id="wrong-now")

    sweep_measurements()
    fetch_spans()

    own, second, third = [Measurement.objects.get(invocation=run) for run in runs]
    assert (own.state, third.state) == ("measured", "measured")
    assert (second.state, second.error_code) == ("waiting", "AccessDenied")
    assert "external id" in second.error_message
    read = {(call.account_id, call.path) for call in cloud.calls if call.service == "logs"}
    assert {account_id for account_id, _path in read} == {OWN_ACCOUNT, THIRD_ACCOUNT}


def test_a_disabled_accounts_measurements_wait(cloud: TwoAccounts, agents: list[Agent], alice: User) -> None:
    run = finished_run(agents[1], alice)
    write_start(cloud, run)
    account = AwsAccount.objects.get(account_id=SECOND_ACCOUNT)
    services.change_account(account=account, is_enabled=False)
    sweep_measurements()
    measurement = Measurement.objects.get(invocation=run)
    assert (measurement.state, measurement.tries) == ("waiting", 0)

    services.change_account(account=account, is_enabled=True)
    sweep_measurements()

    measurement.refresh_from_db()
    assert (measurement.state, cloud.accounts_of("logs")) == ("measured", {SECOND_ACCOUNT})


def test_lines_are_read_by_the_role_and_pages_of_a_disabled_account_say_so(
    cloud: TwoAccounts, agents: list[Agent], client: Client, alice: User
) -> None:
    run = finished_run(agents[1], alice)
    write_start(cloud, run)

    (line,) = read_logs(agent=agents[1]).events
    assert "Agent invoked" in line.message
    assert cloud.accounts_of("logs") == {SECOND_ACCOUNT}
    services.change_account(account=AwsAccount.objects.get(account_id=SECOND_ACCOUNT), is_enabled=False)
    with pytest.raises(AccountDisabledError):
        read_logs(agent=agents[1])
    client.force_login(alice)
    for address in ("account/", "aws-metrics/", "versions/?ask"):
        page = client.get(f"/agents/{agents[1].pk}/{address}")
        assert page.status_code == 200
        assert ("is disabled" in html.unescape(page.content.decode())) == (address != "account/"), address


def test_check_aws_looks_at_each_agent_by_its_account(cloud: TwoAccounts, agents: list[Agent]) -> None:
    cloud.trusts[role_of(SECOND_ACCOUNT).arn] = "another id"
    services.change_account(account=AwsAccount.objects.get(account_id=SECOND_ACCOUNT), external_id="wrong-now")
    everything, one = StringIO(), StringIO()

    with pytest.raises(SystemExit):
        call_command("check_aws", stdout=everything)
    cloud.calls.clear()
    call_command("check_aws", "--account", "account 1111", stdout=one)

    text = everything.getvalue()
    assert f"account {THIRD_ACCOUNT}, role loom-access, from the role {role_of(THIRD_ACCOUNT).arn}" in text
    assert "AccessDenied: User is not authorized" in text
    assert agents[1].runtime.runtime_id not in text
    assert agents[2].runtime.runtime_id in text and agents[2].runtime.runtime_id in one.getvalue()
    assert {call.account_id for call in cloud.calls} <= {THIRD_ACCOUNT, OWN_ACCOUNT}
    assert cloud.accounts_of("bedrock-agentcore") == cloud.accounts_of("logs") == {THIRD_ACCOUNT}
