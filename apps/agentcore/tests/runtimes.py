"""Runtimes made in the emulator as a deployment makes them; regions without demo agents keep tests apart."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apps.agentcore.aws.connection import current_connection
from apps.aws.arn import RuntimeArn
from apps.aws.clients import client
from apps.aws.control import describe_runtime
from apps.aws.errors import NotFoundError

ROLE = "arn:aws:iam::123456789012:role/AgentRuntimeRole"
ARTIFACT = {"containerConfiguration": {"containerUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/agent:v1"}}
JWT_AUTHORIZER = {"customJWTAuthorizer": {"discoveryUrl": "https://example.com/.well-known/openid-configuration"}}


def control_client(region: str) -> Any:
    return client(current_connection(), "bedrock-agentcore-control", region)


def create_runtime(region: str, name: str, **settings: Any) -> str:
    """Create a runtime and return its ARN; it may still be CREATING."""
    answer = control_client(region).create_agent_runtime(
        agentRuntimeName=name, agentRuntimeArtifact=ARTIFACT, roleArn=ROLE, **settings
    )
    return str(answer["agentRuntimeArn"])


def create_runtimes(region: str, prefix: str, count: int) -> list[str]:
    return [create_runtime(region, f"{prefix}_{number:03d}") for number in range(count)]


def update_runtime(arn: str, **settings: Any) -> None:
    """Make a new version of a runtime that is READY."""
    parsed = RuntimeArn.parse(arn)
    control_client(parsed.region).update_agent_runtime(
        agentRuntimeId=parsed.runtime_id, agentRuntimeArtifact=ARTIFACT, roleArn=ROLE, **settings
    )


def delete_runtime(arn: str) -> None:
    parsed = RuntimeArn.parse(arn)
    control_client(parsed.region).delete_agent_runtime(agentRuntimeId=parsed.runtime_id)


def status_of(arn: str) -> str:
    """What AWS says of a runtime now; GONE where it knows none."""
    try:
        return describe_runtime(current_connection(), RuntimeArn.parse(arn)).status
    except NotFoundError:
        return "GONE"


def wait_for_status(status: str, *arns: str) -> None:
    """Return when all these runtimes have the status; fail the test when they do not within half a minute."""
    deadline = time.monotonic() + 30
    pause = threading.Event()
    while any(status_of(arn) != status for arn in arns):
        assert time.monotonic() < deadline, f"waited in vain for {status}"
        pause.wait(0.05)


@contextmanager
def dead_address() -> Iterator[str]:
    """The address of a port on which nobody listens, as long as the block runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def unknown_arn(region: str, number: int = 1) -> str:
    """An ARN of the right form that no runtime has."""
    return f"arn:aws:bedrock-agentcore:{region}:123456789012:runtime/nobody_{number}-AbCdEf1234"
