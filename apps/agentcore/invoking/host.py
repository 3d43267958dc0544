"""AgentCore as a host: one InvokeAgentRuntime call for a run, from the request to how it ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from asgiref.sync import sync_to_async
from django.conf import settings

from apps.agentcore.account_exceptions import AccountDisabledError
from apps.agentcore.aws.connection import connection_of, current_connection
from apps.agentcore.exceptions import AgentRuntimeError
from apps.agentcore.invoking.checks import check_invokable, check_origin, check_qualifier
from apps.agentcore.invoking.environment import environment_of
from apps.agentcore.models import Runtime
from apps.agentcore.payload import build_payload
from apps.agents.models import Agent, Endpoint
from apps.aws.errors import ERROR_BY_CODE, AwsError, CredentialsError, NotFoundError, ThrottledError
from apps.aws.stream.parsing import StreamParser
from apps.core.prepared import Select, slot
from apps.sessions.engine.host import AGENT_ERROR, COMPLETED, Environment, RunEnd, RunHandle, Sent, agent_failed
from apps.sessions.models import Invocation, Session
from loom_events.fold import UNREAD
from loom_events.kinds import HeadersEvent, RunEvent

if TYPE_CHECKING:
    from apps.aws.agentcore import AgentCoreClient
    from apps.aws.connection import Connection
    from apps.aws.dataplane.response import InvocationResponse

logger = logging.getLogger(__name__)

# What AWS answered → what a program that waits for the answer is told.
_BY_HTTP_STATUS = {
    400: HTTPStatus.BAD_REQUEST,
    401: HTTPStatus.UNAUTHORIZED,
    403: HTTPStatus.FORBIDDEN,
    404: HTTPStatus.NOT_FOUND,
    408: HTTPStatus.GATEWAY_TIMEOUT,
    409: HTTPStatus.CONFLICT,
    429: HTTPStatus.SERVICE_UNAVAILABLE,
    503: HTTPStatus.SERVICE_UNAVAILABLE,
    504: HTTPStatus.GATEWAY_TIMEOUT,
}
_live_version = Select(
    lambda: (
        Endpoint.objects.filter(agent_id=slot(Endpoint, "agent"), name=slot(Endpoint, "name"))
        .order_by()
        .values_list("live_version", flat=True)[:1]
    )
)
_CREDENTIAL_WORDS = ("Credential", "Token", "SSO", "Login", "Profile")


class AgentCoreHost:
    """Invokes runtimes over one client for each account, which belong to the loop that it was opened on."""

    kind = Agent.Kind.AGENTCORE.value
    has_environment = True
    on_death: Literal["interrupt", "requeue"] = "interrupt"
    interrupted_advice = "The agent may have gone on by itself. Send the prompt again if you need the whole answer."

    def __init__(self, client: AgentCoreClient | None = None) -> None:
        self._client = client
        self._clients_of_accounts: dict[Connection, AgentCoreClient] = {}

    async def open(self) -> None:
        self._client = _new_client(current_connection())

    async def warm_up(self) -> None:
        if self._client is not None:
            await self._client.warm_up()

    async def close(self) -> None:
        for client in (self._client, *self._clients_of_accounts.values()):
            if client is not None:
                await client.close()
        self._client = None
        self._clients_of_accounts = {}

    def check(self, agent: Agent, qualifier: str | None = None) -> None:
        check_invokable(agent)
        if qualifier is not None:
            check_qualifier(agent, qualifier)

    def version(self, agent: Agent, qualifier: str) -> str:
        return next(iter(_live_version(agent=agent.pk, name=qualifier)), "") or ""

    def payload(self, session: Session, prompt: str) -> str:
        return build_payload(session.agent.runtime.template, prompt, session.runtime_session_id)

    async def run(self, run: RunHandle) -> RunEnd:
        try:
            response = await self._send(run)
            try:
                await self._read(run, response)
            finally:
                await response.close()
        except AwsError as error:
            logger.warning(
                "invocation failed id=%s agent=%s session=%s code=%s http_status=%s request_id=%s",
                run.invocation.pk, run.invocation.session.agent_id, run.invocation.session.runtime_session_id,
                error.code, error.http_status, error.request_id, exc_info=True,
            )  # fmt: skip
            return _failed(error)
        except AccountDisabledError as error:
            return RunEnd(
                Invocation.Status.FAILED, code=error.code, message=str(error), advice=error.advice, is_unsent=True
            )  # fmt: skip
        errors = [event for event in run.events if event["kind"] == "error"]
        if errors:
            return agent_failed(errors[0], "The agent itself reported this in its stream; its log says more.")
        return COMPLETED

    async def _send(self, run: RunHandle) -> InvocationResponse:
        session = run.invocation.session
        runtime = await _runtime_of(session.agent)
        client = await self._client_for(runtime)

        def tell_retry(attempt: int, delay_s: float, refusal: AwsError) -> None:
            delay_ms = round(delay_s * 1000, 3)
            run.emit({"kind": "retry", "attempt": attempt, "delay_ms": delay_ms, "reason": refusal.code})

        response = await client.invoke(
            runtime.parsed_arn,
            qualifier=session.qualifier,
            runtime_session_id=session.runtime_session_id,
            payload=run.invocation.payload.encode(),
            read_timeout=runtime.read_timeout_ms / 1000,
            retry_unproven=runtime.retry_unproven,
            on_send=run.begin,
            on_retry=tell_retry,
        )
        at_ms = run.now_ms()
        headers: HeadersEvent = {
            "kind": "headers", "http_status": response.http_status, "content_type": response.content_type
        }  # fmt: skip
        run.emit(headers, at_ms=at_ms)
        run.note(
            {"headers_at": at_ms},
            http_status=response.http_status,
            content_type=response.content_type[:255],
            request_id=response.request_id,
            trace_id=response.trace_id,
        )
        return response

    async def _client_for(self, runtime: Runtime) -> AgentCoreClient:
        """The client of the runtime's account. Most have Loom's own, and ask the database nothing."""
        assert self._client is not None, "the host was not opened"
        if runtime.aws_account_id is None:
            return self._client
        connection = await sync_to_async(connection_of, thread_sensitive=False)(runtime)
        # One whose role was changed meanwhile is kept: an answer may be on its way by it.
        if connection not in self._clients_of_accounts:
            self._clients_of_accounts[connection] = _new_client(connection)
        return self._clients_of_accounts[connection]

    async def _read(self, run: RunHandle, response: InvocationResponse) -> None:
        parser = StreamParser(response.content_type)

        def take(data: bytes) -> None:
            at_ms = run.now_ms()
            events = parser.feed(data)
            run.received(len(data), at_ms)
            run.emit(*events, at_ms=at_ms)

        try:
            await response.deliver(take)
        except (AwsError, asyncio.CancelledError):
            run.emit(*(_torn(event) for event in parser.close()))
            raise
        run.emit(*parser.close())

    async def end_session(self, session: Session) -> None:
        check_origin(session.agent)
        runtime = await _runtime_of(session.agent)
        client = await self._client_for(runtime)
        try:
            await client.stop_session(
                runtime.parsed_arn,
                qualifier=session.qualifier,
                runtime_session_id=session.runtime_session_id,
            )
        except NotFoundError as error:
            logger.log(
                session.log_level,
                "session to end is not there session=%s request_id=%s", session.pk, error.request_id,
            )  # fmt: skip
        except AwsError as error:
            logger.warning(
                "session not ended session=%s code=%s request_id=%s", session.pk, error.code, error.request_id
            )
            raise AgentRuntimeError(error) from error

    def environment(self, session: Session, runs: Sequence[Sent]) -> Environment:
        return environment_of(session, runs)

    def error_status(self, invocation: Invocation) -> HTTPStatus:
        """400, 401, 403, 404, 503 and 504 where AWS refused or failed, 500 where the agent did."""
        if invocation.error_code == AGENT_ERROR:
            return HTTPStatus.INTERNAL_SERVER_ERROR
        error_class = ERROR_BY_CODE.get(invocation.error_code)
        if error_class is CredentialsError:
            return HTTPStatus.UNAUTHORIZED
        if error_class is ThrottledError:
            return HTTPStatus.SERVICE_UNAVAILABLE
        if invocation.http_status is not None:
            return _BY_HTTP_STATUS.get(invocation.http_status, HTTPStatus.INTERNAL_SERVER_ERROR)
        # No answer: the code is the name of what botocore or aiohttp raised.
        if any(word in invocation.error_code for word in _CREDENTIAL_WORDS):
            return HTTPStatus.UNAUTHORIZED
        return HTTPStatus.GATEWAY_TIMEOUT if "Timeout" in invocation.error_code else HTTPStatus.SERVICE_UNAVAILABLE


def _new_client(connection: Connection) -> AgentCoreClient:
    from apps.aws.agentcore import AgentCoreClient  # noqa: PLC0415 -- aiobotocore: only processes that run agents

    return AgentCoreClient(connection, data_plane=settings.LOOM_DATA_PLANE)


async def _runtime_of(agent: Agent) -> Runtime:
    """Nearly always loaded with the agent; read by a thread where it is not."""
    is_loaded = Agent._meta.get_field("runtime").is_cached(agent)
    return agent.runtime if is_loaded else await sync_to_async(lambda: agent.runtime, thread_sensitive=False)()


def _torn(event: RunEvent) -> RunEvent:
    """What the end of a cut answer says: half of a JSON value is no text of it, and is kept as it came."""
    if event["kind"] == "text" and event["text"].lstrip().startswith(("{", "[", '"')):
        return {"kind": "other", "name": UNREAD, "value": event["text"]}
    return event


def _failed(error: AwsError) -> RunEnd:
    columns: dict[str, Any] = {}
    if error.http_status is not None:
        columns["http_status"] = error.http_status
    if error.request_id:
        columns["request_id"] = error.request_id
    return RunEnd(
        Invocation.Status.FAILED,
        code=error.code,
        message=error.message,
        advice=error.advice,
        is_unsent=True if error.did_not_run else None,
        columns=columns,
    )
