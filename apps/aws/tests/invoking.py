"""Invoking one agent on a scripted server."""

from __future__ import annotations

import asyncio
import threading

from apps.aws.agentcore import AgentCoreClient
from apps.aws.arn import RuntimeArn
from apps.aws.dataplane.response import InvocationResponse
from apps.aws.retries import RetryPolicy
from apps.aws.tests.loopback import PATIENCE_S, Exchange

ARN = RuntimeArn.parse("arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_agent-AbCdEf1234")
SESSION = "a1e4683b-b567-4e47-a483-6068a03d9af8"
SECRET = b'{"prompt": "the prompt nobody may see"}'
DATA_PLANES: list[str] = ["wire", "botocore"]
AT_ONCE = RetryPolicy(max_attempts=3, first_delay_s=0.001)


async def invoke(client: AgentCoreClient, **options: object) -> InvocationResponse:
    arguments: dict[str, object] = {"qualifier": "DEFAULT", "runtime_session_id": SESSION, "payload": SECRET, **options}
    return await client.invoke(ARN, **arguments)  # type: ignore[arg-type]


async def read(response: InvocationResponse) -> list[bytes]:
    return [chunk async for chunk in response.chunks()]


async def happened(event: threading.Event) -> bool:
    return await asyncio.to_thread(event.wait, PATIENCE_S)


def answer(exchange: Exchange) -> None:
    exchange.start_stream()
    exchange.chunk(b'data: "ok"\n\n')
    exchange.end_stream()


class Streaming:
    """A script that streams one chunk, then waits for the client to go away."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.hung_up = threading.Event()

    def before_headers(self, exchange: Exchange) -> None:
        self.reached.set()
        if exchange.wait_for_hang_up():
            self.hung_up.set()

    def in_mid_stream(self, exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.chunk(b"x")
        self.before_headers(exchange)
