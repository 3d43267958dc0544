"""A prompt by `apps.wire`: one request put together, signed and sent here; its answer is pushed as it arrives.

botocore decides everything that is decided once for a region: address, proxy, certificates, who signs, how Loom calls
itself. Parameters are checked, and answers that are errors read, by what botocore reads them with.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.awsrequest import HeadersDict
from botocore.exceptions import ClientError, ParamValidationError
from botocore.parsers import create_parser
from botocore.validate import ParamValidator

from apps.aws.dataplane.response import InvocationResponse, OnData, Prompt, closed
from apps.aws.errors import AwsError, ConnectFailedError, ConnectionLostError, InvalidRequestError, TimedOutError
from apps.wire.connection import Request
from apps.wire.errors import (
    BrokenError,
    ClosedError,
    ConnectError,
    ConnectTimedOutError,
    ProxyError,
    SilentError,
    TlsError,
    WireError,
)
from apps.wire.sigv4 import Keys, Signer

if TYPE_CHECKING:
    from botocore.model import Shape

    from apps.wire.exchange import Exchange
    from apps.wire.opening import Route
    from apps.wire.pool import Pool

OPERATION = "InvokeAgentRuntime"
SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
_LONGEST_ERROR_BODY = 1024 * 1024

# The names are those of the exceptions that aiobotocore and aiohttp raise: they stand in recordings and in the API.
_CONNECT_CODES: dict[type[WireError], str] = {
    ConnectTimedOutError: "ConnectTimeoutError",
    TlsError: "SSLError",
    ProxyError: "ProxyConnectionError",
    ConnectError: "EndpointConnectionError",
}


@dataclass(frozen=True, slots=True)
class OwnWay:
    """Everything that is the same for all prompts to one region."""

    route: Route
    host: str
    user_agent: str
    signer: Signer
    input_shape: Shape
    output_shape: Shape

    def request(self, prompt: Prompt, *, keys: Keys, at: datetime) -> Request:
        """The request as it goes out. Raises `AwsError` where AWS's model does not allow a parameter."""
        target = f"/runtimes/{quote(prompt.arn.runtime_arn, safe='')}/invocations"
        query = f"qualifier={quote(prompt.qualifier, safe='')}"
        headers = [
            ("Host", self.host),
            (SESSION_HEADER, prompt.runtime_session_id),
            ("Content-Type", prompt.content_type),
            ("Accept", prompt.accept),
            ("User-Agent", self.user_agent),
        ]
        headers += self.signer.sign(
            method="POST", path=target, query=query, headers=headers, body=prompt.payload, keys=keys, at=at
        )
        headers += [
            ("amz-sdk-invocation-id", str(uuid.uuid4())),
            ("amz-sdk-request", "attempt=1"),
            ("Content-Length", str(len(prompt.payload))),
            ("Accept-Encoding", "identity"),
        ]
        return Request("POST", f"{target}?{query}", headers, prompt.payload)

    def check(self, prompt: Prompt) -> None:
        """Raise what aiobotocore raises for parameters that its model of AWS does not allow."""
        parameters = {
            "agentRuntimeArn": prompt.arn.runtime_arn,
            "qualifier": prompt.qualifier,
            "runtimeSessionId": prompt.runtime_session_id,
            "payload": prompt.payload,
            "contentType": prompt.content_type,
            "accept": prompt.accept,
        }
        report = _validator.validate(parameters, self.input_shape)
        if report.has_errors():
            raise ParamValidationError(report=report.generate_report())

    async def invoke(self, pool: Pool, prompt: Prompt, keys: Keys) -> InvocationResponse:
        """Send a prompt and return when the answer's headers have arrived.

        Raises `AwsError`, or what botocore raises for an answer that is an error.
        """
        self.check(prompt)
        request = self.request(prompt, keys=keys, at=datetime.now(UTC))
        if prompt.on_send is not None:
            prompt.on_send(prompt.attempt)
        try:
            exchange = await pool.send(self.route, request, silence_s=prompt.read_timeout)
        except WireError as error:
            raise _before_the_answer(error) from None
        except ValueError:
            raise InvalidRequestError(
                "A parameter holds an end of a line; nothing was sent.", code="ParamValidationError"
            ) from None
        if exchange.status >= 300:
            await self._refuse(exchange)
        headers = exchange.headers
        return InvocationResponse(
            PushedBody(exchange),
            prompt=prompt,
            http_status=exchange.status,
            content_type=headers.get("content-type", ""),
            runtime_session_id=headers.get(SESSION_HEADER.lower(), ""),
            request_id=headers.get("x-amzn-requestid", ""),
            trace_id=headers.get("x-amzn-trace-id", ""),
        )

    async def _refuse(self, exchange: Exchange) -> None:
        """Raise what the answer says; a redirect is one too, for following it would send the prompt a second time."""
        body = bytearray()

        def take(data: bytes) -> None:
            body.extend(data)
            if len(body) > _LONGEST_ERROR_BODY:
                raise BrokenError(is_reset=False)

        await PushedBody(exchange).deliver(take)
        answer = {"status_code": exchange.status, "headers": HeadersDict(exchange.headers), "body": bytes(body)}
        parsed = create_parser("rest-json").parse(answer, self.output_shape)
        raise ClientError(parsed, OPERATION)


class PushedBody:
    """A body that comes by `apps.wire`."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self.exchange.chunks():
                yield chunk
        except WireError as error:
            raise _within_the_answer(error) from None

    async def deliver(self, on_data: OnData) -> None:
        try:
            await self.exchange.deliver(on_data)
        except WireError as error:
            raise _within_the_answer(error) from None

    def close(self) -> None:
        self.exchange.close()


_validator = ParamValidator()


def _before_the_answer(error: WireError) -> AwsError:
    if isinstance(error, ConnectError):
        text = (
            "No connection in time." if isinstance(error, ConnectTimedOutError) else "The connection could not be made."
        )
        return ConnectFailedError(text, code=_CONNECT_CODES[type(error)], did_not_run=True)
    if isinstance(error, SilentError):
        return TimedOutError("Nothing arrived within the read timeout.", code="ReadTimeoutError")
    if isinstance(error, BrokenError) and error.is_reset:
        return ConnectionLostError("The connection was lost.", code="EndpointConnectionError")
    return ConnectionLostError("The connection was lost.", code="ConnectionClosedError")


def _within_the_answer(error: WireError) -> AwsError:
    if isinstance(error, ClosedError):
        return closed()
    if isinstance(error, SilentError):
        return TimedOutError("Nothing arrived within the read timeout.", code="AioReadTimeoutError")
    return ConnectionLostError("The connection was lost.", code="ClientPayloadError")
