"""A request that comes again with its clientToken gets the first answer, and changes nothing again."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from apps.emulator.answer_memory import KEPT_ANSWERS, AnswerMemory
from apps.emulator.tests.raw_requests import input_of, model_of
from apps.emulator.tests.running_emulator import RunningEmulator, new_session_id
from apps.emulator.tests.test_control_plane import ARTIFACT, ROLE, create

SETTINGS: dict[str, Any] = {"agentRuntimeArtifact": ARTIFACT, "roleArn": ROLE}


def bare(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what differs between two deliveries of it."""
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_every_operation_with_a_token_is_idempotent(emulator: RunningEmulator) -> None:
    """Each one twice, with one token; the second would be a conflict, or not found, or a version more."""
    control = emulator.client("bedrock-agentcore-control")
    runtime_id = create(emulator, "made_twice_with_a_token")
    emulator.advance(10)
    here = {"agentRuntimeId": runtime_id}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("create_agent_runtime", {"agentRuntimeName": "made_by_token", **SETTINGS}),
        ("update_agent_runtime", {**here, **SETTINGS}),
        ("create_agent_runtime_endpoint", {**here, "name": "prod"}),
        ("update_agent_runtime_endpoint", {**here, "endpointName": "prod", "agentRuntimeVersion": "1"}),
        ("delete_agent_runtime_endpoint", {**here, "endpointName": "prod"}),
        ("delete_agent_runtime", here),
    ]

    for operation, members in calls:
        token = str(uuid.uuid4())
        answers = []
        for _ in range(2):
            answers.append(bare(getattr(control, operation)(clientToken=token, **members)))
            emulator.advance(10)
        assert answers[0] == answers[1], operation
        if operation == "update_agent_runtime":
            assert control.get_agent_runtime(**here)["agentRuntimeVersion"] == "2"


def test_no_operation_with_a_token_is_left_out() -> None:
    """The models mark such members; those of the operations offered are all tested here."""
    offered = {
        "bedrock-agentcore-control": [
            *("CreateAgentRuntime", "UpdateAgentRuntime", "DeleteAgentRuntime"),
            *("CreateAgentRuntimeEndpoint", "UpdateAgentRuntimeEndpoint", "DeleteAgentRuntimeEndpoint"),
        ],
        "bedrock-agentcore": ["StopRuntimeSession"],
    }
    for service, operations in offered.items():
        found = [
            name
            for name in model_of(service)["operations"]
            if ("AgentRuntime" in name or "RuntimeSession" in name)
            and "Command" not in name
            and "input" in model_of(service)["operations"][name]
            and "clientToken" in input_of(service, name)["members"]
        ]
        assert sorted(found) == sorted(operations)


def test_a_session_is_stopped_once_by_one_token_and_not_found_by_another(emulator: RunningEmulator) -> None:
    session_id, token = new_session_id(), str(uuid.uuid4())
    emulator.invoke("travel_concierge", runtimeSessionId=session_id)
    data = emulator.client("bedrock-agentcore")

    def stop(client_token: str) -> dict[str, Any]:
        answer: dict[str, Any] = data.stop_runtime_session(
            agentRuntimeArn=emulator.arn("travel_concierge"), runtimeSessionId=session_id, clientToken=client_token
        )
        return bare(answer)

    assert stop(token) == stop(token) == {"runtimeSessionId": session_id, "statusCode": 200}
    with pytest.raises(ClientError) as caught:
        stop(str(uuid.uuid4()))
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_token_with_other_parameters_is_refused(emulator: RunningEmulator) -> None:
    control, token = emulator.client("bedrock-agentcore-control"), str(uuid.uuid4())
    create(emulator, "made_with_a_token", clientToken=token)

    with pytest.raises(ClientError) as caught:
        create(emulator, "made_with_a_token", clientToken=token, description="another")

    response: Any = caught.value.response
    assert response["Error"]["Code"] == "ValidationException"
    assert response["reason"] == "IdempotentParameterMismatchException"
    with pytest.raises(control.exceptions.ConflictException):
        create(emulator, "made_with_a_token", clientToken=str(uuid.uuid4()))


def test_a_token_belongs_to_its_operation_and_region(emulator: RunningEmulator) -> None:
    token = str(uuid.uuid4())
    here = create(emulator, "made_in_one_region", clientToken=token)
    there = emulator.client("bedrock-agentcore-control", "eu-west-1").create_agent_runtime(
        agentRuntimeName="made_in_one_region", clientToken=token, **SETTINGS
    )
    emulator.advance(10)
    deleted = emulator.client("bedrock-agentcore-control").delete_agent_runtime(agentRuntimeId=here, clientToken=token)

    assert there["agentRuntimeArn"].startswith("arn:aws:bedrock-agentcore:eu-west-1:")
    assert deleted["status"] == "DELETING"


def test_a_refused_request_may_be_tried_again_with_its_token(emulator: RunningEmulator) -> None:
    control, token = emulator.client("bedrock-agentcore-control"), str(uuid.uuid4())
    runtime_id = create(emulator, "made_to_be_tried_again")
    emulator.advance(10)
    first_version = {"agentRuntimeId": runtime_id, "agentRuntimeVersion": "1", "clientToken": token}
    with pytest.raises(control.exceptions.ConflictException):
        control.delete_agent_runtime(**first_version)  # DEFAULT serves it
    control.update_agent_runtime(agentRuntimeId=runtime_id, **SETTINGS)
    emulator.advance(10)

    assert control.delete_agent_runtime(**first_version)["agentRuntimeVersion"] == "1"


def test_only_the_newest_answers_are_kept() -> None:
    memory = AnswerMemory()
    for number in range(KEPT_ANSWERS + 1):
        memory.keep("us-east-1", "CreateAgentRuntime", {"clientToken": f"token {number}"}, {"number": number})

    kept = [memory.recall("us-east-1", "CreateAgentRuntime", {"clientToken": f"token {n}"}) for n in (0, 1)]

    assert kept == [None, {"number": 1}]
    memory.keep("us-east-1", "CreateAgentRuntime", {}, {"number": -1})
    assert memory.recall("us-east-1", "CreateAgentRuntime", {}) is None
