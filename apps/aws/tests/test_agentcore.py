from __future__ import annotations

import asyncio
import logging
import socket
import threading
import uuid

import pytest

from apps.aws.errors import (
    AwsError,
    ConnectionLostError,
    InvalidRequestError,
)
from apps.aws.tests.conftest import ClientOf, Serve
from apps.aws.tests.invoking import ARN, SECRET, SESSION, Streaming, answer, happened, invoke, read
from apps.aws.tests.loopback import PATIENCE_S, Exchange
from apps.wire.opening import kept_alive_socket


async def test_one_prompt_is_one_signed_request(serve: Serve, client_of: ClientOf) -> None:
    """S1-051, S1-056: the request on the wire, and what the answer's headers say."""

    def script(exchange: Exchange) -> None:
        exchange.start_stream(
            {
                "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": SESSION,
                "X-Amzn-Trace-Id": "Root=1-abc",
                "x-amzn-RequestId": "request-1",
            }
        )
        exchange.end_stream()

    server = serve(script)
    response = await invoke(client_of(server), qualifier="prod")

    assert await read(response) == []
    (request,) = server.requests
    assert (request.method, request.body) == ("POST", SECRET)
    assert request.path == (
        "/runtimes/arn%3Aaws%3Abedrock-agentcore%3Aus-east-1%3A123456789012%3Aruntime%2Fmy_agent-AbCdEf1234"
        "/invocations?qualifier=prod"
    )
    assert request.headers["x-amzn-bedrock-agentcore-runtime-session-id"] == SESSION
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("loom aiobotocore/")
    assert request.headers["accept"] == "text/event-stream, application/json"
    assert "/us-east-1/bedrock-agentcore/aws4_request" in request.headers["authorization"]
    assert (response.http_status, response.content_type) == (200, "text/event-stream")
    assert (response.runtime_session_id, response.request_id) == (SESSION, "request-1")
    assert (response.trace_id, response.attempt_count) == ("Root=1-abc", 1)


async def test_the_session_id_stays_ours_when_the_answer_names_none(serve: Serve, client_of: ClientOf) -> None:
    """S1-060 property 4: the session id is preserved."""
    response = await invoke(client_of(serve(answer)))

    assert response.runtime_session_id == SESSION
    assert (response.request_id, response.trace_id) == ("", "")
    await response.close()


async def test_each_chunk_arrives_before_the_next_is_sent(serve: Serve, client_of: ClientOf) -> None:
    """S1-004, S1-052, S0-052: the first token waits for nothing, not even for an end of line."""
    may_go_on = threading.Event()
    parts = [b'data: "a"\n\n', b"data: ", b'"b"\n\n']

    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        for part in parts:
            exchange.chunk(part)
            if not may_go_on.wait(PATIENCE_S):
                return exchange.hang_up()
            may_go_on.clear()
        return exchange.end_stream()

    received = []
    async for chunk in (await invoke(client_of(serve(script)))).chunks():
        received.append(chunk)
        may_go_on.set()

    assert received == parts


async def test_headers_are_reported_before_the_first_chunk(serve: Serve, client_of: ClientOf) -> None:
    may_go_on = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        if may_go_on.wait(PATIENCE_S):
            exchange.chunk(b"x")
            exchange.end_stream()

    response = await invoke(client_of(serve(script)))
    may_go_on.set()

    assert await read(response) == [b"x"]


async def test_connections_are_used_again(serve: Serve, client_of: ClientOf) -> None:
    """S1-036, S1-058: one connection serves invocations that follow each other."""
    server = serve(answer)
    client = client_of(server)

    for _ in range(3):
        assert await read(await invoke(client)) == [b'data: "ok"\n\n']
    assert (len(server.requests), server.connection_count) == (3, 1)


async def test_many_streams_run_side_by_side(serve: Serve, client_of: ClientOf) -> None:
    """S1-039, S1-060 property 10: all are open at the same time and none mixes with another."""
    count = 40
    all_open = threading.Barrier(count)

    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.chunk(exchange.request.body)
        all_open.wait(PATIENCE_S)
        exchange.chunk(exchange.request.headers["x-amzn-bedrock-agentcore-runtime-session-id"].encode())
        exchange.end_stream()

    client = client_of(serve(script))
    sessions = [str(uuid.uuid4()) for _ in range(count)]

    async def run(number: int) -> bytes:
        response = await invoke(client, runtime_session_id=sessions[number], payload=b"%d " % number)
        return b"".join(await read(response))

    answers = await asyncio.gather(*(run(number) for number in range(count)))
    assert answers == [f"{number} {session}".encode() for number, session in enumerate(sessions)]


async def test_a_large_payload_arrives_whole(serve: Serve, client_of: ClientOf) -> None:
    server = serve(answer)
    payload = b"0123456789" * 300_000

    await (await invoke(client_of(server), payload=payload)).close()

    assert server.requests[0].body == payload


async def test_close_drops_the_connection_in_mid_stream(serve: Serve, client_of: ClientOf) -> None:
    """S1-060 property 8: the agent's side sees at once that nobody listens."""
    stream = Streaming()
    response = await invoke(client_of(serve(stream.in_mid_stream)))
    chunks = response.chunks()

    assert await anext(chunks) == b"x"
    await response.close()
    await response.close()
    assert await happened(stream.hung_up)
    with pytest.raises(ConnectionLostError) as caught:
        await anext(chunks)
    assert caught.value.code == "ClosedResponse"


async def test_close_wakes_the_task_that_is_reading(serve: Serve, client_of: ClientOf) -> None:
    response = await invoke(client_of(serve(Streaming().in_mid_stream)))
    first_read = asyncio.Event()

    async def consume() -> None:
        async for _ in response.chunks():
            first_read.set()

    reading = asyncio.create_task(consume())
    await first_read.wait()
    await response.close()
    with pytest.raises(ConnectionLostError) as caught:
        await reading
    assert caught.value.code == "ClosedResponse"


async def test_cancelling_a_reader_drops_the_connection(serve: Serve, client_of: ClientOf) -> None:
    """S1-060 property 8."""
    stream = Streaming()
    response = await invoke(client_of(serve(stream.in_mid_stream)))
    reading = asyncio.create_task(read(response))

    assert await happened(stream.reached)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await happened(stream.hung_up)


async def test_cancelling_an_invocation_drops_the_connection(serve: Serve, client_of: ClientOf) -> None:
    """S1-060 property 8."""
    stream = Streaming()
    invoking = asyncio.create_task(invoke(client_of(serve(stream.before_headers))))

    assert await happened(stream.reached)
    invoking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await invoking
    assert await happened(stream.hung_up)


async def test_closing_the_client_ends_its_streams(serve: Serve, client_of: ClientOf) -> None:
    stream = Streaming()
    client = client_of(serve(stream.in_mid_stream))
    chunks = (await invoke(client)).chunks()

    assert await anext(chunks) == b"x"
    await client.close()
    await client.close()
    with pytest.raises(ConnectionLostError):
        await anext(chunks)
    assert await happened(stream.hung_up)


async def test_a_session_is_stopped(serve: Serve, client_of: ClientOf) -> None:
    server = serve(lambda exchange: exchange.reply_json({"runtimeSessionId": SESSION}))

    await client_of(server).stop_session(ARN, qualifier="prod", runtime_session_id=SESSION)

    (request,) = server.requests
    assert request.path.endswith("my_agent-AbCdEf1234/stopruntimesession?qualifier=prod")
    assert request.headers["x-amzn-bedrock-agentcore-runtime-session-id"] == SESSION


async def test_a_session_that_is_gone_cannot_be_stopped(serve: Serve, client_of: ClientOf) -> None:
    server = serve(lambda exchange: exchange.fail(404, "ResourceNotFoundException", "No such session."))

    with pytest.raises(AwsError) as caught:
        await client_of(server).stop_session(ARN, qualifier="DEFAULT", runtime_session_id=SESSION)
    assert (caught.value.code, caught.value.message) == ("ResourceNotFoundException", "No such session.")


async def test_a_parameter_that_botocore_refuses_is_never_sent(serve: Serve, client_of: ClientOf) -> None:
    server = serve(answer)

    with pytest.raises(InvalidRequestError):
        await invoke(client_of(server), runtime_session_id="too-short")
    assert server.requests == []


async def test_no_prompt_and_no_answer_is_ever_logged(
    serve: Serve, client_of: ClientOf, caplog: pytest.LogCaptureFixture
) -> None:
    """S1-059: not even at DEBUG, where botocore logs whole requests."""
    caplog.set_level(logging.DEBUG)

    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.chunk(b"the answer nobody may see")
        exchange.end_stream()

    await read(await invoke(client_of(serve(script))))
    with pytest.raises(AwsError):
        await invoke(client_of(serve(lambda exchange: exchange.fail(500, "X", SECRET.decode()))))

    assert "nobody may see" not in caplog.text
    assert "AWS4-HMAC-SHA256" not in caplog.text


def test_a_dead_peer_is_noticed() -> None:
    """S1-058: connections are probed while an agent is silent."""
    with kept_alive_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0))) as probed:
        assert probed.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
