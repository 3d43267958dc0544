from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from apps.aws.agentcore import AgentCoreClient
from apps.aws.connection import Connection
from apps.aws.errors import (
    AwsError,
    ConflictError,
    ConnectFailedError,
    ConnectionLostError,
    InvalidRequestError,
    ThrottledError,
    TimedOutError,
    UnavailableError,
)
from apps.aws.tests.conftest import ClientOf, Serve
from apps.aws.tests.invoking import AT_ONCE, SECRET, Streaming, answer, happened, invoke, read
from apps.aws.tests.loopback import PATIENCE_S, Exchange


def throttled_until(attempt: int, code: str = "ThrottlingException", status: int = 429) -> Callable[[Exchange], None]:
    def script(exchange: Exchange) -> None:
        if exchange.number < attempt:
            exchange.fail(status, code)
        else:
            answer(exchange)

    return script


@pytest.mark.parametrize(("code", "status"), [("ThrottlingException", 429), ("RetryableConflictException", 409)])
async def test_what_did_not_run_is_sent_again(code: str, status: int, serve: Serve, client_of: ClientOf) -> None:
    """S1-031, S1-032, S1-033: up to three attempts with the same session and payload; each tells when it goes out."""
    server = serve(throttled_until(3, code, status))
    sent: list[int] = []
    response = await invoke(client_of(server), on_send=lambda attempt: sent.append(len(server.requests) * 10 + attempt))

    assert await read(response) == [b'data: "ok"\n\n']
    assert response.attempt_count == 3
    # Called just before the request: the server has seen only the earlier ones.
    assert sent == [1, 12, 23]
    assert {(request.path, request.body) for request in server.requests} == {(server.requests[0].path, SECRET)}


async def test_after_three_attempts_it_gives_up(serve: Serve, client_of: ClientOf) -> None:
    """S1-032: three attempts are the most."""
    server = serve(throttled_until(99))

    with pytest.raises(ThrottledError) as caught:
        await invoke(client_of(server))
    assert len(server.requests) == 3
    assert (caught.value.code, caught.value.http_status) == ("ThrottlingException", 429)
    assert (caught.value.request_id, caught.value.did_not_run) == ("request-1", True)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (500, "InternalServerException", UnavailableError),
        (503, "ServiceUnavailableException", UnavailableError),
        (504, "GatewayTimeout", UnavailableError),
        (409, "ConflictException", ConflictError),
        (400, "ValidationException", InvalidRequestError),
    ],
)
async def test_what_may_have_run_is_sent_once(
    status: int, code: str, expected: type[AwsError], serve: Serve, client_of: ClientOf
) -> None:
    """S1-055: one prompt is one request unless it provably did not run."""
    server = serve(lambda exchange: exchange.fail(status, code))

    with pytest.raises(expected) as caught:
        await invoke(client_of(server))
    assert len(server.requests) == 1
    assert (caught.value.http_status, caught.value.did_not_run) == (status, False)


@pytest.mark.parametrize(("status", "request_count"), [(503, 3), (504, 3), (500, 1)])
async def test_unproven_failures_are_repeated_on_request(
    status: int, request_count: int, serve: Serve, client_of: ClientOf
) -> None:
    """S1-031: 503 and 504 are tried again where the agent allows it."""
    server = serve(lambda exchange: exchange.fail(status, "Unexplained"))

    with pytest.raises(UnavailableError):
        await invoke(client_of(server), retry_unproven=True)
    assert len(server.requests) == request_count


@pytest.mark.parametrize("broken", [Exchange.hang_up, Exchange.reset])
@pytest.mark.parametrize("retry_unproven", [False, True])
async def test_a_connection_lost_before_any_byte_is_not_repeated(
    broken: Callable[[Exchange], None], serve: Serve, client_of: ClientOf, *, retry_unproven: bool
) -> None:
    """S1-055: it is not known to have run, so nobody but the user may send it again."""
    server = serve(broken)

    with pytest.raises(ConnectionLostError) as caught:
        await invoke(client_of(server), retry_unproven=retry_unproven)
    assert len(server.requests) == 1
    assert not caught.value.did_not_run


@pytest.mark.parametrize("broken", [Exchange.hang_up, Exchange.reset])
@pytest.mark.parametrize("chunks", [[], [b'data: "a"\n\n']])
async def test_a_stream_cut_short_says_so(
    broken: Callable[[Exchange], None], chunks: list[bytes], serve: Serve, client_of: ClientOf
) -> None:
    """S1-052: what arrived is kept, and the cut is an error."""
    may_break = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        for chunk in chunks:
            exchange.chunk(chunk)
        may_break.wait(PATIENCE_S)
        broken(exchange)

    server = serve(script)
    response = await invoke(client_of(server))
    received = []
    if not chunks:
        may_break.set()
    with pytest.raises(ConnectionLostError):
        async for chunk in response.chunks():
            received.append(chunk)
            may_break.set()
    assert received == chunks
    assert len(server.requests) == 1


async def test_a_body_shorter_than_promised_is_cut_short(serve: Serve, client_of: ClientOf) -> None:
    def script(exchange: Exchange) -> None:
        exchange.reply(200, b"{}", {"Content-Length": "100"})
        exchange.hang_up()

    with pytest.raises(ConnectionLostError):
        await read(await invoke(client_of(serve(script))))


async def test_silence_before_the_headers_times_out_once(serve: Serve, client_of: ClientOf) -> None:
    """S1-055: the read timeout is the call's own; an agent that is slow is not invoked twice."""
    server = serve(Streaming().before_headers)

    with pytest.raises(TimedOutError) as caught:
        await invoke(client_of(server), read_timeout=0.2, retry_unproven=True)
    assert len(server.requests) == 1
    assert not caught.value.did_not_run


async def test_silence_between_chunks_times_out(serve: Serve, client_of: ClientOf) -> None:
    hung_up = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.chunk(b"x")
        if exchange.wait_for_hang_up():
            hung_up.set()

    response = await invoke(client_of(serve(script)), read_timeout=0.2)
    with pytest.raises(TimedOutError):
        await read(response)
    assert await happened(hung_up)


async def test_a_refused_connection_is_tried_again(data_plane: str) -> None:
    """S1-055: what never connected did not run."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        connection = Connection("emulator", "us-east-1", endpoint_url=url)
        client = AgentCoreClient(connection, retry_policy=AT_ONCE, data_plane=data_plane)
        sent: list[int] = []

        with pytest.raises(ConnectFailedError) as caught:
            await invoke(client, on_send=sent.append)
        await client.close()

    assert sent == [1, 2, 3]
    assert caught.value.did_not_run


async def test_a_redirect_is_an_answer_and_not_followed(serve: Serve, client_of: ClientOf) -> None:
    elsewhere = serve(answer)
    server = serve(lambda exchange: exchange.reply(307, headers={"Location": elsewhere.url}))

    with pytest.raises(AwsError) as caught:
        await invoke(client_of(server))
    assert caught.value.http_status == 307
    assert (len(server.requests), elsewhere.requests) == (1, [])


@pytest.mark.parametrize("body", [b"[1]", b'"x"', b"<html>the prompt nobody may see", b'{"__type": {}}', b"\xff"])
async def test_an_error_without_awss_form_is_still_an_aws_error(body: bytes, serve: Serve, client_of: ClientOf) -> None:
    server = serve(lambda exchange: exchange.reply(502, body))

    with pytest.raises(AwsError) as caught:
        await invoke(client_of(server))
    assert "nobody may see" not in str(caught.value)
    assert len(server.requests) == 1
