"""The policies in `iac/` allow what Loom calls and nothing else (S0-119, S1-016, S1-040, S1-047).

What is called is what goes over the wire: each feature is used in aws mode, and every request is written down on its
way to the emulator.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.utils import timezone
from moto import mock_aws
from moto.cloudformation.models import cloudformation_backends
from moto.iam.models import iam_backends

from apps.agentcore.aws.connection import current_connection
from apps.agentcore.aws.health import check_aws as check_health
from apps.agentcore.aws.metrics import RANGES, metrics_of
from apps.agentcore.services import refresh_agent, versions_of
from apps.agents.models import Agent
from apps.aws.agentcore import AgentCoreClient
from apps.aws.arn import RuntimeArn
from apps.aws.control import list_runtimes
from apps.awsverify.permissions.policies import FEATURES, POLICIES, policy
from apps.core.models import Process
from apps.core.running import processes
from apps.metrics.exporting.cloudwatch import export
from apps.metrics.models import AgentTrace, Measurement, MetricExport
from apps.metrics.starts.tasks import enqueue_due_sweep, sweep_measurements
from apps.metrics.tests.runs import make_run
from apps.metrics.traces.tasks import enqueue_due_fetch, fetch_spans
from apps.sessions.engine.engine import engine, follow
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, Session
from apps.sessions.services import start_session
from loom.tests.recorded_aws import ACCOUNT, REGION, RecordedAws
from loom.tests.running import free_port, wait_until

ARN = RuntimeArn("aws", REGION, ACCOUNT, "travel_concierge-Xk29QmT7aB")
TEMPLATE = POLICIES.parent / "loom-policies.yaml"
ATTACHED = ["base", "discover", "describe", "invoke", "stop", "logs", "spans", "metrics"]


def granted(feature: str) -> set[str]:
    return {action for statement in policy(feature)["Statement"] for action in statement["Action"]}


def allows(feature: str, action: str, resource: str) -> bool:
    """Whether the feature's policy, filled in for `ARN`, allows an action on a resource, as IAM compares them."""
    return any(
        action in statement["Action"] and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        for statement in policy(feature, ARN)["Statement"]
    )


def assert_exactly_granted(feature: str, aws: RecordedAws) -> None:
    """The feature's policy grants the recorded actions and no other, on every resource that was asked for."""
    assert aws.actions == granted(feature)
    refused = [
        (call.action, resource)
        for call in aws.calls
        for resource in call.resources
        if not allows(feature, call.action, resource)
    ]
    assert refused == []


def run_once(agent: Agent, owner: Any) -> Invocation:
    """Send one prompt through the engine of this process and wait for the end of the answer."""
    session = start_session(agent=agent, owner=owner)

    async def run() -> int:
        process = await sync_to_async(processes.register)(Process.Kind.WEB)
        await engine.start(process.pk)
        try:
            invocation = await sync_to_async(start_invocation)(
                session=session, prompt="Two days in Ghent", process_id=engine.process_id
            )
            engine.launch(invocation)
            async for _ in follow(invocation.pk):
                continue
        finally:
            await engine.close(drain_s=0)
        return invocation.pk

    invocation = Invocation.objects.get(pk=asyncio.run(run()))
    assert invocation.status == Invocation.Status.COMPLETED
    return invocation


def test_knowing_who_asks_needs_the_base_policy(recorded_aws: RecordedAws) -> None:
    assert check_health() is None

    assert_exactly_granted("base", recorded_aws)


def test_listing_agents_needs_the_discover_policy(recorded_aws: RecordedAws) -> None:
    assert ARN.runtime_arn in [runtime.arn for runtime in list_runtimes(current_connection(), REGION)]

    assert_exactly_granted("discover", recorded_aws)


def test_registering_and_refreshing_need_the_describe_policy(
    recorded_aws: RecordedAws, demo_agent: Callable[[str], Agent]
) -> None:
    agent = demo_agent("travel_concierge")
    # The fixture looks the ARN up, which registering by ARN does not.
    recorded_aws.calls[:] = [call for call in recorded_aws.calls if not call.action.endswith("ListAgentRuntimes")]
    refresh_agent(agent=agent)
    versions_of(agent)

    assert_exactly_granted("describe", recorded_aws)


def test_awss_own_metrics_need_the_metrics_policy(
    recorded_aws: RecordedAws, demo_agent: Callable[[str], Agent]
) -> None:
    agent = demo_agent("travel_concierge")
    recorded_aws.forget()

    metrics_of(agent, RANGES["1h"], timezone.now())

    assert_exactly_granted("metrics", recorded_aws)


@pytest.mark.django_db
def test_sending_metrics_needs_the_publish_policy(
    recorded_aws: RecordedAws,
    settings: Any,
    make_session: Callable[..., Session],
    make_agent: Callable[..., Agent],
) -> None:
    settings.CLOUDWATCH_METRICS = "Loom"
    ended_at = timezone.now() - timedelta(minutes=2)
    make_run(make_session(agent=make_agent(origin="aws")), completed_at=ended_at, invoked_at=ended_at)
    MetricExport.objects.create(sent_until=ended_at - timedelta(minutes=1))
    recorded_aws.forget()

    assert export() > 0

    assert_exactly_granted("publish", recorded_aws)


@pytest.mark.usefixtures("transactional_db")
def test_invoking_needs_the_invoke_policy_on_the_runtime_and_its_endpoint(
    recorded_aws: RecordedAws, demo_agent: Callable[[str], Agent], alice: Any
) -> None:
    agent = demo_agent("travel_concierge")
    recorded_aws.forget()

    run_once(agent, alice)

    assert_exactly_granted("invoke", recorded_aws)
    assert [call.resources for call in recorded_aws.calls] == [(ARN.runtime_arn, ARN.endpoint_arn("DEFAULT"))]


async def test_ending_a_session_needs_the_stop_policy_on_the_runtime_and_its_endpoint(
    recorded_aws: RecordedAws,
) -> None:
    client = AgentCoreClient(current_connection())
    try:
        response = await client.invoke(ARN, qualifier="prod", runtime_session_id="s" * 40, payload=b'{"prompt": "Hi"}')
        await response.close()
        recorded_aws.forget()
        await client.stop_session(ARN, qualifier="prod", runtime_session_id="s" * 40)
    finally:
        await client.close()

    assert_exactly_granted("stop", recorded_aws)
    assert [call.resources for call in recorded_aws.calls] == [(ARN.runtime_arn, ARN.endpoint_arn("prod"))]


@pytest.mark.usefixtures("transactional_db")
def test_measuring_needs_the_logs_policy(
    recorded_aws: RecordedAws, demo_agent: Callable[[str], Agent], alice: Any
) -> None:
    invocation = run_once(demo_agent("code_tutor"), alice)
    enqueue_due_sweep()
    recorded_aws.forget()

    def is_measured() -> bool:
        Measurement.objects.filter(invocation=invocation).update(next_at=invocation.requested_at)
        sweep_measurements()
        return Measurement.objects.get(invocation=invocation).marker_rank == 1

    wait_until(is_measured, "the start was found in the log")

    assert_exactly_granted("logs", recorded_aws)


@pytest.mark.usefixtures("transactional_db")
def test_an_agent_s_own_spans_need_the_spans_policy(
    recorded_aws: RecordedAws, demo_agent: Callable[[str], Agent], alice: Any
) -> None:
    """A runtime's own stream of them, which is read where they are not there, needs no more than its lines."""
    invocation = run_once(demo_agent("code_tutor"), alice)
    enqueue_due_fetch()
    recorded_aws.forget()

    def are_there() -> bool:
        AgentTrace.objects.filter(invocation=invocation).update(next_at=invocation.requested_at)
        fetch_spans()
        return AgentTrace.objects.get(invocation=invocation).state == AgentTrace.State.FOUND

    wait_until(are_there, "the spans were found")

    own = [call for call in recorded_aws.calls if any("runtimes/" in resource for resource in call.resources)]
    assert [call for call in own if not allows("logs", call.action, call.resources[0])] == []
    recorded_aws.calls[:] = [call for call in recorded_aws.calls if call not in own]
    assert_exactly_granted("spans", recorded_aws)


@pytest.mark.django_db
def test_checking_needs_the_check_policy(recorded_aws: RecordedAws) -> None:
    call_command("check_aws", agent="travel_concierge")

    assert_exactly_granted("check", recorded_aws)


@pytest.mark.slow("goes through everything, with a whole Loom of its own")
def test_a_smoke_run_needs_the_smoke_policy(recorded_aws: RecordedAws, settings: Any, tmp_path: Path) -> None:
    """No Loom runs here, so the command brings one, which calls AWS too."""
    settings.BACKEND_PORT = free_port()
    # Its start is told by a weaker line, which Loom would look for a better one of for a minute.
    call_command("smoke", agent="travel_concierge", report=tmp_path, log_wait=5, poll_every=0.2, max_invocations=1)

    assert_exactly_granted("smoke", recorded_aws)


def test_the_commands_need_nothing_that_no_feature_needs() -> None:
    by_feature = set().union(*(granted(feature) for feature in ATTACHED))

    assert granted("check") - by_feature == set()
    assert granted("smoke") - by_feature == {"cloudwatch:ListMetrics"}


@pytest.mark.parametrize("feature", ["invoke", "stop", "smoke"])
def test_what_costs_money_reaches_one_agent_only(feature: str) -> None:
    for action in granted(feature) & {"bedrock-agentcore:InvokeAgentRuntime", "bedrock-agentcore:StopRuntimeSession"}:
        assert allows(feature, action, ARN.runtime_arn)
        assert allows(feature, action, ARN.endpoint_arn("prod"))
        assert not allows(feature, action, ARN.runtime_arn.replace("travel_concierge-Xk29QmT7aB", "other-Xk29QmT7aB"))
        assert not allows(feature, action, ARN.runtime_arn.replace(ACCOUNT, "111122223333"))


@pytest.mark.parametrize("feature", FEATURES)
def test_only_what_knows_no_narrower_resource_reaches_everything(feature: str) -> None:
    unbounded = {
        action
        for statement in policy(feature, ARN)["Statement"]
        for action in statement["Action"]
        if any(f":{REGION}:{ACCOUNT}:" not in resource for resource in statement["Resource"])
    }

    assert unbounded <= {
        "sts:GetCallerIdentity", "bedrock-agentcore:ListAgentRuntimes", "cloudwatch:ListMetrics",
        "cloudwatch:GetMetricData", "cloudwatch:PutMetricData",
        "sts:AssumeRole",  # of a role of one name, in whichever account
    }  # fmt: skip


def make_stack(**parameters: str) -> tuple[dict[str, Any], list[str]]:
    """Deploy the template into a simulated account: the policies by name, and those attached to the role `loom`."""
    with mock_aws():
        iam = iam_backends[ACCOUNT]["aws"]
        iam.create_role("loom", "{}", "/", None, "", [], "3600")
        cloudformation_backends[ACCOUNT][REGION].create_stack(
            name="loom",
            template=TEMPLATE.read_text(encoding="utf-8"),
            parameters={"Stage": "test", "Runtime": ARN.runtime_id, **parameters},
            notification_arns=[],
            tags={},
        )
        made = {
            found.name: json.loads(found.versions[0].document)
            for found in iam.managed_policies.values()
            if found.name.startswith("loom-")
        }
        attached = [found.name for found in iam.get_role("loom").managed_policies.values()]
    return made, attached


def test_the_template_makes_the_policies_of_the_files() -> None:
    made, attached = make_stack()

    assert made == {f"loom-{feature}-test": policy(feature, ARN) for feature in FEATURES}
    assert sorted(FEATURES) == sorted(file.stem for file in POLICIES.glob("*.json"))
    assert attached == []


def test_the_role_gets_what_loom_itself_calls() -> None:
    _, attached = make_stack(RoleName="loom")

    assert sorted(attached) == sorted(f"loom-{feature}-test" for feature in ATTACHED)
