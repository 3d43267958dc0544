"""Pass an invocation on to a real agent that serves the container contract, and its answer back, chunk by chunk."""

from __future__ import annotations

import uuid

import aiohttp
from starlette.requests import Request

from apps.emulator.account import EmulatedAccount
from apps.emulator.agents.traits import ServedAgent
from apps.emulator.answering.wire_answer import WireAnswer
from apps.emulator.aws_wire import AwsError, runtime_answered_error, runtime_start_error
from apps.emulator.environments.environments import Environment

SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
REQUEST_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Request-Id"
CUSTOM_PREFIX = "x-amzn-bedrock-agentcore-runtime-custom-"
PASSED_HEADERS = (
    "accept",
    "x-amzn-bedrock-agentcore-runtime-user-id",
    "x-amzn-trace-id",
    "traceparent",
    "tracestate",
    "baggage",
    "mcp-session-id",
    "mcp-protocol-version",
)
RETURNED_HEADERS = ("mcp-session-id", "mcp-protocol-version")
CONNECT_TIMEOUT_S = 10.0
# AgentCore ends a request that has sent nothing for 15 minutes.
SILENCE_TIMEOUT_S = 900.0


async def pass_answer(
    account: EmulatedAccount, environment: Environment, request: Request, payload: bytes, answer: WireAnswer
) -> None:
    """Send the payload to the agent and its answer to the caller.

    `started_at` is the instant at which the agent was handed the request. Raises the AwsError RuntimeClientError for an
    answer other than 2xx and for an agent that does not answer. An answer that breaks off breaks off here too.
    """
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_TIMEOUT_S)
    headers = _headers(environment, request)
    answer.record.started_at = account.clock.now()
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as client,
            client.post(f"{_url(environment)}/invocations", data=payload, headers=headers) as response,
        ):
            if response.status >= 300:
                raise runtime_answered_error(response.status)
            returned = [
                (name.encode(), response.headers[name].encode("latin-1"))
                for name in RETURNED_HEADERS
                if name in response.headers
            ]
            content_type = response.headers.get("content-type", "application/octet-stream")
            await answer.start(200, content_type, returned)
            async for body in response.content.iter_any():
                await answer.chunk(body, 1)
            await answer.end()
    except TimeoutError as error:
        if not answer.is_started:
            raise AwsError(504, "GatewayTimeoutException", "The runtime did not answer in time") from error
        answer.record.is_finished = True
    except aiohttp.ClientError as error:
        if not answer.is_started:
            raise runtime_start_error() from error
        answer.record.is_finished = True


def _url(environment: Environment) -> str:
    if isinstance(environment.runtime.traits, ServedAgent):
        return environment.runtime.traits.url
    assert environment.process is not None
    return environment.process.url


def _headers(environment: Environment, request: Request) -> dict[str, str]:
    """Return the headers that reach a container: the session, the request, and those that the runtime allows."""
    allowed = {
        name.lower()
        for name in environment.version.settings.get("requestHeaderConfiguration", {}).get("requestHeaderAllowlist", [])
    }
    passed = {
        name: value
        for name, value in request.headers.items()
        if name in PASSED_HEADERS or name in allowed or name.startswith(CUSTOM_PREFIX)
    }
    return {
        **passed,
        "Content-Type": request.headers.get("content-type", "application/json"),
        SESSION_HEADER: environment.key[3],
        REQUEST_HEADER: str(uuid.uuid4()),
    }
