from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from apps.emulator.tests.running_emulator import RunningEmulator, running_emulator

ARTIFACT = {"containerConfiguration": {"containerUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/agent:v1"}}
ROLE = "arn:aws:iam::123456789012:role/AgentRuntimeRole"


def create(emulator: RunningEmulator, name: str, **members: Any) -> str:
    client = emulator.client("bedrock-agentcore-control")
    answer = client.create_agent_runtime(
        agentRuntimeName=name,
        agentRuntimeArtifact=ARTIFACT,
        roleArn=ROLE,
        networkConfiguration={"networkMode": "PUBLIC"},
        **members,
    )
    return str(answer["agentRuntimeId"])


def test_the_demo_agents_are_listed_in_their_regions(emulator: RunningEmulator) -> None:
    listed = {
        region: [
            (item["agentRuntimeId"], item["agentRuntimeVersion"], item["status"])
            for item in emulator.client("bedrock-agentcore-control", region).list_agent_runtimes()["agentRuntimes"]
            if "-" in item["agentRuntimeId"] and not item["agentRuntimeName"].startswith("made_")
        ]
        for region in ("us-east-1", "eu-west-1", "us-west-2")
    }

    assert listed == {
        "us-east-1": [
            ("travel_concierge-Xk29QmT7aB", "3", "READY"),
            ("contract_reviewer-p4HwZ81LcE", "2", "READY"),
            ("code_tutor-9sVbN3yRfK", "5", "READY"),
            ("inventory_analyst-Lm6TgC0dWx", "4", "READY"),
            ("claims_intake-eJ5rYq2UoS", "1", "READY"),
            ("sentiment_scorer-Aw8DkP4vGn", "6", "READY"),
        ],
        "eu-west-1": [("release_digest-Hc7MxB5iZt", "2", "READY")],
        "us-west-2": [],
    }


def test_get_answers_every_member_that_a_registry_reads(emulator: RunningEmulator) -> None:
    """S0-071, S0-072, S0-077."""
    client = emulator.client("bedrock-agentcore-control")

    answer = client.get_agent_runtime(agentRuntimeId="code_tutor-9sVbN3yRfK")

    created, updated = answer.pop("createdAt"), answer.pop("lastUpdatedAt")
    request_id = answer.pop("ResponseMetadata")["RequestId"]
    assert (created.isoformat(), updated.isoformat()) == ("2026-09-14T08:30:00+00:00", "2026-10-20T08:30:00+00:00")
    assert len(request_id) == 36
    assert answer == {
        "agentRuntimeArn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/code_tutor-9sVbN3yRfK",
        "agentRuntimeName": "code_tutor",
        "agentRuntimeId": "code_tutor-9sVbN3yRfK",
        "agentRuntimeVersion": "5",
        "description": "Explains Python with examples",
        "roleArn": "arn:aws:iam::123456789012:role/AgentRuntimeRole-code_tutor",
        "networkConfiguration": {"networkMode": "PUBLIC"},
        "protocolConfiguration": {"serverProtocol": "HTTP"},
        "status": "READY",
        "lifecycleConfiguration": {"idleRuntimeSessionTimeout": 900, "maxLifetime": 28800},
        "metadataConfiguration": {"requireMMDSV2": True},
        "environmentVariables": {"LOG_LEVEL": "INFO"},
        "platformVersion": "V1",
        "agentRuntimeArtifact": {
            "codeConfiguration": {
                "code": {
                    "s3": {
                        "bucket": "agents-123456789012-us-east-1",
                        "prefix": "code_tutor/v5/deployment.zip",
                    }
                },
                "runtime": "PYTHON_3_13",
                "entryPoint": ["main.py"],
            }
        },
        "workloadIdentityDetails": {
            "workloadIdentityArn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:workload-identity-directory"
            "/default/workload-identity/code_tutor-9sVbN3yRfK"
        },
    }


def test_endpoints_say_which_version_they_serve(emulator: RunningEmulator) -> None:
    """S0-076."""
    client = emulator.client("bedrock-agentcore-control")

    listed = client.list_agent_runtime_endpoints(agentRuntimeId="code_tutor-9sVbN3yRfK")["runtimeEndpoints"]
    one = client.get_agent_runtime_endpoint(agentRuntimeId="code_tutor-9sVbN3yRfK", endpointName="prod")

    assert [(item["name"], item["liveVersion"], item["status"]) for item in listed] == [
        ("DEFAULT", "5", "READY"),
        ("prod", "4", "READY"),
    ]
    arn = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/code_tutor-9sVbN3yRfK"
    assert (one["agentRuntimeEndpointArn"], one["agentRuntimeArn"]) == (f"{arn}/runtime-endpoint/prod", arn)


def test_pages_follow_each_other_without_gap_or_repetition(emulator: RunningEmulator) -> None:
    client = emulator.client("bedrock-agentcore-control")

    pages = list(
        client.get_paginator("list_agent_runtime_versions").paginate(
            agentRuntimeId="sentiment_scorer-Aw8DkP4vGn", PaginationConfig={"PageSize": 4}
        )
    )

    versions = [[item["agentRuntimeVersion"] for item in page["agentRuntimes"]] for page in pages]
    assert versions == [["6", "5", "4", "3"], ["2", "1"]]


@pytest.fixture
def patient_emulator() -> Iterator[RunningEmulator]:
    """One of its own, in which a change takes as long as in life, or until a test lets the time pass."""
    with running_emulator("--seed", "7", "--no-quotas") as emulator:
        yield emulator


def test_a_runtime_goes_through_its_life(patient_emulator: RunningEmulator) -> None:
    emulator = patient_emulator
    client = emulator.client("bedrock-agentcore-control")
    runtime_id = create(emulator, "made_for_life")

    def get() -> dict[str, Any]:
        answer: dict[str, Any] = client.get_agent_runtime(agentRuntimeId=runtime_id)
        return answer

    def endpoints() -> list[tuple[str, str | None, str, str]]:
        answer = client.list_agent_runtime_endpoints(agentRuntimeId=runtime_id)["runtimeEndpoints"]
        return [(e["name"], e.get("liveVersion"), e["targetVersion"], e["status"]) for e in answer]

    assert (get()["status"], endpoints()) == ("CREATING", [("DEFAULT", None, "1", "CREATING")])
    with pytest.raises(client.exceptions.ConflictException):
        client.update_agent_runtime(
            agentRuntimeId=runtime_id,
            agentRuntimeArtifact=ARTIFACT,
            roleArn=ROLE,
            networkConfiguration={"networkMode": "PUBLIC"},
        )
    emulator.advance(10)
    assert (get()["status"], endpoints()) == ("READY", [("DEFAULT", "1", "1", "READY")])

    client.create_agent_runtime_endpoint(agentRuntimeId=runtime_id, name="prod")
    emulator.advance(10)
    client.update_agent_runtime(
        agentRuntimeId=runtime_id,
        agentRuntimeArtifact=ARTIFACT,
        roleArn=ROLE,
        networkConfiguration={"networkMode": "PUBLIC"},
        metadataConfiguration={"requireMMDSV2": True},
    )
    assert (get()["status"], endpoints()) == (
        "UPDATING",
        [("DEFAULT", "1", "2", "UPDATING"), ("prod", "1", "1", "READY")],
    )
    emulator.advance(10)
    assert (get()["agentRuntimeVersion"], endpoints()) == (
        "2",
        [("DEFAULT", "2", "2", "READY"), ("prod", "1", "1", "READY")],
    )

    client.update_agent_runtime_endpoint(agentRuntimeId=runtime_id, endpointName="prod", agentRuntimeVersion="2")
    assert endpoints()[1] == ("prod", "1", "2", "UPDATING")
    emulator.advance(10)
    assert endpoints()[1] == ("prod", "2", "2", "READY")

    with pytest.raises(client.exceptions.ConflictException):
        client.delete_agent_runtime(agentRuntimeId=runtime_id, agentRuntimeVersion="2")
    client.delete_agent_runtime(agentRuntimeId=runtime_id, agentRuntimeVersion="1")
    listed = client.list_agent_runtime_versions(agentRuntimeId=runtime_id)["agentRuntimes"]
    assert [item["agentRuntimeVersion"] for item in listed] == ["2"]

    client.delete_agent_runtime_endpoint(agentRuntimeId=runtime_id, endpointName="prod")
    emulator.advance(10)
    assert endpoints() == [("DEFAULT", "2", "2", "READY")]
    client.delete_agent_runtime(agentRuntimeId=runtime_id)
    assert get()["status"] == "DELETING"
    emulator.advance(10)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        get()


def test_a_deployment_can_fail_and_says_why(emulator: RunningEmulator) -> None:
    client = emulator.client("bedrock-agentcore-control")
    emulator.order_fault(kind="deploy_failure", message="The image is built for amd64")

    runtime_id = create(emulator, "made_to_fail")
    emulator.advance(10)

    answer = client.get_agent_runtime(agentRuntimeId=runtime_id)
    assert (answer["status"], answer["failureReason"]) == ("CREATE_FAILED", "The image is built for amd64")


def test_ids_are_the_same_in_every_run_and_new_after_a_deletion(emulator: RunningEmulator) -> None:
    client = emulator.client("bedrock-agentcore-control")
    first = create(emulator, "made_again")
    with pytest.raises(client.exceptions.ConflictException):
        create(emulator, "made_again")
    emulator.advance(10)
    client.delete_agent_runtime(agentRuntimeId=first)
    emulator.advance(10)
    second = create(emulator, "made_again")

    assert first.startswith("made_again-")
    assert len(first) == len("made_again-") + 10
    assert second != first


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"agentRuntimeName": "has-hyphen"}, "agentRuntimeName"),
        ({"roleArn": "arn:aws:iam::123456789012:user/x"}, "roleArn"),
        ({"lifecycleConfiguration": {"maxLifetime": 1_209_601}}, "lifecycleConfiguration.maxLifetime"),
    ],
)
def test_invalid_members_are_refused_by_name(emulator: RunningEmulator, members: dict[str, Any], message: str) -> None:
    valid = {
        "agentRuntimeName": "made_invalid",
        "agentRuntimeArtifact": ARTIFACT,
        "roleArn": ROLE,
        "networkConfiguration": {"networkMode": "PUBLIC"},
    }

    with pytest.raises(ClientError) as caught:
        emulator.client("bedrock-agentcore-control").create_agent_runtime(**{**valid, **members})

    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert message in error["Message"]


def test_an_operation_that_the_emulator_lacks_is_unknown(emulator: RunningEmulator) -> None:
    with pytest.raises(ClientError) as caught:
        emulator.client("bedrock-agentcore-control").list_gateways()

    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_request_without_credentials_is_refused(emulator: RunningEmulator) -> None:
    answer = httpx.post(f"{emulator.url}/runtimes/")

    assert (answer.status_code, answer.headers["x-amzn-errortype"], answer.json()) == (
        403,
        "MissingAuthenticationTokenException",
        {"message": "Missing Authentication Token"},
    )


def test_the_caller_is_the_emulated_account(emulator: RunningEmulator) -> None:
    answer = emulator.client("sts").get_caller_identity()

    assert (answer["Account"], answer["Arn"]) == ("123456789012", "arn:aws:iam::123456789012:user/emulated")
