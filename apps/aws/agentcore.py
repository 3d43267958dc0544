"""AgentCore's data plane: invoking agents and stopping sessions, asynchronously.

One prompt is one request. Nothing below `AgentCoreClient` repeats or redirects it, and `AgentCoreClient` repeats only
what provably did not run. Bytes of an answer are handed on as they arrive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakSet

from botocore.exceptions import NoCredentialsError

from apps.aws.arn import RuntimeArn
from apps.aws.botocore_sessions import async_session, client_arguments
from apps.aws.connection import Connection
from apps.aws.dataplane import botocore_way
from apps.aws.dataplane.botocore_way import CONNECT_TIMEOUT_S, KEEPALIVE_S, MAX_POOL_CONNECTIONS, READ_TIMEOUT_S, Call
from apps.aws.dataplane.choice import choose
from apps.aws.dataplane.response import ACCEPT, CONTENT_TYPE, Body, InvocationResponse, Prompt
from apps.aws.errors import AwsError, UnavailableError, translate
from apps.aws.retries import AGENTCORE, RetryPolicy
from apps.wire.pool import Pool
from apps.wire.sigv4 import Keys

if TYPE_CHECKING:
    from types_aiobotocore_bedrock_agentcore.client import BedrockAgentCoreClient

    from apps.aws.dataplane.own_way import OwnWay

STOP_TIMEOUT_S = 30.0
_UNPROVEN_STATUSES = frozenset({503, 504})

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class _Region:
    client: BedrockAgentCoreClient
    pool: Pool
    own: OwnWay | None
    bodies: WeakSet[Body] = field(default_factory=WeakSet)


class AgentCoreClient:
    """Invokes agents over one connection; one underlying client per region, made on first use.

    Belongs to the event loop that first uses it, and to be closed on it. Carries hundreds of streams at a time.
    `data_plane` is "wire", Loom's own way, which leaves to aiobotocore what it does not know, or "botocore", that
    one's way whole.
    """

    def __init__(
        self, connection: Connection, *, retry_policy: RetryPolicy = AGENTCORE, data_plane: str = "wire"
    ) -> None:
        self._connection = connection
        self._retry_policy = retry_policy
        self._data_plane = data_plane
        self._session = async_session(connection)
        self._regions: dict[str, _Region] = {}
        self._lock = asyncio.Lock()
        self._resources = AsyncExitStack()

    async def warm_up(self) -> None:
        """Make the client of the connection's own region, which takes the first prompt a tenth of a second otherwise.

        Never raises: whatever is wrong with the connection, a prompt will say.
        """
        with suppress(Exception):
            await self._region(self._connection.region)

    async def invoke(
        self,
        arn: RuntimeArn,
        *,
        qualifier: str,
        runtime_session_id: str,
        payload: bytes,
        content_type: str = CONTENT_TYPE,
        accept: str = ACCEPT,
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

        async def send(attempt: int) -> InvocationResponse:
            region = await self._region(arn.region)
            prompt = Prompt(
                arn, qualifier, runtime_session_id, payload, content_type, accept, read_timeout, attempt, on_send
            )
            if region.own is None:
                response = await botocore_way.invoke(region.client, prompt)
            else:
                response = await region.own.invoke(region.pool, prompt, await self._keys())
            region.bodies.add(response.body)
            return response

        return await self._with_retries(send, retry_unproven=retry_unproven, on_retry=on_retry)

    async def stop_session(self, arn: RuntimeArn, *, qualifier: str, runtime_session_id: str) -> None:
        """Ask AgentCore to end a session and free its environment; accepted does not mean done. Raises `AwsError`."""

        async def send(attempt: int) -> None:
            region = await self._region(arn.region)
            botocore_way.current_call.set(Call(attempt, STOP_TIMEOUT_S, None))
            await region.client.stop_runtime_session(
                agentRuntimeArn=arn.runtime_arn, qualifier=qualifier, runtimeSessionId=runtime_session_id
            )

        await self._with_retries(send, retry_unproven=False)

    async def close(self) -> None:
        """Close every connection; streams that are still open end with `ConnectionLostError`."""
        for region in tuple(self._regions.values()):
            for body in tuple(region.bodies):
                body.close()
        async with self._lock:
            self._regions.clear()
            await self._resources.aclose()

    async def _with_retries(
        self,
        send: Callable[[int], Awaitable[_Result]],
        *,
        retry_unproven: bool,
        on_retry: Callable[[int, float, AwsError], None] | None = None,
    ) -> _Result:
        attempt = 1
        while True:
            try:
                return await self._attempt(send, attempt)
            except AwsError as error:
                if attempt >= self._retry_policy.max_attempts or not _may_repeat(error, retry_unproven=retry_unproven):
                    raise
                refusal = error
            delay_s = self._retry_policy.delay_after(attempt)
            attempt += 1
            if on_retry is not None:
                on_retry(attempt, delay_s, refusal)
            await asyncio.sleep(delay_s)

    async def _attempt(self, send: Callable[[int], Awaitable[_Result]], attempt: int) -> _Result:
        try:
            return await send(attempt)
        except Exception as error:
            # Everything: an error body that is no JSON object makes botocore's parser raise AttributeError.
            # And from None, since botocore's texts may quote the payload.
            raise translate(error, profile=self._connection.profile) from None

    async def _region(self, name: str) -> _Region:
        if name in self._regions:
            return self._regions[name]
        async with self._lock:
            if name not in self._regions:
                self._regions[name] = await self._new_region(name)
            return self._regions[name]

    async def _new_region(self, name: str) -> _Region:
        if self._connection.origin == "aws" and await self._session.get_credentials() is None:
            # As in `clients.client`: credentials that come later are found without a restart.
            self._session = async_session(self._connection)
            raise NoCredentialsError
        async with AsyncExitStack() as made:
            client = await made.enter_async_context(
                self._session.create_client(
                    "bedrock-agentcore",
                    region_name=name,
                    config=botocore_way.config(self._connection),
                    **client_arguments(self._connection),
                )
            )
            client.meta.events.register("before-send.bedrock-agentcore", botocore_way.before_send)
            pool = Pool(
                keep_s=KEEPALIVE_S[self._connection.origin], most=MAX_POOL_CONNECTIONS,
                connect_timeout_s=CONNECT_TIMEOUT_S,
            )  # fmt: skip
            made.push_async_callback(pool.close)
            chosen = await choose(client, region=name, keys=self._keys, wanted=self._data_plane)
            self._resources.push_async_exit(made.pop_all())
            return _Region(client, pool, chosen.own)

    async def _keys(self) -> Keys:
        """Who signs now. botocore renews the keys in time, without holding up the loop."""
        if self._connection.origin == "emulator" and self._connection.role is None:
            arguments = client_arguments(self._connection)
            return Keys(arguments["aws_access_key_id"], arguments["aws_secret_access_key"])
        credentials = await self._session.get_credentials()
        frozen = None if credentials is None else await credentials.get_frozen_credentials()
        if frozen is None or frozen.access_key is None or frozen.secret_key is None:
            raise NoCredentialsError
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)


def _may_repeat(error: AwsError, *, retry_unproven: bool) -> bool:
    if error.did_not_run:
        return True
    return retry_unproven and isinstance(error, UnavailableError) and error.http_status in _UNPROVEN_STATUSES
