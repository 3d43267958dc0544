"""AWS's starter toolkit for AgentCore: the library that its command `agentcore` is made of."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

ROLE = "arn:aws:iam::123456789012:role/AgentRuntimeRole"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/toolkit:v{}"
SESSION = "a-session-of-the-toolkit-0123456789abcdef"


@pytest.fixture
def toolkit(aws: dict[str, str]) -> Any:
    # It reads the addresses from the environment when it is imported.
    return import_module("bedrock_agentcore_starter_toolkit.services.runtime").BedrockAgentCoreClient("us-east-1")


def deploy(toolkit: Any, version: int, agent_id: str | None = None) -> dict[str, str]:
    deployed: dict[str, str] = toolkit.create_or_update_agent(
        agent_id=agent_id,
        agent_name="made_by_the_toolkit",
        deployment_type="container",
        image_uri=IMAGE.format(version),
        execution_role_arn=ROLE,
        network_config={"networkMode": "PUBLIC"},
    )
    return deployed


def test_an_agent_is_deployed_invoked_and_deployed_again(toolkit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The second deployment is an update that says nothing of MMDSv2; the agent goes on answering."""

    def answer(arn: str) -> str:
        """What the toolkit prints of a streamed answer; it returns nothing of it."""
        capsys.readouterr()
        toolkit.invoke_endpoint(arn, '{"prompt": "hello"}', SESSION)
        return capsys.readouterr().out

    first = deploy(toolkit, 1)
    endpoint = toolkit.wait_for_agent_endpoint_ready(first["id"])
    answers = [answer(first["arn"])]
    toolkit.stop_runtime_session(first["arn"], SESSION)
    deploy(toolkit, 2, first["id"])
    toolkit.wait_for_agent_endpoint_ready(first["id"])
    answers.append(answer(first["arn"]))

    assert endpoint.endswith(f"runtime/{first['id']}/runtime-endpoint/DEFAULT")
    assert [f"version {number}" in said for number, said in enumerate(answers, 1)] == [True, True]
    assert toolkit.get_agent_runtime(first["id"])["agentRuntimeVersion"] == "2"
    assert first["id"] in [each["agentRuntimeId"] for each in toolkit.list_agents()]
