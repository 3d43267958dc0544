"""Which way the prompts of a region take.

Loom's own way knows HTTP/1.1, TLS and proxies that carry TLS unread. What it does not know goes by aiobotocore, without
anybody having to say so: `BY_BOTOCORE` is the whole list, and each of its rows has a test.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, urlsplit

from botocore.httpsession import ensure_boolean

from apps.aws.arn import RuntimeArn
from apps.aws.dataplane.own_way import OPERATION, OwnWay
from apps.aws.dataplane.response import Prompt
from apps.wire.opening import Route
from apps.wire.sigv4 import Keys, Signer

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from types_aiobotocore_bedrock_agentcore.client import BedrockAgentCoreClient

    from apps.wire.connection import Request

logger = logging.getLogger(__name__)

BY_BOTOCORE = {
    "setting": "LOOM_DATA_PLANE is botocore",
    "proxy_password": "the proxy wants a user and a password",
    "proxy_scheme": "the proxy is not reached by plain HTTP",
    "proxy_host_header": "BOTO_EXPERIMENTAL__ADD_PROXY_HOST_HEADER is set",
    "other_request": "botocore sends something else than Loom would, such as a header of AWS Lambda",
}
"""What goes by aiobotocore, and why."""

# The first differs each time, aiohttp adds the others.
_NOT_COMPARED = frozenset({"amz-sdk-invocation-id", "host", "accept-encoding"})


class _CapturedError(Exception):
    def __init__(self, request: AWSPreparedRequest) -> None:
        self.request = request


@dataclass(frozen=True, slots=True)
class Chosen:
    """`own` is None where aiobotocore's way is taken, for the reason of that name."""

    own: OwnWay | None
    reason: str = ""


async def choose(
    client: BedrockAgentCoreClient, *, region: str, keys: Callable[[], Awaitable[Keys]], wanted: str
) -> Chosen:
    """The way of all prompts to a region: once for each client, since botocore decides what it depends on only once.

    Raises what aiobotocore does where it cannot even put a request together.
    """
    chosen = Chosen(None, "setting") if wanted == "botocore" else await _looked_at(client, region, await keys())
    if chosen.reason:
        logger.info("prompts go by aiobotocore region=%s reason=%s", region, BY_BOTOCORE[chosen.reason])
    return chosen


async def _looked_at(client: BedrockAgentCoreClient, region: str, keys: Keys) -> Chosen:
    prompt = _sample(region)
    captured = await _captured(client, prompt)
    headers = {name.lower(): _text(value) for name, value in captured.headers.items()}
    url = urlsplit(captured.url)
    transport: Any = cast("Any", client)._endpoint.http_session
    proxy_url = transport._proxy_config.proxy_url_for(captured.url)
    proxy = urlsplit(proxy_url) if proxy_url else None
    if proxy is not None and (reason := _reason_of_proxy(proxy, url)):
        return Chosen(None, reason)
    model = client.meta.service_model.operation_model(OPERATION)
    assert model.input_shape is not None
    assert model.output_shape is not None
    own = OwnWay(
        route=await _route(transport, url, proxy),
        host=url.netloc,
        user_agent=headers["user-agent"],
        signer=Signer(region=region, service="bedrock-agentcore"),
        input_shape=model.input_shape,
        output_shape=model.output_shape,
    )
    request = own.request(prompt, keys=keys, at=_signed_at(headers))
    return Chosen(own) if _is_same(request, captured, headers) else Chosen(None, "other_request")


def _reason_of_proxy(proxy: SplitResult, url: SplitResult) -> str:
    if proxy.username is not None or proxy.password is not None:
        return "proxy_password"
    if proxy.scheme != "http" or url.scheme != "https" or not proxy.hostname:
        return "proxy_scheme"
    if ensure_boolean(os.environ.get("BOTO_EXPERIMENTAL__ADD_PROXY_HOST_HEADER", "")):
        return "proxy_host_header"
    return ""


async def _route(transport: Any, url: SplitResult, proxy: SplitResult | None) -> Route:
    tls = None
    if url.scheme == "https":
        # Reads files of certificates. A client's certificate would be in it too.
        tls, _ = await asyncio.to_thread(transport._build_ssl_contexts, None)
    assert url.hostname is not None
    return Route(
        url.hostname,
        url.port or (443 if tls is not None else 80),
        tls,
        None if proxy is None else (str(proxy.hostname), proxy.port or 80),
    )


async def _captured(client: BedrockAgentCoreClient, prompt: Prompt) -> AWSPreparedRequest:
    """The request that aiobotocore would send for a prompt; nothing is sent."""

    def capture(request: AWSPreparedRequest, **_: object) -> None:
        raise _CapturedError(request)

    event = f"before-send.bedrock-agentcore.{OPERATION}"
    client.meta.events.register_first(event, capture)
    try:
        await client.invoke_agent_runtime(
            agentRuntimeArn=prompt.arn.runtime_arn,
            qualifier=prompt.qualifier,
            runtimeSessionId=prompt.runtime_session_id,
            payload=prompt.payload,
            contentType=prompt.content_type,
            accept=prompt.accept,
        )
    except _CapturedError as captured:
        return captured.request
    finally:
        client.meta.events.unregister(event, capture)
    raise AssertionError("aiobotocore no longer tells before it sends")


def _sample(region: str) -> Prompt:
    return Prompt(
        arn=RuntimeArn.parse(f"arn:aws:bedrock-agentcore:{region}:123456789012:runtime/any_agent-0123456789"),
        qualifier="any_endpoint", runtime_session_id="0" * 33, payload=b'{"prompt": ""}', read_timeout=1.0,
        content_type="application/json", accept="text/event-stream, application/json", attempt=1, on_send=None,
    )  # fmt: skip


def _signed_at(headers: dict[str, str]) -> datetime:
    try:
        return datetime.strptime(headers.get("x-amz-date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:  # another way of signing
        return datetime.now(UTC)


def _is_same(request: Request, theirs: AWSPreparedRequest, their_headers: dict[str, str]) -> bool:
    """Whether Loom sends what botocore does, signature and all, when it sends it in the same second."""
    url = urlsplit(theirs.url)
    ours = {name.lower(): value for name, value in request.headers}
    return (
        (request.method, request.target, request.body) == (theirs.method, f"{url.path}?{url.query}", theirs.body)
        and _comparable(ours) == _comparable(their_headers)
    )  # fmt: skip


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _comparable(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _NOT_COMPARED}
