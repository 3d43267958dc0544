"""A prompt by aiobotocore: serialised, signed, sent and read by it. Also what the other way takes from it."""

from __future__ import annotations

import io
import platform
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import aiobotocore
import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.response import StreamingBody

from apps.aws.botocore_sessions import config_arguments
from apps.aws.connection import Connection
from apps.aws.dataplane.response import InvocationResponse, OnData, Prompt, closed
from apps.aws.errors import AwsError, translate
from apps.wire.opening import kept_alive_socket

if TYPE_CHECKING:
    from aiohttp import AddrInfoType
    from botocore.awsrequest import AWSPreparedRequest
    from types_aiobotocore_bedrock_agentcore.client import BedrockAgentCoreClient

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 900.0
MAX_POOL_CONNECTIONS = 1_000

# An idle connection must be given up before the server does it, or a prompt meets a connection that is just closing:
# AWS closes after 20 seconds, uvicorn, which serves the emulator, after 5.
KEEPALIVE_S = {"aws": 12.0, "emulator": 3.0}
_READ_SIZE = 64 * 1024
# aiohttp warns of larger bodies given as bytes, and writes a file without blocking the loop.
_LARGEST_BODY_AS_BYTES = 512 * 1024


@dataclass(slots=True)
class Call:
    """What one attempt needs deep inside aiobotocore, where no argument reaches.

    A connection keeps the context in which it was made, and with it this, for as long as it is used: `on_send` is taken
    out after the attempt, or a run and all its events would stay in memory.
    """

    attempt: int
    read_timeout: float
    on_send: Callable[[int], None] | None


current_call: ContextVar[Call] = ContextVar("agentcore_call")


async def invoke(client: BedrockAgentCoreClient, prompt: Prompt) -> InvocationResponse:
    """Send a prompt and return when the answer's headers have arrived. Raises what aiobotocore does."""
    call = Call(prompt.attempt, prompt.read_timeout, prompt.on_send)
    current_call.set(call)
    payload = prompt.payload
    try:
        answer = await client.invoke_agent_runtime(
            agentRuntimeArn=prompt.arn.runtime_arn,
            qualifier=prompt.qualifier,
            runtimeSessionId=prompt.runtime_session_id,
            payload=payload if len(payload) <= _LARGEST_BODY_AS_BYTES else io.BytesIO(payload),
            contentType=prompt.content_type,
            accept=prompt.accept,
        )
    finally:
        call.on_send = None
    return InvocationResponse(
        _PulledBody(answer["response"]),
        prompt=prompt,
        http_status=answer["statusCode"],
        content_type=answer.get("contentType", ""),
        runtime_session_id=answer.get("runtimeSessionId", ""),
        request_id=answer["ResponseMetadata"].get("RequestId", ""),
        trace_id=answer.get("traceId", ""),
    )


class _PulledBody:
    def __init__(self, body: StreamingBody) -> None:
        self.stream = body
        self._is_closed = False
        self._failure: AwsError | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            while chunk := await self._read():
                yield chunk
        finally:
            self.stream.close()

    async def deliver(self, on_data: OnData) -> None:
        async for chunk in self.chunks():
            on_data(chunk)

    def close(self) -> None:
        self._is_closed = True
        self.stream.close()

    async def _read(self) -> bytes:
        if self._is_closed:
            raise closed()
        if self._failure is not None:
            raise self._failure from None
        try:
            chunk: bytes = await self.stream.read(_READ_SIZE)
        except Exception as error:
            if self._is_closed:
                raise closed() from None
            self._failure = translate(error)
            if rest := self._left_over():
                return rest
            raise self._failure from None
        return chunk

    def _left_over(self) -> bytes:
        """What arrived before the connection broke and was not asked for until then: aiohttp keeps it, and answers only
        with the error from then on. It is no more than what aiohttp holds before it stops reading.
        """
        content = self.stream.raw_stream.content
        content.set_exception(None)
        rest: bytes = content.read_nowait()
        return rest


@dataclass(frozen=True, slots=True)
class _UnredirectedSession:
    """What aiobotocore uses of an aiohttp session."""

    request: Callable[..., Awaitable[aiohttp.ClientResponse]]


class _UnredirectedTransport(AIOHTTPSession):
    """aiobotocore's transport, but a redirect is the answer: following it would send the prompt a second time."""

    async def _get_session(self, proxy_url: str | None) -> _UnredirectedSession:
        session: aiohttp.ClientSession = await super()._get_session(proxy_url)  # type: ignore[misc]
        return _UnredirectedSession(partial(session.request, allow_redirects=False))


def config(connection: Connection) -> AioConfig:
    """How aiobotocore's client of a connection is to work."""
    return AioConfig(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        max_pool_connections=MAX_POOL_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": 1},
        connector_args={"keepalive_timeout": KEEPALIVE_S[connection.origin], "socket_factory": _socket},
        http_session_cls=_UnredirectedTransport,
        # Reads the service model in a thread, so that the first invocation does not stop the streams that run.
        warm_up_loader_caches=True,
        # Given as a whole: put together from its parts for each request, it costs a tenth of sending it.
        user_agent=f"loom aiobotocore/{aiobotocore.__version__} python/{platform.python_version()}",
        **config_arguments(connection),
    )


def before_send(request: AWSPreparedRequest, **_: object) -> None:
    """botocore's last event before the bytes go out: every attempt passes here, after signing."""
    call = current_call.get()
    request.context["read_timeout"] = call.read_timeout  # type: ignore[attr-defined]
    if call.on_send is not None:
        call.on_send(call.attempt)


def _socket(address: AddrInfoType) -> socket.socket:
    """aiobotocore ignores botocore's `tcp_keepalive`."""
    return kept_alive_socket(address)
