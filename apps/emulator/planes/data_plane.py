"""InvokeAgentRuntime and StopRuntimeSession.

The endpoint speaks ASGI itself: a chunk costs one timer and one `send`, and a client that leaves is noticed at once,
also before the first byte.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from apps.emulator.account import EmulatedAccount
from apps.emulator.agents.traits import ScriptedAgent
from apps.emulator.answering.played_answer import play_answer
from apps.emulator.answering.served_answer import pass_answer
from apps.emulator.answering.wire_answer import WireAnswer
from apps.emulator.aws_wire import (
    AwsError,
    new_request_id,
    not_found_error,
    region_of,
    require_signature,
    signed_region_of,
    validation_error,
)
from apps.emulator.ground_truth import InvocationRecord
from apps.emulator.quotas import DATA_PLANE_PER_S
from apps.emulator.registry import DEFAULT_ENDPOINT, Runtime, RuntimeVersion, Status
from apps.emulator.service_model import Members, ServiceModel, refuse_rest

SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
TRACE_HEADER = "X-Amzn-Trace-Id"
INVOKE, STOP = "InvokeAgentRuntime", "StopRuntimeSession"
MAX_PAYLOAD_BYTES = 100_000_000
ARN = re.compile(
    r"arn:aws(?:-[^:]+)?:bedrock-agentcore:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):runtime/"
    r"(?P<id>[a-zA-Z][a-zA-Z0-9_]{0,47}-[a-zA-Z0-9]{10})(?:/runtime-endpoint/(?P<qualifier>[a-zA-Z][a-zA-Z0-9_]{0,47}))?"
)
RUNTIME_ID = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,99}-[a-zA-Z0-9]{10}")
SESSION_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{32,255}")


@dataclass(frozen=True)
class Target:
    """What a data-plane request is about."""

    runtime: Runtime
    version: RuntimeVersion
    qualifier: str
    session_id: str


def data_plane_model() -> ServiceModel:
    """What AWS says about requests to the data plane; both endpoints ask it."""
    return ServiceModel("bedrock-agentcore", [INVOKE, STOP], refuse_rest)


class InvokeEndpoint:
    """`POST /runtimes/{arn}/invocations`."""

    def __init__(self, account: EmulatedAccount, model: ServiceModel) -> None:
        self._account = account
        self._model = model

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        require_signature(request)
        received_at = self._account.clock.now()
        payload = await read_payload(request)
        if payload is None:
            return
        members = self._model.read_rest(INVOKE, request)
        target = find_target(self._account, request, members, is_invocation=True)
        record = self._account.ledger.open(
            InvocationRecord(
                target.session_id, target.runtime.runtime_id, target.qualifier, received_at, str(target.version.number)
            )
        )
        trace_header = trace_id_of(request)
        headers = [
            (SESSION_HEADER.lower().encode(), target.session_id.encode()),
            (b"x-amzn-requestid", new_request_id().encode()),
            (TRACE_HEADER.lower().encode(), trace_header.encode()),
        ]
        answer = WireAnswer(send=send, record=record, clock=self._account.clock, headers=headers)
        answer.trace_header = trace_header
        await run_watched(receive, answer, lambda: self._invoke(request, target, payload, answer))

    async def _invoke(self, request: Request, target: Target, payload: bytes, answer: WireAnswer) -> None:
        account, record = self._account, answer.record
        try:
            account.quotas.spend(target.runtime.region, "data plane", DATA_PLANE_PER_S)
            account.faults.raise_for(INVOKE, target.runtime.runtime_id, target.session_id)
            environment, record.start_kind = account.environments.acquire(
                target.runtime, target.version, target.qualifier, target.session_id
            )
            record.version = str(environment.version.number)
            task = asyncio.current_task()
            assert task is not None
            turn = environment.begin_use(task.cancel)
            try:
                await account.environments.dispatch(environment, record.start_kind)
                if isinstance(target.runtime.traits, ScriptedAgent):
                    await play_answer(account, environment, target.runtime.traits, payload, turn, answer)
                else:
                    await pass_answer(account, environment, request, payload, answer)
            finally:
                environment.end_use(task.cancel, account.clock.age())
        except AwsError as error:
            await answer.fail(error)


class StopEndpoint:
    """`POST /runtimes/{arn}/stopruntimesession`."""

    def __init__(self, account: EmulatedAccount, model: ServiceModel) -> None:
        self._account = account
        self._model = model

    async def __call__(self, request: Request) -> Response:
        require_signature(request)
        members = self._model.read_rest(STOP, request, await request.body())
        region = region_of(request)
        if self._account.answers.recall(region, STOP, members) is None:
            target = find_target(self._account, request, members, is_invocation=False)
            self._account.quotas.spend(target.runtime.region, "data plane", DATA_PLANE_PER_S)
            self._account.faults.raise_for(STOP, target.runtime.runtime_id, target.session_id)
            await self._account.environments.stop(
                target.runtime.region, target.runtime.runtime_id, target.qualifier, target.session_id
            )
            self._account.answers.keep(region, STOP, members, {})
        headers = {SESSION_HEADER: members["runtimeSessionId"], "x-amzn-RequestId": new_request_id()}
        return Response("{}", 200, headers, media_type="application/json")


def find_target(account: EmulatedAccount, request: Request, members: Members, *, is_invocation: bool) -> Target:
    """Resolve ARN (or id with accountId), qualifier and session id; raises the AwsError that AWS answers instead."""
    name = members["agentRuntimeArn"]
    match = ARN.fullmatch(name)
    region, runtime_id = region_of(request), name
    account_id = members.get("accountId")
    if match is not None:
        region, runtime_id, account_id = match["region"], match["id"], match["account"]
        if signed_region_of(request) not in (None, region):
            raise not_found_error(f"Agent runtime {runtime_id} was not found in this region")
    elif RUNTIME_ID.fullmatch(name) is None or account_id is None:
        raise validation_error("Invalid agentRuntimeArn")
    if account_id != account.account_id:
        raise AwsError(403, "AccessDeniedException", "The runtime belongs to another account")
    session_id = members.get("runtimeSessionId") or str(uuid.uuid4())
    if SESSION_ID.fullmatch(session_id) is None:
        raise validation_error("Invalid runtimeSessionId: 33 to 256 letters, digits, hyphens and underscores")
    runtime = account.registry.get(region, runtime_id)
    qualifier = members.get("qualifier") or (match["qualifier"] if match else None) or DEFAULT_ENDPOINT
    endpoint = runtime.endpoints.get(qualifier)
    if endpoint is None or endpoint.live_version is None:
        raise not_found_error(f"No endpoint or agent found with qualifier '{qualifier}' for agent '{runtime.arn}'")
    version = runtime.versions[endpoint.live_version]
    if runtime.status is Status.DELETING:
        raise not_found_error(f"Agent runtime {runtime_id} was not found")
    if is_invocation and not version.settings.get("metadataConfiguration", {}).get("requireMMDSV2"):
        raise validation_error("This runtime is not MMDSv2-enabled")
    return Target(runtime, version, qualifier, session_id)


async def read_payload(request: Request) -> bytes | None:
    """Read the request's body, None when the client left meanwhile; AwsError for more than 100,000,000 bytes."""
    payload = bytearray()
    too_large = validation_error(
        "1 validation error detected: payload must have length less than or equal to 100000000"
    )
    if int(request.headers.get("content-length", 0)) > MAX_PAYLOAD_BYTES:
        raise too_large
    try:
        async for part in request.stream():
            payload += part
            if len(payload) > MAX_PAYLOAD_BYTES:
                raise too_large
    except ClientDisconnect:
        return None
    return bytes(payload)


def trace_id_of(request: Request) -> str:
    """Return the caller's trace id, or a new one in X-Ray's form."""
    given = request.headers.get(TRACE_HEADER)
    if given:
        return given
    digits = uuid.uuid4().hex
    return f"Root=1-{digits[:8]}-{digits[8:]}"


async def run_watched(receive: Receive, answer: WireAnswer, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` until it is done or the client goes, whichever is first; notes when the client went."""
    task = asyncio.current_task()
    assert task is not None

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if not answer.record.is_finished:
            answer.record.client_gone_at = answer.clock.now()
            task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        await work()
    except asyncio.CancelledError:
        # Gone, or cut from outside: returning closes the connection without an end of the body, if one was begun.
        task.uncancel()
        if not answer.is_started and answer.record.client_gone_at is None:
            await answer.fail(AwsError(500, "InternalServerException", "The session ended before it answered"))
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
