"""Ready frames, handed to a real server's connection and read by another project's client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import websockets
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.asyncio.client import ClientConnection

from apps.core.requests.direct_write import EXTENSION
from apps.sessions.tests.viewing import until
from apps.sessions.viewing.credit import Credit
from apps.sessions.viewing.frames import LONG_PAYLOAD, SHORT_PAYLOAD, Frame, text_frame
from apps.sessions.viewing.line import Line
from loom.processes.web_command import web_command
from loom.tests.running import PATIENCE_S
from loom.web.protocol import BoundedProtocol
from loom.web.websocket import DirectWebSocket

SMALL_BUFFER = 4096
SIZES = [0, 1, SHORT_PAYLOAD, SHORT_PAYLOAD + 1, LONG_PAYLOAD, LONG_PAYLOAD + 1, 300_000]


@dataclass
class Connection:
    """What the application of one socket has in hand; it ends when it is told to."""

    scope: dict[str, Any]
    receive: Callable[[], Any]
    send: Callable[[dict[str, Any]], Any]
    over: asyncio.Event

    @property
    def write(self) -> Callable[[bytes], bool]:
        write: Callable[[bytes], bool] = self.scope["extensions"][EXTENSION]
        return write

    async def say(self, text: str) -> None:
        await self.send({"type": "websocket.send", "text": text})


class Server:
    """uvicorn's own connection handling around an application that does what a test says."""

    def __init__(self, port: int, opened: asyncio.Queue[Connection]) -> None:
        self.port = port
        self.opened = opened

    async def accept(self, connecting: asyncio.Future[ClientConnection]) -> tuple[Connection, ClientConnection]:
        """The socket's two ends, open."""
        connection = await asyncio.wait_for(self.opened.get(), PATIENCE_S)
        await connection.send({"type": "websocket.accept"})
        return connection, await asyncio.wait_for(connecting, PATIENCE_S)

    def connect(self, **options: Any) -> asyncio.Future[ClientConnection]:
        """A client that is about to connect; only `accept` completes the handshake."""
        url = f"ws://127.0.0.1:{self.port}/"
        return asyncio.ensure_future(websockets.connect(url, max_size=None, **options).__aenter__())

    async def open(self, **options: Any) -> tuple[Connection, ClientConnection]:
        return await self.accept(self.connect(**options))


@asynccontextmanager
async def serving(*, deflates: bool = False) -> AsyncIterator[Server]:
    """A server on a free port; at the end everything is closed."""
    opened: asyncio.Queue[Connection] = asyncio.Queue()
    all_opened: list[Connection] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        connection = Connection(scope, receive, send, asyncio.Event())
        all_opened.append(connection)
        opened.put_nowait(connection)
        await connection.over.wait()

    config = Config(
        application, ws=DirectWebSocket, http=BoundedProtocol, ws_per_message_deflate=deflates, lifespan="off"
    )
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedProtocol(config, state, {}), "127.0.0.1", 0, start_serving=True
    )
    # What the system holds back on its way would hide that nobody reads; connections inherit it.
    server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
    try:
        yield Server(server.sockets[0].getsockname()[1], opened)
    finally:
        server.close()
        for connection in all_opened:
            connection.over.set()
        for protocol in list(state.connections):
            protocol.transport.abort()
        while state.tasks:
            await asyncio.wait(state.tasks)
        await asyncio.sleep(0)


def narrow_socket(port: int) -> socket.socket:
    """A client's socket that takes little before its program reads."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    narrow.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
    narrow.connect(("127.0.0.1", port))
    narrow.setblocking(False)
    return narrow


async def read(client: ClientConnection) -> str:
    message = await asyncio.wait_for(client.recv(), PATIENCE_S)
    assert isinstance(message, str)
    return message


async def read_all(client: ClientConnection, count: int) -> list[str]:
    return [await read(client) for _ in range(count)]


async def test_frames_of_every_size_reach_a_client_whole_and_in_order_with_what_is_sent_between() -> None:
    async with serving() as server:
        connection, client = await server.open()
        for size in SIZES:
            text = "é" * (size // 2) + "e" * (size % 2)
            await connection.say("before")
            assert connection.write(text_frame(text))
            reading = asyncio.ensure_future(read_all(client, 3))
            await connection.say("after")
            assert await reading == ["before", text, "after"]
        await client.close()


async def test_a_ready_frame_is_byte_for_byte_what_the_server_sends() -> None:
    async with serving() as server:
        raw = socket.socket()
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, ("127.0.0.1", server.port))
        await loop.sock_sendall(
            raw,
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        )
        connection = await asyncio.wait_for(server.opened.get(), PATIENCE_S)
        await connection.send({"type": "websocket.accept"})
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += await loop.sock_recv(raw, 1)
        for size in SIZES:
            text = "w" * size
            await connection.say(text)
            sent = b""
            while len(sent) < len(text_frame(text)):
                sent += await asyncio.wait_for(loop.sock_recv(raw, 1 << 20), PATIENCE_S)
            assert sent == text_frame(text)
        raw.close()


async def test_nothing_is_written_before_the_handshake_nor_once_either_side_closes() -> None:
    async with serving() as server:
        connecting = server.connect()
        connection = await asyncio.wait_for(server.opened.get(), PATIENCE_S)
        assert connection.write(text_frame("too early")) is False
        server.opened.put_nowait(connection)
        _, client = await server.accept(connecting)
        assert connection.write(text_frame("in time")) is True
        await connection.send({"type": "websocket.close", "code": 4401})
        assert connection.write(text_frame("too late")) is False
        assert await read(client) == "in time"
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await read(client)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401

        left, client = await server.open()
        await client.close()
        for expected in ("websocket.connect", "websocket.disconnect"):
            assert (await asyncio.wait_for(left.receive(), PATIENCE_S))["type"] == expected
        assert left.write(text_frame("nobody there")) is False


async def test_a_viewer_that_does_not_read_is_written_no_more_than_a_buffer_and_gets_all_of_it_later() -> None:
    async with serving() as server:
        connection, client = await server.open(sock=narrow_socket(server.port), max_queue=1)
        client.transport.pause_reading()
        written: list[str] = []
        while connection.write(text_frame(text := f"{len(written)} {'w' * 1000}")):
            written.append(text)
            await asyncio.sleep(0)
            assert len(written) < 1000, "nobody holds the writer back"
        assert connection.write(text_frame("no room")) is False
        client.transport.resume_reading()
        assert await read_all(client, len(written)) == written
        await until(lambda: connection.write(text_frame("again")))
        assert await read(client) == "again"
        await client.close()


@pytest.mark.parametrize("deflates", [False, True])
async def test_frames_are_only_written_past_the_server_where_it_would_not_change_them(deflates: bool) -> None:
    async with serving(deflates=deflates) as server:
        connection, client = await server.open(compression="deflate")
        assert (EXTENSION in connection.scope["extensions"]) is not deflates
        await connection.say("said")
        assert await read(client) == "said"
        await client.close()


def test_the_web_server_is_started_with_it_and_compresses_nothing() -> None:
    command = web_command("127.0.0.1", 8000)
    assert "--ws=loom.web.websocket:DirectWebSocket" in command
    assert "--ws-per-message-deflate=false" in command


# A frame of so many characters is put; the viewer pauses, or reads on; something else is due; the event loop goes on.
STEPS = st.lists(st.sampled_from([0, 200, 40_000, "pause", "read", "due", "turn"]), min_size=30, max_size=120)


@given(STEPS, st.booleans())
@settings(max_examples=25, deadline=None)
def test_whatever_a_viewer_does_it_gets_every_frame_once_and_in_order(
    steps: list[int | str], writes_ready_frames: bool
) -> None:
    async def carry_out() -> None:
        async with serving() as server:
            connection, client = await server.open(sock=narrow_socket(server.port), max_queue=1)
            write = connection.write if writes_ready_frames else None
            line = Line(connection.send, write, limit=10_000_000, credit=Credit(is_limited=False))

            async def send_what_waits() -> None:
                while True:
                    await line.wait()
                    while line.outbox:
                        await line.send(line.outbox.take().text)

            sender = asyncio.create_task(send_what_waits())
            put: list[str] = []
            for step in steps:
                if isinstance(step, int):
                    put.append(f"{len(put)} {'w' * step}")
                    line.put(Frame(put[-1]))
                elif step == "pause":
                    client.transport.pause_reading()
                elif step == "read":
                    client.transport.resume_reading()
                elif step == "due":
                    line.wake()
                else:
                    await asyncio.sleep(0)
            client.transport.resume_reading()
            assert await read_all(client, len(put)) == put
            sender.cancel()
            await client.close()

    asyncio.run(carry_out())
