from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.forms.models import model_to_dict
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.exceptions import AgentExistsError, AgentRuntimeError
from apps.agentcore.models import Runtime
from apps.agentcore.services import refresh_agent, register_agent, save_invocation_settings
from apps.agentcore.tests.control_plane import ARN, RUNTIME_ID, ControlPlane, described, listed
from apps.agents.models import Agent, Endpoint, FormerColumns
from apps.agents.services import archive_agent
from apps.core.exceptions import InvalidInputError, LoomError

pytestmark = pytest.mark.django_db


def pointers(agent: Agent) -> list[tuple[str, str, str, str]]:
    return list(agent.endpoints.values_list("name", "live_version", "target_version", "status"))


def test_what_aws_says_is_stored(control_plane: ControlPlane, alice: User) -> None:
    """S0-068, S0-069, S0-070, S0-071, S0-072, S0-073, S0-074, S0-075, S0-076, S0-078, S0-079."""
    control_plane.runtime = described(
        description="Answers questions.",
        lifecycleConfiguration={"idleRuntimeSessionTimeout": 60, "maxLifetime": 3600},
        platformVersion="V2",
        protocolConfiguration={"serverProtocol": "MCP"},
    )
    control_plane.endpoints = [listed("prod", "2", "3", status="UPDATING"), listed("DEFAULT")]
    before = timezone.now()

    agent = register_agent(arn=ARN, user=alice)

    agent.refresh_from_db()
    former = [field.name for field in FormerColumns._meta.get_fields()]
    assert model_to_dict(agent, exclude=["id", "registered_at", "tags", *former]) == {
        "kind": "agentcore",
        "owner": None,
        "origin": "emulator",
        "name": "my_agent",
        "description": "Answers questions.",
        "status": "READY",
        "failure_reason": "",
        "available_qualifiers": ["DEFAULT", "prod"],
        "version": "3",
        "registered_by": alice.pk,
        "removed_at": None,
        "last_invoked_at": None,
        "invocation_count": 0,
    }
    assert model_to_dict(agent.runtime, exclude=["agent", "raw_metadata", "last_refreshed_at"]) == {
        "arn": ARN,
        "runtime_id": RUNTIME_ID,
        "region": "us-east-1",
        "account_id": "123456789012",
        "aws_account": None,
        "log_group": f"/aws/bedrock-agentcore/runtimes/{RUNTIME_ID}-DEFAULT",
        "protocol": "MCP",
        "idle_timeout_ms": 60_000,
        "max_lifetime_ms": 3_600_000,
        "platform_version": "V2",
        "authorizer_kind": "iam",
        "payload_template": {"prompt": "{{prompt}}"},
        "read_timeout_ms": 900_000,
        "retry_unproven": False,
        "log_stream": None,
    }
    assert before <= agent.registered_at == agent.runtime.last_refreshed_at <= timezone.now()
    assert pointers(agent) == [("DEFAULT", "3", "3", "READY"), ("prod", "2", "3", "UPDATING")]


def test_what_aws_leaves_out_is_what_agentcore_applies(control_plane: ControlPlane) -> None:
    agent = register_agent(arn=ARN, user=None)

    assert (agent.runtime.protocol, agent.runtime.idle_timeout_ms, agent.runtime.max_lifetime_ms) == (
        "HTTP",
        900_000,
        28_800_000,
    )
    assert (agent.runtime.platform_version, agent.runtime.authorizer_kind, agent.description) == ("", "iam", "")


def test_an_agent_with_oauth_and_one_that_failed_are_told_apart(control_plane: ControlPlane) -> None:
    control_plane.runtime = described(
        status="CREATE_FAILED",
        failureReason="The image was not found.",
        authorizerConfiguration={"customJWTAuthorizer": {"discoveryUrl": "https://example.com/.well-known/x"}},
    )

    agent = register_agent(arn=ARN, user=None)

    assert (agent.status, agent.failure_reason) == ("CREATE_FAILED", "The image was not found.")
    assert (agent.runtime.authorizer_kind, agent.is_ready) == ("jwt", False)


def test_no_environment_value_is_stored(control_plane: ControlPlane) -> None:
    """S0-077."""
    control_plane.runtime = described(environmentVariables={"API_KEY": "hunter2", "LOG_LEVEL": "hunter3"})

    agent = register_agent(arn=ARN, user=None)

    agent.refresh_from_db()
    assert agent.runtime.raw_metadata == {
        **described(),
        "createdAt": "2026-11-01T10:00:00+00:00",
        "lastUpdatedAt": "2026-11-19T10:00:00+00:00",
        "environmentVariables": {"API_KEY": "***", "LOG_LEVEL": "***"},
    }


@pytest.mark.parametrize(
    "text", [f"  {ARN}\n", f"{ARN}/runtime-endpoint/prod", f"{ARN}/runtime-endpoint/DEFAULT:DEFAULT"]
)
def test_an_arn_may_be_pasted_with_blanks_or_an_endpoint(control_plane: ControlPlane, text: str) -> None:
    assert register_agent(arn=text, user=None).runtime.arn == ARN


@pytest.mark.parametrize("endpoints", [[], None])
def test_default_can_be_invoked_where_no_endpoint_is_listed(
    control_plane: ControlPlane, endpoints: list[Any] | None
) -> None:
    """S0-106: an empty list, or one that may not be read."""
    if endpoints is None:
        control_plane.failing = "ListAgentRuntimeEndpoints"
    else:
        control_plane.endpoints = endpoints

    assert register_agent(arn=ARN, user=None).available_qualifiers == ["DEFAULT"]


@pytest.mark.parametrize("operation", ["GetAgentRuntime", "ListAgentRuntimeEndpoints"])
def test_nothing_is_stored_where_aws_fails(
    control_plane: ControlPlane, operation: str, caplog: pytest.LogCaptureFixture
) -> None:
    control_plane.failing = operation
    control_plane.failure = (400, "ValidationException", "Not like that.")

    with caplog.at_level(logging.WARNING, logger="apps.agents"), pytest.raises(AgentRuntimeError) as caught:
        register_agent(arn=ARN, user=None)

    error = caught.value
    assert (error.code, str(error), error.request_id) == ("ValidationException", "Not like that.", "request-1")
    assert error.http_status == 502
    assert Agent.objects.count() == Endpoint.objects.count() == 0
    assert caplog.messages == ["describe failed code=ValidationException http_status=400 request_id=request-1"]


def test_a_runtime_of_another_account_is_not_taken_for_the_one_asked_for(control_plane: ControlPlane) -> None:
    with pytest.raises(InvalidInputError) as caught:
        register_agent(arn=ARN.replace("123456789012", "111122223333"), user=None)

    assert str(caught.value) == f"Under this id AWS knows another runtime: {ARN}."
    assert caught.value.advice == "Check the account id in the ARN."
    assert Agent.objects.count() == 0


def test_a_bad_arn_is_refused_before_anybody_is_asked(settings: Any) -> None:
    settings.EMULATOR_URL = "nowhere"

    with pytest.raises(InvalidInputError, match="This is not an ARN"):
        register_agent(arn="my_agent", user=None)


def test_a_registered_agent_is_not_registered_again(control_plane: ControlPlane) -> None:
    register_agent(arn=ARN, user=None)
    control_plane.failing = "GetAgentRuntime"  # nobody is asked

    with pytest.raises(AgentExistsError) as caught:
        register_agent(arn=f"{ARN}/runtime-endpoint/prod", user=None)

    assert (str(caught.value), caught.value.advice, caught.value.http_status) == (
        "my_agent is registered already.",
        "Refresh it to read its newest state.",
        409,
    )


def test_removing_hides_and_registering_again_revives_with_the_history(
    control_plane: ControlPlane, alice: User, bob: User
) -> None:
    agent = register_agent(arn=ARN, user=alice)
    Agent.objects.update(invocation_count=7, last_invoked_at=timezone.now())
    save_invocation_settings(agent=agent, payload_template={"input": 1}, read_timeout_ms=5000, retry_unproven=True)
    agent.refresh_from_db()
    archive_agent(agent=agent)
    removed = Agent.objects.select_related("runtime").get()
    assert removed.removed_at is not None

    control_plane.runtime = described(agentRuntimeVersion="4")
    revived = register_agent(arn=ARN, user=bob)

    revived.refresh_from_db()
    assert (revived.pk, revived.version, revived.removed_at) == (agent.pk, "4", None)
    assert (revived.registered_by, revived.registered_at) == (alice, agent.registered_at)
    assert (revived.invocation_count, revived.last_invoked_at) == (7, agent.last_invoked_at)
    assert (revived.runtime.payload_template, revived.runtime.read_timeout_ms) == ({"input": 1}, 5000)
    assert revived.runtime.last_refreshed_at > removed.runtime.last_refreshed_at


def test_removing_twice_keeps_the_first_time(control_plane: ControlPlane) -> None:
    agent = register_agent(arn=ARN, user=None)
    archive_agent(agent=agent)
    first = Agent.objects.get().removed_at

    archive_agent(agent=agent)

    assert Agent.objects.get().removed_at == first


def test_the_history_of_one_mode_is_not_continued_in_the_other(control_plane: ControlPlane) -> None:
    agent = register_agent(arn=ARN, user=None)
    Agent.objects.update(origin="aws", removed_at=timezone.now())

    with pytest.raises(AgentExistsError, match="my_agent belongs to AWS; this Loom runs with LOOM_AWS=emulator"):
        register_agent(arn=ARN, user=None)

    agent.refresh_from_db()
    assert (agent.origin, agent.removed_at is None) == ("aws", False)


def test_refreshing_reads_everything_again(control_plane: ControlPlane) -> None:
    control_plane.endpoints = [listed("DEFAULT"), listed("beta", "2", "2"), listed("prod", "2", "2")]
    agent = register_agent(arn=ARN, user=None)
    prod = agent.endpoints.get(name="prod")
    control_plane.runtime = described(agentRuntimeVersion="4", status="UPDATING", description="New.")
    control_plane.endpoints = [listed("DEFAULT", "4", "4"), listed("gamma", "4", "4"), listed("prod", "3", "4")]
    before = agent.runtime.last_refreshed_at

    assert refresh_agent(agent=agent) is agent

    agent.refresh_from_db()
    assert (agent.version, agent.status, agent.description) == ("4", "UPDATING", "New.")
    assert agent.available_qualifiers == ["DEFAULT", "gamma", "prod"]
    assert pointers(agent) == [
        ("DEFAULT", "4", "4", "READY"),
        ("gamma", "4", "4", "READY"),
        ("prod", "3", "4", "READY"),
    ]
    assert agent.endpoints.get(name="prod").pk == prod.pk
    assert agent.runtime.last_refreshed_at > before


def test_a_refresh_that_fails_changes_nothing(control_plane: ControlPlane) -> None:
    agent = register_agent(arn=ARN, user=None)
    before = Agent.objects.values().get(), Runtime.objects.values().get()
    control_plane.runtime = described(status="UPDATING")
    control_plane.failing = "ListAgentRuntimeEndpoints"
    control_plane.failure = (400, "ValidationException", "Not like that.")

    with pytest.raises(AgentRuntimeError):
        refresh_agent(agent=agent)

    assert (Agent.objects.values().get(), Runtime.objects.values().get()) == before
    assert pointers(agent) == [("DEFAULT", "3", "3", "READY")]


def test_a_refresh_keeps_what_others_changed_while_aws_was_asked(control_plane: ControlPlane) -> None:
    agent = register_agent(arn=ARN, user=None)
    now = timezone.now() + timedelta(minutes=1)
    ours = {"invocation_count": 5, "last_invoked_at": now, "removed_at": now}
    settings = {"payload_template": {"input": "{{prompt}}"}, "read_timeout_ms": 5000, "retry_unproven": True}
    Agent.objects.update(**ours)
    Runtime.objects.update(**settings)

    refresh_agent(agent=agent)

    assert Agent.objects.values(*ours).get() == ours
    assert Runtime.objects.values(*settings).get() == settings


@pytest.mark.django_db(transaction=True)
def test_of_two_who_register_at_once_one_succeeds_and_one_is_told(control_plane: ControlPlane) -> None:
    both_ask = threading.Barrier(2, timeout=30)
    control_plane.meanwhile = both_ask.wait
    outcomes: list[str] = []

    def register() -> None:
        try:
            register_agent(arn=ARN, user=None)
            outcomes.append("registered")
        except LoomError as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=register) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["already_registered", "registered"]
    assert (Agent.objects.count(), Endpoint.objects.count()) == (1, 1)
