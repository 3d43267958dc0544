"""AgentCore's data plane: invoking agents and stopping sessions, asynchronously.

One prompt is one request. Nothing below `AgentCoreClient` repeats or redirects it, and `AgentCoreClient` repeats only
what provably did not run. Bytes of an answer are handed on as they arrive.
"""

from __future__ import annotations

import asyncio
import io
import platform
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

import aiobotocore
import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.response import StreamingBody
from botocore.exceptions import NoCredentialsError

from apps.aws.arn import RuntimeArn
from apps.aws.botocore_sessions import async_session, client_arguments, config_arguments
from apps.aws.connection import Connection
from apps.aws.errors import AwsError, ConnectionLostError, UnavailableError, translate
from apps.aws.retries import AGENTCORE, RetryPolicy
from loom_events.storable import storable_text

if TYPE_CHECKING:
    from aiohttp import AddrInfoType
    from botocore.awsrequest import AWSPreparedRequest
    from types_aiobotocore_bedrock_agentcore.client import BedrockAgentCoreClient

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 900.0
STOP_TIMEOUT_S = 30.0
MAX_POOL_CONNECTIONS = 1_000

# An idle connection must be given up before the server does it, or a prompt meets a connection that is just closing:
# AWS closes after 20 seconds, uvicorn, which serves the emulator, after 5.
_KEEPALIVE_S = {"aws": 12.0, "emulator": 3.0}
_READ_SIZE = 64 * 1024
# aiohttp warns of larger bodies given as bytes, and writes a file without blocking the loop.
_LARGEST_BODY_AS_BYTES = 512 * 1024
_UNPROVEN_STATUSES = frozenset({503, 504})
# A stream may be silent for many minutes; network equipment forgets a quiet connection after about six.
_KEEPALIVE_PROBES = (("TCP_KEEPIDLE", 60), ("TCP_KEEPALIVE", 60), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4))

_Result = TypeVar("_Result")


@dataclass(slots=True)
class _Call:
    """What one attempt needs deep inside aiobotocore, where no argument reaches.

    A connection keeps the context in which it was made, and with it this, for as long as it is used: `on_send` is taken
    out after the attempt, or a run and all its events would stay in memory.
    """

    attempt: int
    read_timeout: float
    on_send: Callable[[int], None] | None


_current_call: ContextVar[_Call] = ContextVar("agentcore_call")


class InvocationResponse:
    """An answer whose headers have arrived and whose body is still to be read."""

    def __init__(self, answer: dict[str, Any], *, runtime_session_id: str, attempt_count: int) -> None:
        self.http_status: int = answer["statusCode"]
        # The agent chose it, and aiohttp keeps bytes that are no UTF-8 as halves of surrogate pairs.
        self.content_type: str = storable_text(answer.get("contentType", ""))
        self.runtime_session_id: str = answer.get("runtimeSessionId") or runtime_session_id
        self.request_id: str = answer["ResponseMetadata"].get("RequestId", "")
        self.trace_id: str = answer.get("traceId", "")
        self.attempt_count = attempt_count
        self._body: StreamingBody = answer["response"]
        self._is_closed = False
        self._failure: AwsError | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as they arrive, never waiting for more; the connection is free again afterwards.

        Whatever reached this machine is handed on before an error is raised, however late it is asked for. A body
        without a length ends where its connection does: nothing tells a reset from an end there.

        Raises `ConnectionLostError` (also when `close` is called meanwhile: a partial answer must not look whole),
        `TimedOutError` or another `AwsError`.
        """
        try:
            while chunk := await self._read():
                yield chunk
        finally:
            self._body.close()

    async def close(self) -> None:
        """Drop the connection at once, wherever the body is. Safe to call again, and after the end."""
        self._is_closed = True
        self._body.close()

    async def _read(self) -> bytes:
        if self._is_closed:
            raise _closed()
        if self._failure is not None:
            raise self._failure from None
        try:
            chunk: bytes = await self._body.read(_READ_SIZE)
        except Exception as error:
            if self._is_closed:
                raise _closed() from None
            self._failure = translate(error)
            if rest := self._left_over():
                return rest
            raise self._failure from None
        return chunk

    def _left_over(self) -> bytes:
        """What arrived before the connection broke and was not asked for until then: aiohttp keeps it, and answers only
        with the error from then on. It is no more than what aiohttp holds before it stops reading.
        """
        content = self._body.raw_stream.content
        content.set_exception(None)
        rest: bytes = content.read_nowait()
        return rest


class AgentCoreClient:
    """Invokes agents over one connection; one underlying client per region, made on first use.

    Belongs to the event loop that first uses it, and to be closed on it. Carries hundreds of streams at a time.
    """

    def __init__(self, connection: Connection, *, retry_policy: RetryPolicy = AGENTCORE) -> None:
        self._connection = connection
        self._retry_policy = retry_policy
        self._session = async_session(connection)
        self._clients: dict[str, BedrockAgentCoreClient] = {}
        self._responses: WeakSet[InvocationResponse] = WeakSet()
        self._lock = asyncio.Lock()
        self._resources = AsyncExitStack()

    async def warm_up(self) -> None:
        """Make the client of the connection's own region, which takes the first prompt a tenth of a second otherwise.

        Never raises: whatever is wrong with the connection, a prompt will say.
        """
        with suppress(Exception):
            await self._client(self._connection.region)

    async def invoke(
        self,
        arn: RuntimeArn,
        *,
        qualifier: str,
        runtime_session_id: str,
        payload: bytes,
        content_type: str = "application/json",
        accept: str = "text/event-stream, application/json",
        read_timeout: float = READ_TIMEOUT_S,
        retry_unproven: bool = False,
        on_send: Callable[[int], None] | None = None,
        on_retry: Callable[[int, float, AwsError], None] | None = None,
    ) -> InvocationResponse:
        """Send one prompt and return when the answer's headers have arrived.

        `read_timeout` is the longest silence in seconds, before and between bytes. `on_send` gets the attempt's number
        (from 1) immediately before its request is sent, `on_retry` the number of the next one, the seconds until then
        and why; neither may raise. With `retry_unproven`, 503 and 504 are tried again too, although the agent may have
        run. Cancelling drops the connection. Raises `AwsError`.
        """

        async def send(client: BedrockAgentCoreClient, attempt: int) -> InvocationResponse:
            answer = await client.invoke_agent_runtime(
                agentRuntimeArn=arn.runtime_arn,
                qualifier=qualifier,
                runtimeSessionId=runtime_session_id,
                payload=payload if len(payload) <= _LARGEST_BODY_AS_BYTES else io.BytesIO(payload),
                contentType=content_type,
                accept=accept,
            )
            response = InvocationResponse({**answer}, runtime_session_id=runtime_session_id, attempt_count=attempt)
            self._responses.add(response)
            return response

        return await self._with_retries(
            send,
            arn.region,
            read_timeout=read_timeout,
            retry_unproven=retry_unproven,
            on_send=on_send,
            on_retry=on_retry,
        )

    async def stop_session(self, arn: RuntimeArn, *, qualifier: str, runtime_session_id: str) -> None:
        """Ask AgentCore to end a session and free its environment; accepted does not mean done. Raises `AwsError`."""

        async def send(client: BedrockAgentCoreClient, attempt: int) -> None:
            await client.stop_runtime_session(
                agentRuntimeArn=arn.runtime_arn, qualifier=qualifier, runtimeSessionId=runtime_session_id
            )

        await self._with_retries(send, arn.region, read_timeout=STOP_TIMEOUT_S, retry_unproven=False)

    async def close(self) -> None:
        """Close every connection; streams that are still open end with `ConnectionLostError`."""
        for response in tuple(self._responses):
            await response.close()
        async with self._lock:
            self._clients.clear()
            await self._resources.aclose()

    async def _with_retries(
        self,
        send: Callable[[BedrockAgentCoreClient, int], Awaitable[_Result]],
        region: str,
        *,
        read_timeout: float,
        retry_unproven: bool,
        on_send: Callable[[int], None] | None = None,
        on_retry: Callable[[int, float, AwsError], None] | None = None,
    ) -> _Result:
        attempt = 1
        while True:
            try:
                return await self._attempt(send, region, _Call(attempt, read_timeout, on_send))
            except AwsError as error:
                if attempt >= self._retry_policy.max_attempts or not _may_repeat(error, retry_unproven=retry_unproven):
                    raise
                refusal = error
            delay_s = self._retry_policy.delay_after(attempt)
            attempt += 1
            if on_retry is not None:
                on_retry(attempt, delay_s, refusal)
            await asyncio.sleep(delay_s)

    async def _attempt(
        self, send: Callable[[BedrockAgentCoreClient, int], Awaitable[_Result]], region: str, call: _Call
    ) -> _Result:
        _current_call.set(call)
        try:
            return await send(await self._client(region), call.attempt)
        except Exception as error:
            # Everything: an error body that is no JSON object makes botocore's parser raise AttributeError.
            # And from None, since botocore's texts may quote the payload.
            raise translate(error, profile=self._connection.profile) from None
        finally:
            call.on_send = None

    async def _client(self, region: str) -> BedrockAgentCoreClient:
        if region in self._clients:
            return self._clients[region]
        async with self._lock:
            if region not in self._clients:
                if self._connection.origin == "aws" and await self._session.get_credentials() is None:
                    # As in `clients.client`: credentials that come later are found without a restart.
                    self._session = async_session(self._connection)
                    raise NoCredentialsError
                context = self._session.create_client(
                    "bedrock-agentcore",
                    region_name=region,
                    config=_config(self._connection),
                    **client_arguments(self._connection),
                )
                client = await self._resources.enter_async_context(context)
                client.meta.events.register("before-send.bedrock-agentcore", _before_send)
                self._clients[region] = client
            return self._clients[region]


@dataclass(frozen=True, slots=True)
class _UnredirectedSession:
    """What aiobotocore uses of an aiohttp session."""

    request: Callable[..., Awaitable[aiohttp.ClientResponse]]


class _UnredirectedTransport(AIOHTTPSession):
    """aiobotocore's transport, but a redirect is the answer: following it would send the prompt a second time."""

    async def _get_session(self, proxy_url: str | None) -> _UnredirectedSession:
        session: aiohttp.ClientSession = await super()._get_session(proxy_url)  # type: ignore[misc]
        return _UnredirectedSession(partial(session.request, allow_redirects=False))


def _config(connection: Connection) -> AioConfig:
    return AioConfig(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        max_pool_connections=MAX_POOL_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": 1},
        connector_args={"keepalive_timeout": _KEEPALIVE_S[connection.origin], "socket_factory": kept_alive_socket},
        http_session_cls=_UnredirectedTransport,
        # Reads the service model in a thread, so that the first invocation does not stop the streams that run.
        warm_up_loader_caches=True,
        # Given as a whole: put together from its parts for each request, it costs a tenth of sending it.
        user_agent=f"loom aiobotocore/{aiobotocore.__version__} python/{platform.python_version()}",
        **config_arguments(connection),
    )


def kept_alive_socket(address: AddrInfoType) -> socket.socket:
    """A socket that notices a dead peer within three minutes; aiobotocore ignores botocore's `tcp_keepalive`."""
    family, kind, protocol, _, _ = address
    new_socket = socket.socket(family, kind, protocol)
    new_socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE_PROBES:
        if hasattr(socket, name):  # each system knows some of them
            new_socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return new_socket


def _before_send(request: AWSPreparedRequest, **_: object) -> None:
    """botocore's last event before the bytes go out: every attempt passes here, after signing."""
    call = _current_call.get()
    request.context["read_timeout"] = call.read_timeout  # type: ignore[attr-defined]
    if call.on_send is not None:
        call.on_send(call.attempt)


def _may_repeat(error: AwsError, *, retry_unproven: bool) -> bool:
    if error.did_not_run:
        return True
    return retry_unproven and isinstance(error, UnavailableError) and error.http_status in _UNPROVEN_STATUSES


def _closed() -> ConnectionLostError:
    return ConnectionLostError("The response was closed before its end.", code="ClosedResponse")
