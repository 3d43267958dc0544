"""Both ways of a prompt to AgentCore: what they send, what they make of answers and faults, and which one is taken."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import certifi
import pytest
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import get_session

from apps.aws.agentcore import AgentCoreClient
from apps.aws.connection import Connection
from apps.aws.dataplane.choice import BY_BOTOCORE
from apps.aws.errors import AwsError, ConnectFailedError, CredentialsError, InvalidRequestError
from apps.aws.retries import RetryPolicy
from apps.aws.tests.conftest import Emulated, Serve
from apps.aws.tests.invoking import DATA_PLANES, SESSION, answer, invoke
from apps.aws.tests.loopback import PATIENCE_S, Exchange, Request

ONCE = RetryPolicy(max_attempts=1)
Script = Callable[[Exchange], None]


def refusing(status: int, code: str, message: str = "Because it is so.") -> Script:
    return lambda exchange: exchange.fail(status, code, message)


def replying(status: int, body: bytes = b"{}", headers: dict[str, str] | None = None) -> Script:
    return lambda exchange: exchange.reply(status, body, headers)


def raw(*parts: bytes, is_reset: bool = False) -> Script:
    """Write these bytes, then close or break the connection."""

    def script(exchange: Exchange) -> None:
        for part in parts:
            exchange.write(part)
        (exchange.reset if is_reset else exchange.hang_up)()

    return script


def silent(exchange: Exchange) -> None:
    exchange.wait_for_hang_up()


def falling_silent(exchange: Exchange) -> None:
    exchange.start_stream()
    exchange.chunk(b"x")
    exchange.wait_for_hang_up()


def cut_short(status: int) -> Script:
    def script(exchange: Exchange) -> None:
        exchange.reply(status, b"{}", {"Content-Length": "100"})
        exchange.hang_up()

    return script


SCRIPTS: dict[str, Script] = {
    "validation": refusing(400, "ValidationException"),
    "MMDSv2": refusing(400, "ValidationException", "This runtime is not MMDSv2-enabled"),
    "quota": refusing(402, "ServiceQuotaExceededException", "maxVms limit exceeded for account"),
    "denied": refusing(403, "AccessDeniedException"),
    "expired": refusing(403, "ExpiredTokenException"),
    "not found": refusing(404, "ResourceNotFoundException"),
    "conflict": refusing(409, "ConflictException"),
    "retryable": refusing(409, "RetryableConflictException"),
    "agent": refusing(424, "RuntimeClientError", "Received error (500) from runtime."),
    "throttled": refusing(429, "ThrottlingException"),
    "server": refusing(500, "InternalServerException"),
    "unavailable": refusing(503, "ServiceUnavailableException"),
    "timeout": refusing(504, "GatewayTimeout"),
    "type with a namespace": refusing(400, "com.amazon#ValidationException:http://internal/"),
    "code in the body": replying(404, b'{"__type": "ResourceNotFoundException", "Message": "Gone."}'),
    "html": replying(502, b"<html>the prompt nobody may see"),
    "list": replying(500, b"[1]"),
    "no text": replying(500, b"\xff"),
    "empty": replying(500, b""),
    "redirect": replying(307, b"", {"Location": "http://127.0.0.1:1/"}),
    "moved": replying(301, b"{}"),
    "not modified": replying(304, b""),
    "refusal cut short": cut_short(500),
    "closed": Exchange.hang_up,
    "reset": Exchange.reset,
    "reset in the headers": raw(b"HTTP/1.1 200 OK\r\nX: ", is_reset=True),
    "closed in the headers": raw(b"HTTP/1.1 200 OK\r\nX: "),
    "closed in the body": cut_short(200),
    "without a length": raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nok"),
    "HTTP/1.0": raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"),
    "lines of their own": raw(b"HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 2\n\nok"),
    "spaces": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n"),
    "announced": raw(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "hints": raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "accepted": replying(202, b"later"),
    "no content": replying(204, b""),
    "partial": replying(206, b"part"),
    "letters": raw("HTTP/1.1 200 OK\r\nContent-Type: text/plain; é=漢\r\nContent-Length: 2\r\n\r\nok".encode()),
    "twice": raw(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 2\r\n\r\nok"),
    "compressed": replying(200, b"\x1f\x8bnot for us", {"Content-Encoding": "gzip"}),
    "answer": answer,
    "silent": silent,
    "falling silent": falling_silent,
}


async def outcome(script: Script, serve: Serve, emulated: Emulated, plane: str) -> tuple[object, ...]:
    """Everything that becomes of a prompt."""
    server = serve(script)
    client = AgentCoreClient(emulated(server), retry_policy=ONCE, data_plane=plane)
    told: list[object] = []
    received: list[bytes] = []
    try:
        response = await invoke(client, read_timeout=0.2 if script in (silent, falling_silent) else PATIENCE_S)
        told += [response.http_status, response.content_type, response.runtime_session_id, response.request_id]
        told += [response.trace_id, response.attempt_count]
        await response.deliver(received.append)
    except AwsError as error:
        told += [type(error).__name__, error.code, error.message, error.http_status, error.request_id]
        told += [error.did_not_run, error.advice]
    await client.close()
    return (*told, b"".join(received), len(server.requests))


@pytest.mark.parametrize("name", SCRIPTS)
async def test_both_ways_make_the_same_of_an_answer(name: str, serve: Serve, emulated: Emulated) -> None:
    own, by_botocore = [await outcome(SCRIPTS[name], serve, emulated, plane) for plane in DATA_PLANES]

    assert own == by_botocore
    assert own[-1] == 1


def signed_headers(request: Request) -> str:
    return request.headers["authorization"].partition("SignedHeaders=")[2].split(",")[0]


async def test_both_ways_send_the_same(serve: Serve, emulated: Emulated) -> None:
    """But for what is different each time. The signatures are compared where the way is chosen, and below."""
    server = serve(answer)
    options = {"qualifier": "prod é/&=+", "content_type": "text/plain; a=b", "accept": "*/*", "payload": "é\n".encode()}
    for plane in DATA_PLANES:
        client = AgentCoreClient(emulated(server), data_plane=plane)
        await (await invoke(client, **options)).close()
        await client.close()
    own, by_botocore = server.requests
    different = {"amz-sdk-invocation-id", "x-amz-date", "authorization", "user-agent"}
    assert (own.method, own.path, own.body) == (by_botocore.method, by_botocore.path, by_botocore.body)
    assert {name: value for name, value in own.headers.items() if name not in different} == {
        name: value for name, value in by_botocore.headers.items() if name not in different
    }
    assert own.headers.keys() == by_botocore.headers.keys()
    assert own.headers["user-agent"] == by_botocore.headers["user-agent"]
    signed = [
        request.headers["authorization"].partition("SignedHeaders=")[2].split(",")[0] for request in (own, by_botocore)
    ]
    assert signed[0] == signed[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"runtime_session_id": "x" * 32}, {"runtime_session_id": "é" * 16}, {"qualifier": None},
        {"content_type": 7},
    ],
)  # fmt: skip
async def test_both_ways_refuse_the_same_parameters(wrong: dict[str, object], serve: Serve, emulated: Emulated) -> None:
    server = serve(answer)
    told = []
    for plane in DATA_PLANES:
        client = AgentCoreClient(emulated(server), retry_policy=ONCE, data_plane=plane)
        try:
            await (await invoke(client, **wrong)).close()
            told.append(("sent", ""))
        except AwsError as error:
            told.append((error.code, error.message))
        await client.close()
    assert told[0] == told[1]


async def test_no_parameter_ends_a_line(serve: Serve, emulated: Emulated) -> None:
    server = serve(answer)
    client = AgentCoreClient(emulated(server))
    with pytest.raises(InvalidRequestError):
        await invoke(client, runtime_session_id=f"{SESSION}\r\nX-Amz-Other: 1")
    await client.close()
    assert server.requests == []


@pytest.fixture
def credentials(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".aws" / "credentials").write_text("[default]\naws_access_key_id = AKID\naws_secret_access_key = x\n")
    for name in ("NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


async def asked_of_proxy(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, surroundings: dict[str, str], plane: str = "wire"
) -> list[tuple[str, dict[str, str]]]:
    """What a proxy, which refuses to connect, is asked for when a prompt is sent to AWS. PROXY stands for its place."""
    proxy = serve(lambda exchange: exchange.reply(403))
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value.replace("PROXY", proxy.url.removeprefix("http://")))
    client = AgentCoreClient(Connection("aws", "us-east-1"), retry_policy=ONCE, data_plane=plane)
    with pytest.raises(ConnectFailedError):
        await invoke(client)
    await client.close()
    return [(request.path, request.headers) for request in proxy.requests]


PLAIN_PROXY = {"HTTPS_PROXY": "http://PROXY", "https_proxy": "http://PROXY"}
SURROUNDINGS = {
    "proxy_password": dict.fromkeys(PLAIN_PROXY, "http://user:secret@PROXY"),
    "proxy_scheme": dict.fromkeys(PLAIN_PROXY, "https://PROXY"),
    "proxy_host_header": {**PLAIN_PROXY, "BOTO_EXPERIMENTAL__ADD_PROXY_HOST_HEADER": "true"},
    "other_request": {**PLAIN_PROXY, "AWS_LAMBDA_FUNCTION_NAME": "loom", "_X_AMZN_TRACE_ID": "Root=1-abc"},
    "setting": PLAIN_PROXY,
}


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("reason", BY_BOTOCORE)
async def test_what_loom_does_not_know_goes_by_aiobotocore(
    reason: str, serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "apps.aws")
    plane: str = "botocore" if reason == "setting" else "wire"
    asked = await asked_of_proxy(serve, monkeypatch, SURROUNDINGS[reason], plane)

    assert f"prompts go by aiobotocore region=us-east-1 reason={BY_BOTOCORE[reason]}" in caplog.text
    if reason == "proxy_password":
        assert [headers["proxy-authorization"] for _, headers in asked] == ["Basic dXNlcjpzZWNyZXQ="]
    assert "secret" not in caplog.text


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("surroundings", "host"),
    [
        ({}, "bedrock-agentcore.us-east-1.amazonaws.com:443"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "bedrock-agentcore-fips.us-east-1.amazonaws.com:443"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "bedrock-agentcore.us-east-1.api.aws:443"),
        ({"AWS_SESSION_TOKEN": "token", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "x"}, ""),
        ({"AWS_CA_BUNDLE": certifi.where()}, ""),
        ({"AWS_SDK_UA_APP_ID": "somebody", "AWS_EXECUTION_ENV": "AWS_ECS"}, ""),
    ],
    ids=["usual", "FIPS", "dualstack", "token", "bundle", "application"],
)
async def test_other_surroundings_are_looms_own_way(
    surroundings: dict[str, str],
    host: str,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Both ways go to the same place."""
    caplog.set_level(logging.INFO, "apps.aws")
    own = await asked_of_proxy(serve, monkeypatch, {**PLAIN_PROXY, **surroundings})
    assert "prompts go by aiobotocore" not in caplog.text
    by_botocore = await asked_of_proxy(serve, monkeypatch, {**PLAIN_PROXY, **surroundings}, "botocore")
    assert [path for path, _ in own] == [path for path, _ in by_botocore]
    assert [path for path, _ in own] == [host or "bedrock-agentcore.us-east-1.amazonaws.com:443"]


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("plane", DATA_PLANES)
async def test_a_bundle_that_is_not_there_sends_nothing(
    plane: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(lambda exchange: exchange.reply(403))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nonexistent")
    client = AgentCoreClient(Connection("aws", "us-east-1"), retry_policy=ONCE, data_plane=plane)
    with pytest.raises(AwsError):
        await invoke(client)
    await client.close()
    assert proxy.requests == []


async def test_credentials_that_come_later_are_found(
    home: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve, data_plane: str
) -> None:
    """S1-053: whoever signs in after Loom was started need not start it again."""
    proxy = serve(lambda exchange: exchange.reply(403))
    for name in PLAIN_PROXY:
        monkeypatch.setenv(name, proxy.url)
    client = AgentCoreClient(Connection("aws", "us-east-1"), retry_policy=ONCE, data_plane=data_plane)
    with pytest.raises(CredentialsError):
        await invoke(client)
    (home / ".aws" / "credentials").write_text("[default]\naws_access_key_id = AKID\naws_secret_access_key = x\n")
    with pytest.raises(ConnectFailedError):
        await invoke(client)
    await client.close()


async def test_what_is_taken_of_aiobotocores_insides_is_there() -> None:
    """Nobody promises these names: `apps.aws.dataplane.choice` has to follow them."""
    async with get_session().create_client(
        "bedrock-agentcore", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    ) as client:
        transport = client._endpoint.http_session  # type: ignore[attr-defined]
        assert isinstance(transport, AIOHTTPSession)
        assert transport._proxy_config.proxy_url_for("https://127.0.0.1/") is None  # type: ignore[attr-defined]
        tls, _ = transport._build_ssl_contexts(None)  # type: ignore[attr-defined]
        assert tls.check_hostname


async def test_pushed_and_pulled_are_the_same(serve: Serve, emulated: Emulated, data_plane: str) -> None:
    """What the reader raises where it is pushed to ends the answer, and the connection with it."""
    hung_up = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.chunk(b"x")
        if exchange.wait_for_hang_up():
            hung_up.set()

    def take(data: bytes) -> None:
        raise LookupError(data)

    client = AgentCoreClient(emulated(serve(script)), data_plane=data_plane)
    response = await invoke(client)
    with pytest.raises(LookupError, match="x"):
        await response.deliver(take)
    await response.close()
    assert await asyncio.to_thread(hung_up.wait, PATIENCE_S)
    await client.close()
